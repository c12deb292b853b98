//! A context of llama.cpp, and the parameters with which it is made.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_sys_2 as sys;

use super::caught::{self, caught};
use super::load::Model;
use super::log::{complaint, forget_log};
use super::start::initialized;
use crate::engine::backend::{Layout, Limits};
use crate::engine::config::{CacheType, EngineConfig, FlashAttention};
use crate::engine::error::EngineError;

/// A context that llama.cpp has made.
pub(super) struct Context<'model> {
    pub(super) raw: NonNull<sys::llama_context>,
    pub(super) memory: sys::llama_memory_t,
    model: PhantomData<&'model Model>,
}

impl<'model> Context<'model> {
    /// Makes a context. Once `stop` is set, a batch that is being decoded is given up.
    pub(super) fn new(
        model: &'model Model,
        config: &EngineConfig,
        limits: Limits,
        threads: usize,
        stop: &AtomicBool,
    ) -> Result<Self, EngineError> {
        initialized()?;
        forget_log();
        let params = context_params(config, limits, threads, stop);
        // SAFETY: the model is valid. It and everything that the parameters point to outlive the context.
        let context = caught(|| unsafe { caught::llama_init_from_model(model.raw(), params) });
        let raw = NonNull::new(context.map_err(EngineError::Load)?)
            .ok_or_else(|| EngineError::Load(complaint("llama.cpp gave no reason")))?;
        // SAFETY: the context is valid, and its memory lives as long.
        let memory = unsafe { sys::llama_get_memory(raw.as_ptr()) };
        Ok(Self { raw, memory, model: PhantomData })
    }
}

// SAFETY: a context is bound to no thread, as long as one thread at a time uses it.
unsafe impl Send for Context<'_> {}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: the context is valid, and only this code frees it.
        unsafe { sys::llama_free(self.raw.as_ptr()) }
    }
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
    // SAFETY: the function takes nothing and returns a plain struct.
    let mut params = unsafe { sys::llama_context_default_params() };
    // llama.cpp asserts that a batch, cut to the context, can hold a row of logits for each sequence.
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
    // Cells for the whole context in the sliding layers would take memory that the plan does not count.
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
