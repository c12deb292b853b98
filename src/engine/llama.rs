//! The fence around llama.cpp: the only file that knows it, and the only one with `unsafe`.
//!
//! The one idea: what llama.cpp would assert, and end the process over, cannot be asked for from here on (see
//! [`super::backend`]), and what the safe binding lacks is done here and nowhere else. Model, context and batch live on
//! the stack of [`with_backend`], so nothing borrows from itself. What is decoded, and why, is not known here.
#![allow(unsafe_code)]

mod caught;

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::io::Write as _;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::{LlamaBackendDevice, LlamaBackendDeviceType};
use llama_cpp_sys_2 as sys;

use self::caught::caught;

use super::backend::{Backend, Batch, Fault, Layout, Limits, Row, Seq};
use super::{CacheType, EngineConfig, EngineError, FlashAttention};
use crate::machine::{Device, Kind};
use crate::model::ModelFile;

/// Loads the model and hands a backend to `work`, on this thread.
///
/// `progress` is told how much of the model is loaded, from 0 to 1, and stops the loading by returning false. Once `stop`
/// is set, a batch that is being decoded is given up.
///
/// # Errors
///
/// When this CPU lacks an instruction set that the build needs, or the model or its context cannot be had.
pub fn with_backend<T>(
    file: &ModelFile,
    config: &EngineConfig,
    progress: impl FnMut(f32) -> bool,
    stop: &AtomicBool,
    work: impl FnOnce(&mut dyn Backend) -> T,
) -> Result<T, EngineError> {
    let model = loaded(file, config, progress)?;
    let mut backend = Llama::new(&model, file, config, config.threads, stop)?;
    Ok(work(&mut backend))
}

/// Loads the model once. Hands each worker a backend and a thread of its own, with its share of the threads that
/// compute. Returns the workers' results, in order.
///
/// # Errors
///
/// As [`with_backend`].
///
/// # Panics
///
/// When one of them does, once all others have ended.
pub fn with_backends<T: Send>(
    file: &ModelFile,
    config: &EngineConfig,
    progress: impl FnMut(f32) -> bool,
    stop: &AtomicBool,
    work: impl Fn(usize, &mut dyn Backend) -> T + Sync,
) -> Result<Vec<T>, EngineError> {
    let model = loaded(file, config, progress)?;
    let threads = (config.threads / config.workers).max(1);
    // One after the other: llama.cpp does not make contexts side by side.
    let backends = (0..config.workers).map(|_| Llama::new(&model, file, config, threads, stop));
    let backends = backends.collect::<Result<Vec<_>, _>>()?;
    let work = &work;
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for (number, mut backend) in backends.into_iter().enumerate() {
            // No worker begins before all threads exist. If one thread is refused, the others end without having begun.
            let (go, begin) = std::sync::mpsc::channel();
            let worker = std::thread::Builder::new()
                .name("worker".to_owned())
                .spawn_scoped(scope, move || begin.recv().ok().map(|()| work(number, &mut backend)))
                .map_err(|error| EngineError::Load(format!("a thread cannot be started: {error}")))?;
            workers.push((worker, go));
        }
        for (_, go) in &workers {
            let _ = go.send(());
        }
        let done = |(worker, _): (std::thread::ScopedJoinHandle<'_, Option<T>>, _)| {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        Ok(workers.into_iter().filter_map(done).collect())
    })
}

fn loaded(
    file: &ModelFile,
    config: &EngineConfig,
    mut progress: impl FnMut(f32) -> bool,
) -> Result<Model, EngineError> {
    check_cpu()?;
    check_settings(file, config)?;
    initialized()?;
    let model = load(file, config, &mut progress)?;
    let vocabulary = file.vocabulary.tokens.len();
    // SAFETY: the model is whole, and both functions only read it.
    let counted = unsafe { sys::llama_vocab_n_tokens(sys::llama_model_get_vocab(model.0.as_ptr())) };
    if usize::try_from(counted) != Ok(vocabulary) {
        return Err(EngineError::Load(format!("llama.cpp counts {counted} tokens, the file {vocabulary}")));
    }
    Ok(model)
}

