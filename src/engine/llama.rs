//! The fence around llama.cpp: no file outside of this room calls it.
//!
//! llama.cpp ends the process if an assertion fails. [`super::backend`] makes such calls impossible, and this room
//! checks the rest. Calls that the safe binding lacks are made here and nowhere else. The model lives on the stack of
//! [`with_backend`] or [`with_backends`], and contexts borrow it there, so no value borrows from itself.
#![allow(unsafe_code)]

mod caught;
mod context;
mod host;
mod load;
mod log;
mod operations;
mod self_test;
mod start;

pub use host::{Instructions, devices, instructions};

use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;

use llama_cpp_sys_2 as sys;

use self::caught::caught;
use self::context::Context;
use self::load::{Model, loaded};
use self::log::{complaint, forget_log};
use super::backend::{Backend, Batch, Fault, Layout, Limits, LogitsRow, SeqId, WINDOW};
use super::config::{EngineConfig, OUTPUTS};
use super::error::EngineError;
use crate::gguf::ModelFile;

/// Loads the model and runs `work` with a backend on this thread.
///
/// `progress` gets the loaded part of the model, from 0 to 1, and stops the loading if it returns false. Once `stop` is
/// set, a batch that is being decoded is given up.
///
/// # Errors
///
/// [`EngineError::Cpu`] if this CPU lacks an instruction set, [`EngineError::Setting`] for a setting out of range,
/// [`EngineError::Load`] if llama.cpp cannot load the model or make a context.
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

