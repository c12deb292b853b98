//! The loading of a model: the placement of its weights, and the progress.

use std::ffi::{CString, c_void};
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use super::caught::{self, caught};
use super::host::{check_cpu, chosen};
use super::log::{complaint, forget_log};
use super::start::initialized;
use crate::engine::config::{CacheType, EngineConfig, FlashAttention, Kernels};
use crate::engine::error::EngineError;
use crate::gguf::ModelFile;

/// Loads a model, and compares its vocabulary with the file's.
pub fn loaded(
    file: &ModelFile,
    config: &EngineConfig,
    mut progress: impl FnMut(f32) -> bool,
) -> Result<Model, EngineError> {
    check_cpu()?;
    check_settings(file, config)?;
    initialized()?;
    let model = load(file, config, &mut progress)?;
    if config.kernels == Kernels::Own {
        use_own_kernels(&model)?;
    }
    let vocabulary = file.vocabulary.tokens.len();
    // SAFETY: the model is valid, and both functions only read it.
    let counted = unsafe { sys::llama_vocab_n_tokens(sys::llama_model_get_vocab(model.raw())) };
    if usize::try_from(counted) != Ok(vocabulary) {
        // Token ids beyond the vocabulary would read outside of the logits.
        return Err(EngineError::Load(format!("llama.cpp counts {counted} tokens, the file {vocabulary}")));
    }
    Ok(model)
}

/// Lets our kernels multiply the model's weights.
fn use_own_kernels(model: &Model) -> Result<(), EngineError> {
    super::self_test::passes().map_err(EngineError::Kernels)?;
    super::operations::mark_weights(model.raw());
    Ok(())
}

/// A model that llama.cpp has loaded.
pub struct Model(NonNull<sys::llama_model>);

impl Model {
    pub fn raw(&self) -> *mut sys::llama_model {
        self.0.as_ptr()
    }
}

// SAFETY: a model is bound to no thread. Contexts only read it, and they are made one after the other.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the model is valid, only this code frees it, and its contexts, which borrow it, are dropped.
        unsafe { sys::llama_model_free(self.0.as_ptr()) }
    }
}

/// Loads the weights, without the safe binding. That has no setting for `use_extra_bufts`, with which llama.cpp repacks
/// the weights for a CPU: a copy of them in memory, and a minute for the 20b.
fn load(file: &ModelFile, config: &EngineConfig, progress: &mut dyn FnMut(f32) -> bool) -> Result<Model, EngineError> {
    let path = file.path.to_str().ok_or_else(|| EngineError::Load("its path is not valid UTF-8".to_owned()))?;
    let path = CString::new(path).map_err(|_| EngineError::Load("its path holds a NUL byte".to_owned()))?;
    let mut progress = progress;
    // SAFETY: the function takes nothing and returns a plain struct.
    let mut params = unsafe { sys::llama_model_default_params() };
    params.use_extra_bufts = config.repack;
    if let Some(layers) = config.gpu_layers {
        params.n_gpu_layers = i32::try_from(layers).unwrap_or(i32::MAX);
    }
    // Both lists end with a null. llama.cpp reads them during the loading only.
    let mut devices = chosen(&config.devices)?;
    if !config.devices.is_empty() {
        devices.push(std::ptr::null_mut());
        params.devices = devices.as_mut_ptr();
    }
    let experts: Vec<CString> = (0..config.cpu_experts).map(experts_of).collect();
    // SAFETY: the function takes nothing, and its result lives forever.
    let cpu = unsafe { sys::ggml_backend_cpu_buffer_type() };
    let mut places: Vec<_> = experts
        .iter()
        .map(|pattern| sys::llama_model_tensor_buft_override { pattern: pattern.as_ptr(), buft: cpu })
        .collect();
    if !places.is_empty() {
        places.push(sys::llama_model_tensor_buft_override { pattern: std::ptr::null(), buft: std::ptr::null_mut() });
        params.tensor_buft_overrides = places.as_ptr();
    }
    params.progress_callback = Some(report);
    params.progress_callback_user_data = (&raw mut progress).cast::<c_void>();
    forget_log();
    // SAFETY: `path`, `progress`, `devices`, `experts` and `places` outlive the call. All other pointers are the
    // defaults.
    let model = caught(|| unsafe { caught::llama_model_load_from_file(path.as_ptr(), params) });
    let model = NonNull::new(model.map_err(EngineError::Load)?);
    model.map(Model).ok_or_else(|| EngineError::Load(complaint("llama.cpp gave no reason")))
}

/// Returns the names of a layer's expert tensors, as a regular expression.
fn experts_of(layer: u32) -> CString {
    CString::new(format!("^blk\\.{layer}\\.ffn_(gate|up|down)_exps")).expect("no NUL byte in it")
}

/// Passes llama.cpp's progress on.
extern "C" fn report(progress: f32, user_data: *mut c_void) -> bool {
    // SAFETY: `load` passes a pointer to its `&mut dyn FnMut`, which lives until the loading ends. llama.cpp calls this
    // function on the loading thread only. A panic must not cross into C++, so it stops the loading.
    let callback = unsafe { &mut *user_data.cast::<&mut dyn FnMut(f32) -> bool>() };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(progress))).unwrap_or(false)
}

/// Refuses settings that llama.cpp would accept, and then abort or take all memory.
fn check_settings(file: &ModelFile, config: &EngineConfig) -> Result<(), EngineError> {
    let most = usize::try_from(file.shape.context_length).unwrap_or(usize::MAX);
    for (name, value, range) in [
        ("context", config.context, 1..=most),
        ("batch", config.batch, 1..=1 << 16),
        ("micro-batch", config.micro_batch, 1..=1 << 16),
        // llama.cpp has at most 256 sequences. The plan keeps 16 of them for policies and forks.
        ("parallel", config.parallel, 1..=240),
        // A policy, a content and a fork of it take three sequences.
        ("sequences", config.sequences, 3..=256),
        ("threads", config.threads, 1..=512),
        ("workers", config.workers, 1..=64),
    ] {
        if !range.contains(&value) {
            return Err(EngineError::Setting { name, value, least: *range.start(), most: *range.end() });
        }
    }
    if config.cache == CacheType::Q8_0 && config.flash_attention == FlashAttention::Off {
        return Err(EngineError::Load("keys and values in 8 bits need flash attention".to_owned()));
    }
    Ok(())
}