/// A model that llama.cpp has loaded.
struct Model(NonNull<sys::llama_model>);

// SAFETY: a model is bound to no thread. Contexts only read it, and they are made one after the other.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: it is whole, nobody else frees it, and all contexts of it, which borrow it, are gone.
        unsafe { sys::llama_model_free(self.0.as_ptr()) }
    }
}

/// A context that llama.cpp has made.
struct Context<'model> {
    raw: NonNull<sys::llama_context>,
    memory: sys::llama_memory_t,
    model: PhantomData<&'model Model>,
}

// SAFETY: a context is bound to no thread, as long as one at a time uses it.
unsafe impl Send for Context<'_> {}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: it is whole, and nobody else frees it.
        unsafe { sys::llama_free(self.raw.as_ptr()) }
    }
}

/// The tokens of a batch, in the arrays that llama.cpp reads.
#[derive(Default)]
struct Tokens {
    ids: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    sequences: Vec<sys::llama_seq_id>,
    logits: Vec<i8>,
    /// Each token is in one sequence.
    counts: Vec<i32>,
}

impl Tokens {
    fn clear(&mut self) {
        self.ids.clear();
        self.positions.clear();
        self.sequences.clear();
        self.logits.clear();
        self.counts.clear();
    }
}

/// The code of `llama_decode` when the cache has no room.
const NO_CELLS: i32 = 1;
/// The code of a batch that its abort callback ended.
const ABORTED: i32 = 2;
/// The code of a batch that it does not accept.
const REFUSED: i32 = -1;

struct Llama<'model> {
    context: Context<'model>,
    tokens: Tokens,
    /// The rows of the last batch in the order of llama.cpp's, and where each stands there.
    order: Vec<usize>,
    places: Vec<i32>,
    /// Sequences that are being copied, from and to: llama.cpp does so when it decodes next.
    copies: Vec<Seq>,
    limits: Limits,
    vocabulary: usize,
    /// The exception that llama.cpp threw. Its memory is unknown since then, so nothing more is decoded.
    broken: Option<String>,
}

impl<'model> Llama<'model> {
    fn new(
        model: &'model Model,
        file: &ModelFile,
        config: &EngineConfig,
        threads: usize,
        stop: &AtomicBool,
    ) -> Result<Self, EngineError> {
        let limits = Limits {
            layout: config.layout,
            cells: config.context,
            batch: config.batch.min(config.context),
            // llama.cpp asserts that there is one for each sequence.
            outputs: config.sequences.max(super::OUTPUTS),
            sequences: config.sequences,
        };
        initialized()?;
        forget_log();
        let params = context_params(config, limits, threads, stop);
        // SAFETY: the model is whole and outlives the context, which borrows it; so does what the parameters point to.
        let context = caught(|| unsafe { caught::llama_init_from_model(model.0.as_ptr(), params) });
        let raw = NonNull::new(context.map_err(EngineError::Load)?)
            .ok_or_else(|| EngineError::Load(said("llama.cpp gave no reason")))?;
        // SAFETY: the context is whole, and its memory lives as long.
        let memory = unsafe { sys::llama_get_memory(raw.as_ptr()) };
        Ok(Self {
            context: Context { raw, memory, model: PhantomData },
            tokens: Tokens::default(),
            order: Vec::new(),
            places: Vec::new(),
            copies: Vec::new(),
            limits,
            vocabulary: file.vocabulary.tokens.len(),
            broken: None,
        })
    }