/// Loads the model once, and runs `work` for each worker on a thread and a backend of its own. The backends share the
/// computing threads equally. Returns the workers' results in order.
///
/// # Errors
///
/// The errors of [`with_backend`].
///
/// # Panics
///
/// If a worker panics, after all others have ended.
pub fn with_backends<T: Send>(
    file: &ModelFile,
    config: &EngineConfig,
    progress: impl FnMut(f32) -> bool,
    stop: &AtomicBool,
    work: impl Fn(usize, &mut dyn Backend) -> T + Sync,
) -> Result<Vec<T>, EngineError> {
    let model = loaded(file, config, progress)?;
    let threads = (config.threads / config.workers).max(1);
    // Contexts are made one by one: llama.cpp cannot make several at the same time.
    let backends = (0..config.workers).map(|_| Llama::new(&model, file, config, threads, stop));
    let backends = backends.collect::<Result<Vec<_>, _>>()?;
    let work = &work;
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for (number, mut backend) in backends.into_iter().enumerate() {
            // No worker begins before all threads exist. If the system refuses one, the others end without having
            // begun.
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

/// The tokens of a batch, in the arrays that llama.cpp reads.
#[derive(Default)]
struct Tokens {
    ids: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    sequences: Vec<sys::llama_seq_id>,
    logits: Vec<i8>,
    /// The number of sequences of each token, which is 1.
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

/// The code of `llama_decode` for a cache without room.
const NO_CELLS: i32 = 1;
/// The code for a batch that the abort callback ended.
const ABORTED: i32 = 2;
/// The code for a batch that is invalid.
const REFUSED: i32 = -1;

struct Llama<'model> {
    context: Context<'model>,
    tokens: Tokens,
    /// The rows of the last batch in llama.cpp's order.
    order: Vec<usize>,
    /// The place of each row in that order.
    places: Vec<i32>,
    /// The sources and targets of pending copies: llama.cpp copies when it decodes the next batch.
    copies: Vec<SeqId>,
    limits: Limits,
    vocabulary: usize,
    /// The exception that llama.cpp threw. The state of its memory is unknown since then, so no call follows.
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
            // llama.cpp asserts that there is at least one row for each sequence.
            outputs: config.sequences.max(OUTPUTS),
            sequences: config.sequences,
        };
        Ok(Self {
            context: Context::new(model, config, limits, threads, stop)?,
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
        // SAFETY: the context is valid. The buffer has the size that llama.cpp has just asked for, and nothing is
        // decoded in between.
        let (bytes, written) = self.call(|context| unsafe {
            let raw = context.raw.as_ptr();
            let mut bytes = vec![0; caught::llama_state_seq_get_size_ext(raw, id(seq), flags)];
            let written = caught::llama_state_seq_get_data_ext(raw, bytes.as_mut_ptr(), bytes.len(), id(seq), flags);
            (bytes, written)
        })?;
        let whole = written > 0 && written == bytes.len();
        if whole { Ok(bytes) } else { Err(Fault::Other(complaint("llama.cpp did not save a sequence"))) }
    }

    /// Restores the state of a sequence from bytes.
    fn set_state(&mut self, bytes: &[u8], seq: SeqId, flags: u32) -> Result<(), Fault> {
        // SAFETY: the context is valid. llama.cpp reads the bytes within their length, but trusts their content. They
        // come from `state`, and the store has checked their digest.
        let read = self.call(|context| unsafe {
            caught::llama_state_seq_set_data_ext(context.raw.as_ptr(), bytes.as_ptr(), bytes.len(), id(seq), flags)
        })?;
        if read == bytes.len() { Ok(()) } else { Err(Fault::Other(complaint("llama.cpp did not restore a sequence"))) }
    }
}

/// `LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY`, a macro: the sliding layers only.
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
        // llama.cpp computes streams together only if the tokens of each are side by side.
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
            REFUSED => return Err(Fault::Other(complaint("llama.cpp refused the batch"))),
            code => return Err(Fault::Other(complaint(&format!("llama.cpp failed with code {code}")))),
        }
        self.copies.clear();
        Ok(())
    }

    fn logits(&self, row: LogitsRow) -> &[f32] {
        // SAFETY: the context is valid. The row belongs to the last batch and asked for logits. It has an entry for
        // each token of the vocabulary, and stays valid until the next decoding, for which this borrow must end.
        unsafe {
            // Not through `caught`: this function catches its own exceptions, and then returns null.
            let logits = sys::llama_get_logits_ith(self.context.raw.as_ptr(), self.places[row.index()]);
            assert!(!logits.is_null(), "the row has no logits");
            std::slice::from_raw_parts(logits, self.vocabulary)
        }
    }

    fn fork(&mut self, from: SeqId, to: SeqId) {
        if self.limits.layout == Layout::Split {
            self.copies.extend([from, to]);
        }
        // A copy of the whole sequence avoids two assertions of llama.cpp, about ranges and about parts of a stream.
        // SAFETY: the context and its memory are valid.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_cp(context.memory, id(from), id(to), -1, -1) });
    }

    fn clear(&mut self, seq: SeqId) {
        // SAFETY: the context and its memory are valid.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_rm(context.memory, id(seq), -1, -1) });
    }

    /// Saves the sliding layers' cache and restores it.
    ///
    /// That cache is small, and still has cells that left the window. A fork would pin them all. Saving skips them, so
    /// after the restoration only the window is left. The full layers' cache is not touched: its shared cells would
    /// become copies.
    ///
    /// In the split layout a sequence has a stream of its own, and its old cells are in no other sequence's way.
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

    fn window(&mut self, seq: SeqId, length: usize, scratch: SeqId) -> Result<Option<Vec<u8>>, Fault> {
        if self.limits.layout == Layout::Split {
            // A fork would copy a whole stream.
            return Ok(None);
        }
        self.fork(seq, scratch);
        self.cut(scratch, length);
        // Cells beyond the window may have been reused. Without all of them the logits would be wrong.
        let window = if self.is_whole(scratch, length) { self.state(scratch, SLIDING).map(Some) } else { Ok(None) };
        self.clear(scratch);
        window
    }

    fn restore_part(&mut self, saved: &[u8], length: usize, window: &[u8], seq: SeqId) -> Result<(), Fault> {
        self.restore(saved, seq)?;
        self.cut(seq, length);
        self.set_state(window, seq, SLIDING)?;
        if self.is_whole(seq, length) {
            Ok(())
        } else {
            Err(Fault::Other("a part of a sequence was not restored".to_owned()))
        }
    }

    fn span(&self, seq: SeqId) -> Option<(usize, usize)> {
        // SAFETY: the context and its memory are valid, and both functions only read them.
        let (first, last) = unsafe {
            let memory = self.context.memory;
            (sys::llama_memory_seq_pos_min(memory, id(seq)), sys::llama_memory_seq_pos_max(memory, id(seq)))
        };
        Some((usize::try_from(first).ok()?, usize::try_from(last).ok()?))
    }
}

impl Llama<'_> {
    /// Removes the end of a sequence. Its sliding layers lack cells afterwards: the caller checks or replaces them.
    fn cut(&mut self, seq: SeqId, length: usize) {
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        // SAFETY: the context and its memory are valid.
        let _ = self.call(|context| unsafe { caught::llama_memory_seq_rm(context.memory, id(seq), length, -1) });
    }

    /// Reports whether a sequence is this long and its sliding layers have all that the next token attends to.
    fn is_whole(&self, seq: SeqId, length: usize) -> bool {
        self.span(seq).is_some_and(|(first, last)| last + 1 == length && first <= length.saturating_sub(WINDOW - 1))
    }

    /// Refuses a sequence with a pending copy, which would read or overwrite the state that is now written or read.
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
        // SAFETY: the context is valid. All arrays have as many elements as there are tokens, and outlive the call.
        self.call(|context| unsafe { caught::llama_decode(context.raw.as_ptr(), batch) })
    }
}

fn id(seq: SeqId) -> i32 {
    i32::try_from(seq.index()).unwrap_or(i32::MAX)
}
