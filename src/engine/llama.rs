//! The fence around llama.cpp: nothing outside knows it.
//!
//! The one idea: what llama.cpp would assert, and end the process over, cannot be asked for from here on (see
//! [`super::backend`]), and what the safe binding lacks is done here and nowhere else. Model, context and batch live on
//! the stack of [`with_backend`], so nothing borrows from itself. What is decoded, and why, is not known here.
#![allow(unsafe_code)]

mod caught;
mod host;
mod load;
mod log;
mod start;

pub use host::{Instructions, devices, instructions};

use std::ffi::c_void;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_sys_2 as sys;

use self::caught::caught;
use self::load::{Model, loaded};
use self::log::{forget_log, said};
use self::start::initialized;
use super::backend::{Backend, Batch, Fault, Layout, Limits, LogitsRow, SeqId};
use super::config::{CacheType, EngineConfig, FlashAttention, OUTPUTS};
use super::error::EngineError;
use crate::gguf::ModelFile;

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
    copies: Vec<SeqId>,
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
            outputs: config.sequences.max(OUTPUTS),
            sequences: config.sequences,
        };
        initialized()?;
        forget_log();
        let params = context_params(config, limits, threads, stop);
        // SAFETY: the model is whole and outlives the context, which borrows it; so does what the parameters point to.
        let context = caught(|| unsafe { caught::llama_init_from_model(model.raw(), params) });
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
    fn state(&mut self, seq: SeqId, flags: u32) -> Result<Vec<u8>, Fault> {
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
    fn set_state(&mut self, bytes: &[u8], seq: SeqId, flags: u32) -> Result<(), Fault> {
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

    fn logits(&self, row: LogitsRow) -> &[f32] {
        // SAFETY: the context is whole. The row is one of the last batch that asked for logits, of which there are as many as
        // tokens in the vocabulary; they stay until it is decoded with again, for which the borrow has to end.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.context.raw.as_ptr(), self.places[row.index()]);
            assert!(!logits.is_null(), "the row has no logits");
            std::slice::from_raw_parts(logits, self.vocabulary)
        }
    }

    fn fork(&mut self, from: SeqId, to: SeqId) {
        if self.limits.layout == Layout::Split {
            self.copies.extend([from, to]);
        }
        // A whole copy has no range that could be out of bounds, nor is it a part of a stream, which llama.cpp asserts.
        // SAFETY: the context, and with it the memory, is whole.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_cp(context.memory, id(from), id(to), -1, -1) });
    }

    fn clear(&mut self, seq: SeqId) {
        // SAFETY: the context, and with it the memory, is whole.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_rm(context.memory, id(seq), -1, -1) });
    }

    /// The small cache of the sliding layers still holds cells that left the window, and a fork would pin them all:
    /// writing the state skips them, so reading it back leaves the window alone. `PARTIAL_ONLY` is that cache, without the
    /// full layers', whose shared cells would become copies.
    ///
    /// In a stream of its own a sequence stands in nobody's way.
    fn compact(&mut self, seq: SeqId) -> Result<(), Fault> {
        if self.limits.layout == Layout::Split {
            return Ok(());
        }
        let state = self.state(seq, SLIDING)?;
        self.set_state(&state, seq, SLIDING)
    }

    fn save(&mut self, seq: SeqId) -> Result<Vec<u8>, Fault> {
        self.settled(seq)?;
        self.state(seq, 0)
    }

    fn restore(&mut self, saved: &[u8], seq: SeqId) -> Result<(), Fault> {
        self.settled(seq)?;
        self.set_state(saved, seq, 0)
    }

    fn span(&self, seq: SeqId) -> Option<(usize, usize)> {
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
    fn settled(&self, seq: SeqId) -> Result<(), Fault> {
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

fn id(seq: SeqId) -> i32 {
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