    /// Runs a call that may throw. After one has thrown, all later calls fail.
    fn call<T>(&mut self, call: impl FnOnce(&Context<'_>) -> T) -> Result<T, Fault> {
        if let Some(why) = &self.broken {
            return Err(Fault::Other(why.clone()));
        }
        forget_log();
        caught(|| call(&self.context)).map_err(|why| {
            self.broken = Some(why.clone());
            Fault::Other(why)
        })
    }

    /// Returns the state of a sequence as bytes.
    fn state(&mut self, seq: Seq, flags: u32) -> Result<Vec<u8>, Fault> {
        // SAFETY: the context is whole. The buffer has the size that llama.cpp has just asked for, and nothing is decoded in
        // between.
        let (bytes, written) = self.call(|context| unsafe {
            let raw = context.raw.as_ptr();
            let mut bytes = vec![0; caught::llama_state_seq_get_size_ext(raw, id(seq), flags)];
            let written = caught::llama_state_seq_get_data_ext(raw, bytes.as_mut_ptr(), bytes.len(), id(seq), flags);
            (bytes, written)
        })?;
        let whole = written > 0 && written == bytes.len();
        if whole { Ok(bytes) } else { Err(Fault::Other(said("llama.cpp did not save a sequence"))) }
    }

    /// Restores the state of a sequence from bytes.
    fn set_state(&mut self, bytes: &[u8], seq: Seq, flags: u32) -> Result<(), Fault> {
        // SAFETY: the context is whole. The bytes came from `state`, and their keeper has checked them. llama.cpp reads
        // them within their length, but trusts their content.
        let read = self.call(|context| unsafe {
            caught::llama_state_seq_set_data_ext(context.raw.as_ptr(), bytes.as_ptr(), bytes.len(), id(seq), flags)
        })?;
        if read == bytes.len() { Ok(()) } else { Err(Fault::Other(said("llama.cpp did not restore a sequence"))) }
    }
}

/// `LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY`, a macro: the sliding layers alone.
const SLIDING: u32 = 1;

impl Backend for Llama<'_> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn decode(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.tokens.clear();
        let entries = batch.entries();
        self.order.clear();
        self.order.extend(0..entries.len());
        // Streams are computed together only if they stand side by side.
        if self.limits.layout == Layout::Split {
            self.order.sort_by_key(|&row| entries[row].seq);
        }
        self.places.clear();
        self.places.resize(entries.len(), 0);
        for (place, &row) in self.order.iter().enumerate() {
            let entry = entries[row];
            self.places[row] = i32::try_from(place).unwrap_or(i32::MAX);
            let token = i32::try_from(entry.token.0)
                .ok()
                .filter(|_| (entry.token.0 as usize) < self.vocabulary)
                .ok_or_else(|| Fault::Other(format!("token {} is not in the vocabulary", entry.token.0)))?;
            let position = i32::try_from(entry.position)
                .map_err(|_| Fault::Other(format!("position {} is out of range", entry.position)))?;
            self.tokens.ids.push(token);
            self.tokens.positions.push(position);
            self.tokens.sequences.push(id(entry.seq));
            self.tokens.logits.push(i8::from(entry.logits));
            self.tokens.counts.push(1);
        }
        let mut tokens = std::mem::take(&mut self.tokens);
        let code = self.decode_tokens(&mut tokens);
        self.tokens = tokens;
        match code? {
            0 => {}
            NO_CELLS => return Err(Fault::NoCells),
            ABORTED => return Err(Fault::Stopped),
            REFUSED => return Err(Fault::Other(said("llama.cpp refused the batch"))),
            code => return Err(Fault::Other(said(&format!("llama.cpp failed with code {code}")))),
        }
        self.copies.clear();
        Ok(())
    }

    fn logits(&self, row: Row) -> &[f32] {
        // SAFETY: the context is whole. The row is one of the last batch that asked for logits, of which there are as many as
        // tokens in the vocabulary; they stay until it is decoded with again, for which the borrow has to end.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.context.raw.as_ptr(), self.places[row.index()]);
            assert!(!logits.is_null(), "the row has no logits");
            std::slice::from_raw_parts(logits, self.vocabulary)
        }
    }

    fn fork(&mut self, from: Seq, to: Seq) {
        if self.limits.layout == Layout::Split {
            self.copies.extend([from, to]);
        }
        // A whole copy has no range that could be out of bounds, nor is it a part of a stream, which llama.cpp asserts.
        // SAFETY: the context, and with it the memory, is whole.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_cp(context.memory, id(from), id(to), -1, -1) });
    }

    fn clear(&mut self, seq: Seq) {
        // SAFETY: the context, and with it the memory, is whole.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_rm(context.memory, id(seq), -1, -1) });
    }

    /// The small cache of the sliding layers still holds cells that left the window, and a fork would pin them all:
    /// writing the state skips them, so reading it back leaves the window alone. `PARTIAL_ONLY` is that cache, without the
    /// full layers', whose shared cells would become copies.
    ///
    /// In a stream of its own a sequence stands in nobody's way.
    fn compact(&mut self, seq: Seq) -> Result<(), Fault> {
        if self.limits.layout == Layout::Split {
            return Ok(());
        }
        let state = self.state(seq, SLIDING)?;
        self.set_state(&state, seq, SLIDING)
    }

    fn save(&mut self, seq: Seq) -> Result<Vec<u8>, Fault> {
        self.settled(seq)?;
        self.state(seq, 0)
    }

    fn restore(&mut self, saved: &[u8], seq: Seq) -> Result<(), Fault> {
        self.settled(seq)?;
        self.set_state(saved, seq, 0)
    }

    fn span(&self, seq: Seq) -> Option<(usize, usize)> {
        // SAFETY: the context, and with it the memory, is whole, and both functions only read it.
        let (first, last) = unsafe {
            let memory = self.context.memory;
            (sys::llama_memory_seq_pos_min(memory, id(seq)), sys::llama_memory_seq_pos_max(memory, id(seq)))
        };
        Some((usize::try_from(first).ok()?, usize::try_from(last).ok()?))
    }
}

impl Llama<'_> {
    /// A copy that is still to come would find, or overwrite, what is now read or written.
    fn settled(&self, seq: Seq) -> Result<(), Fault> {
        let pending = self.copies.contains(&seq);
        if pending { Err(Fault::Other("the sequence is still being copied".to_owned())) } else { Ok(()) }
    }

    /// Decodes the tokens. Returns the code of `llama_decode`.
    fn decode_tokens(&mut self, tokens: &mut Tokens) -> Result<i32, Fault> {
        let mut sequences: Vec<*mut sys::llama_seq_id> = tokens.sequences.iter_mut().map(std::ptr::from_mut).collect();
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(tokens.ids.len()).unwrap_or(i32::MAX),
            token: tokens.ids.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: tokens.positions.as_mut_ptr(),
            n_seq_id: tokens.counts.as_mut_ptr(),
            seq_id: sequences.as_mut_ptr(),
            logits: tokens.logits.as_mut_ptr(),
        };
        // SAFETY: the context is whole. All arrays have as many elements as there are tokens, and outlive the call.
        self.call(|context| unsafe { caught::llama_decode(context.raw.as_ptr(), batch) })
    }
}

fn id(seq: Seq) -> i32 {
    i32::try_from(seq.index()).unwrap_or(i32::MAX)
}

fn context_params(
    config: &EngineConfig,
    limits: Limits,
    threads: usize,
    stop: &AtomicBool,
) -> sys::llama_context_params {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let cells = match limits.layout {
        Layout::Unified => limits.cells,
        Layout::Split => limits.cells.saturating_mul(limits.sequences),
    };
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    let kv = match config.cache {
        CacheType::F16 => sys::GGML_TYPE_F16,
        CacheType::Q8_0 => sys::GGML_TYPE_Q8_0,
        CacheType::F32 => sys::GGML_TYPE_F32,
    };
    let flash_attention = match config.flash_attention {
        FlashAttention::Auto => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
        FlashAttention::Off => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
        FlashAttention::On => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
    };
    // SAFETY: takes nothing and returns a plain struct.
    let mut params = unsafe { sys::llama_context_default_params() };
    // llama.cpp asserts that a batch, which it cuts to the context, can hold a row of logits for each sequence.
    params.n_ctx = number(cells.max(limits.sequences));
    params.n_batch = number(limits.batch.max(limits.sequences));
    params.n_ubatch = number(limits.batch.min(config.micro_batch));
    params.n_seq_max = number(limits.sequences);
    params.n_outputs_max = number(limits.outputs);
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.type_k = kv;
    params.type_v = kv;
    params.flash_attn_type = flash_attention;
    params.kv_unified = limits.layout == Layout::Unified;
    params.swa_full = false;
    // The flag outlives the context, which lives in `with_backend` or `with_backends`, and is only ever read there.
    params.abort_callback = Some(stopped);
    params.abort_callback_data = std::ptr::from_ref(stop).cast_mut().cast::<c_void>();
    params
}

/// Reports whether the batch that is being decoded must be given up.
extern "C" fn stopped(flag: *mut c_void) -> bool {
    // SAFETY: `context_params` passes a pointer to an AtomicBool that outlives the context.
    unsafe { &*flag.cast::<AtomicBool>() }.load(Ordering::Relaxed)
}

/// Loads the weights. The binding offers no way to leave weights as they are in the file (`use_extra_bufts`): on a CPU
/// they would be repacked, which costs a copy of them in memory and a minute for the 20b.
fn load(file: &ModelFile, config: &EngineConfig, progress: &mut dyn FnMut(f32) -> bool) -> Result<Model, EngineError> {
    let path = file.path.to_str().ok_or_else(|| EngineError::Load("its path is not valid UTF-8".to_owned()))?;
    let path = CString::new(path).map_err(|_| EngineError::Load("its path holds a NUL byte".to_owned()))?;
    let mut progress = progress;
    // SAFETY: takes nothing and returns a plain struct.
    let mut params = unsafe { sys::llama_model_default_params() };
    params.use_extra_bufts = config.repack;
    if let Some(layers) = config.gpu_layers {
        params.n_gpu_layers = i32::try_from(layers).unwrap_or(i32::MAX);
    }
    // Both lists end with a null, and are read while loading only.
    let mut devices = chosen(&config.devices)?;
    if !config.devices.is_empty() {
        devices.push(std::ptr::null_mut());
        params.devices = devices.as_mut_ptr();
    }
    let experts: Vec<CString> = (0..config.cpu_experts).map(experts_of).collect();
    // SAFETY: it takes nothing, and what it returns lives for ever.
    let cpu = unsafe { sys::ggml_backend_cpu_buffer_type() };
    let mut places: Vec<_> = experts
        .iter()
        .map(|pattern| sys::llama_model_tensor_buft_override { pattern: pattern.as_ptr(), buft: cpu })
        .collect();
    if !places.is_empty() {
        places.push(sys::llama_model_tensor_buft_override { pattern: std::ptr::null(), buft: std::ptr::null_mut() });
        params.tensor_buft_overrides = places.as_ptr();
    }
    params.progress_callback = Some(tell);
    params.progress_callback_user_data = (&raw mut progress).cast::<c_void>();
    forget_log();
    // SAFETY: `path`, `progress`, `devices`, `experts` and `places` outlive the call, all other pointers are the defaults.
    let model = caught(|| unsafe { caught::llama_model_load_from_file(path.as_ptr(), params) });
    let model = NonNull::new(model.map_err(EngineError::Load)?);
    model.map(Model).ok_or_else(|| EngineError::Load(said("llama.cpp gave no reason")))
}

/// The names of a layer's expert tensors, as a regular expression.
fn experts_of(layer: u32) -> CString {
    CString::new(format!("^blk\\.{layer}\\.ffn_(gate|up|down)_exps")).expect("no NUL byte in it")
}

/// What computes, as llama.cpp was built and has found it.
///
/// # Errors
///
/// When llama.cpp cannot be started.
pub fn devices() -> Result<Vec<Device>, EngineError> {
    initialized()?;
    let device = |device: LlamaBackendDevice| Device {
        name: device.name,
        description: device.description,
        backend: device.backend,
        kind: match device.device_type {
            LlamaBackendDeviceType::Gpu => Kind::Gpu,
            LlamaBackendDeviceType::IntegratedGpu => Kind::Integrated,
            LlamaBackendDeviceType::Accelerator => Kind::Accelerator,
            LlamaBackendDeviceType::Cpu | LlamaBackendDeviceType::Unknown => Kind::Cpu,
        },
        total: device.memory_total as u64,
        free: device.memory_free as u64,
    };
    Ok(llama_cpp_2::list_llama_ggml_backend_devices().into_iter().map(device).collect())
}

/// The instruction sets that llama.cpp computes with on this CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// Those that it was compiled for, by llama.cpp's names.
    pub used: Vec<String>,
    /// Those that this CPU has and that would help, though it was not compiled for them.
    pub idle: Vec<&'static str>,
}

/// What llama.cpp was compiled for, against what this CPU has.
///
/// # Errors
///
/// When this CPU lacks an instruction set that the build needs, or llama.cpp cannot be started.
pub fn instructions() -> Result<Instructions, EngineError> {
    check_cpu()?;
    initialized()?;
    // SAFETY: it takes nothing, and returns a NUL-terminated string that lives until it is called again: here alone, and it
    // is copied at once.
    let told = unsafe { CStr::from_ptr(sys::llama_print_system_info()) }.to_string_lossy().into_owned();
    // Backend after backend, each as `NAME : FEATURE = 1 | FEATURE = 1 | `.
    let (_, of_cpu) = told.split_once("CPU : ").unwrap_or_default();
    let used: Vec<String> = of_cpu
        .split(" | ")
        .map_while(|feature| feature.split_once(" = ").filter(|(name, _)| !name.contains(':')))
        .filter(|(_, value)| *value == "1")
        .map(|(name, _)| name.to_owned())
        .collect();
    #[cfg(target_arch = "x86_64")]
    let there = [
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("AVX_VNNI", std::arch::is_x86_feature_detected!("avxvnni")),
        ("AVX512", std::arch::is_x86_feature_detected!("avx512f")),
        ("AVX512_VBMI", std::arch::is_x86_feature_detected!("avx512vbmi")),
        ("AVX512_VNNI", std::arch::is_x86_feature_detected!("avx512vnni")),
        ("AVX512_BF16", std::arch::is_x86_feature_detected!("avx512bf16")),
    ];
    #[cfg(target_arch = "aarch64")]
    let there = [
        ("DOTPROD", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("MATMUL_INT8", std::arch::is_aarch64_feature_detected!("i8mm")),
        ("SVE", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let there: [(&str, bool); 0] = [];
    let unused = |name: &str| !used.iter().any(|used| used == name);
    let idle = there.into_iter().filter_map(|(name, there)| (there && unused(name)).then_some(name)).collect();
    Ok(Instructions { used, idle })
}

/// Devices by their names; the CPU is one that takes no layers.
fn chosen(names: &[String]) -> Result<Vec<sys::ggml_backend_dev_t>, EngineError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let known = devices()?;
    let mut chosen = Vec::new();
    for name in names {
        let place = known.iter().position(|device| device.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            EngineError::Device { name: name.clone(), known: known.iter().map(|device| device.name.clone()).collect() }
        })?;
        if known[place].kind != Kind::Cpu {
            // SAFETY: the devices are counted from 0 in the order in which they were just listed, and live for ever.
            chosen.push(unsafe { sys::ggml_backend_dev_get(place) });
        }
    }
    Ok(chosen)
}

/// Passes llama.cpp's progress on.
extern "C" fn tell(progress: f32, user_data: *mut c_void) -> bool {
    // SAFETY: `load` passes a pointer to its `&mut dyn FnMut`, which lives until loading is over, and llama.cpp calls
    // from the loading thread only. A panic may not cross into C++: it stops the loading.
    let callback = unsafe { &mut *user_data.cast::<&mut dyn FnMut(f32) -> bool>() };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(progress))).unwrap_or(false)
}

/// llama.cpp's own state, once for each process.
fn initialized() -> Result<&'static LlamaBackend, EngineError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            // SAFETY: the callbacks are plain functions that live for ever and take no user data.
            unsafe {
                sys::llama_log_set(Some(keep), std::ptr::null_mut());
                sys::ggml_set_abort_callback(Some(last_words));
            }
            #[cfg(feature = "dynamic-backends")]
            load_backends()?;
            LlamaBackend::init().map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(|error| EngineError::Start(error.clone()))
}

/// Loads the best backend of each kind for this machine. llama.cpp left to itself would look in the current folder, too, and
/// run what somebody put there.
#[cfg(feature = "dynamic-backends")]
fn load_backends() -> Result<(), String> {
    let folder = backends_folder();
    let path = folder.to_str().and_then(|path| CString::new(path).ok());
    let path = path.ok_or_else(|| format!("{}: its path cannot be given to llama.cpp", folder.display()))?;
    // SAFETY: `path` is NUL-terminated and outlives the call; counting takes nothing.
    let count = unsafe {
        sys::ggml_backend_load_all_from_path(path.as_ptr());
        sys::ggml_backend_reg_count()
    };
    if count == 0 {
        return Err(format!(
            "{}: there is no backend for this CPU\nhint: put the folder `backends` beside the program, or name it in {}",
            folder.display(),
            BACKENDS
        ));
    }
    Ok(())
}

/// The environment variable that names the folder of llama.cpp's backends, where they are libraries.
#[cfg(feature = "dynamic-backends")]
const BACKENDS: &str = "MAGISTRATE_BACKENDS";

/// Where llama.cpp's backends lie: as [`BACKENDS`] says, else beside the program, else where they were built.
#[cfg(feature = "dynamic-backends")]
fn backends_folder() -> std::path::PathBuf {
    if let Some(named) = std::env::var_os(BACKENDS).filter(|path| !path.is_empty()) {
        return named.into();
    }
    let program = std::env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    let beside = program.with_file_name("backends");
    if beside.is_dir() { beside } else { env!("MAGISTRATE_BUILT_BACKENDS").into() }
}

thread_local! {
    /// What llama.cpp last complained of on this thread: it says in its log alone why something failed.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
}

extern "C" fn keep(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() || level != sys::GGML_LOG_LEVEL_ERROR {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    COMPLAINT.with_borrow_mut(|complaint| {
        // The first complaint is the cause, what follows only passes it on.
        if complaint.is_empty() {
            text.trim().clone_into(complaint);
        }
    });
}

/// Says why llama.cpp is about to end the process. Left to itself it would also run a debugger, which writes to stdout.
extern "C" fn last_words(message: *const c_char) {
    // SAFETY: ggml passes a NUL-terminated string that lives for this call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let _ = writeln!(std::io::stderr(), "error: llama.cpp ends the process: {message}");
}

fn forget_log() {
    COMPLAINT.with_borrow_mut(String::clear);
}

/// What llama.cpp complained of since it was last asked, else `otherwise`.
fn said(otherwise: &str) -> String {
    let complaint = COMPLAINT.take();
    if complaint.is_empty() { otherwise.to_owned() } else { complaint }
}

/// What llama.cpp would take without a word, and abort over, or take all memory for.
fn check_settings(file: &ModelFile, config: &EngineConfig) -> Result<(), EngineError> {
    let most = usize::try_from(file.shape.context_length).unwrap_or(usize::MAX);
    for (name, value, range) in [
        ("context", config.context, 1..=most),
        ("batch", config.batch, 1..=1 << 16),
        ("micro-batch", config.micro_batch, 1..=1 << 16),
        ("parallel", config.parallel, 1..=240),
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

/// The C++ of a portable x86-64 build needs more than Rust's baseline: without this an older CPU meets an illegal
/// instruction. Where backends are libraries, one that this CPU can run is chosen.
fn check_cpu() -> Result<(), EngineError> {
    #[cfg(all(target_arch = "x86_64", not(feature = "dynamic-backends")))]
    {
        let missing: Vec<&str> = [
            ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
            ("FMA", std::arch::is_x86_feature_detected!("fma")),
            ("F16C", std::arch::is_x86_feature_detected!("f16c")),
            ("BMI2", std::arch::is_x86_feature_detected!("bmi2")),
        ]
        .into_iter()
        .filter_map(|(name, there)| (!there).then_some(name))
        .collect();
        if !missing.is_empty() {
            return Err(EngineError::Cpu(missing.join(", ")));
        }
    }
    Ok(())
}
