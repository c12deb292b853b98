//! Decoding: a prefix is pinned once, an item is forked from it and decoded to its end.
//!
//! The one idea: a pinned sequence is never decoded on, and every other one is cleared whole. Which tokens an item wants
//! is [`super::item`]'s affair; what computes them, the backend's.

use std::sync::Arc;

use super::backend::{Backend, Batch, Fault, Limits, Seq};
use super::item::{Completion, Item};
use super::script::Script;
use crate::tokenizer::Token;

/// The sequences of a backend, and who holds them.
pub struct Runner<'backend> {
    backend: &'backend mut dyn Backend,
    batch: Batch,
    free: Vec<Seq>,
    /// Cells that pinned prefixes fill.
    pinned: usize,
}

/// A policy's prefix, decoded.
#[derive(Debug)]
pub struct Pinned {
    seq: Seq,
    length: usize,
}

impl Pinned {
    /// The sequence that holds it, and nothing else until it is unpinned.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }
}

impl<'backend> Runner<'backend> {
    /// A runner with all of the backend's sequences, which must be empty.
    pub fn new(backend: &'backend mut dyn Backend) -> Self {
        let limits = backend.limits();
        Self { batch: Batch::new(limits), free: limits.seqs().rev().collect(), pinned: 0, backend }
    }

    /// What the backend takes.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.backend.limits()
    }

    /// How many tokens more the cache takes, beside the pinned prefixes.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limits().cells.saturating_sub(self.pinned)
    }

    /// Sequences that nobody holds.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Decodes a prefix into a sequence of its own. `progress` is told how many of its tokens are done.
    ///
    /// # Errors
    ///
    /// When no sequence or no cells are left, or the backend faults; nothing is held then.
    pub fn pin(&mut self, prefix: &[Token], mut progress: impl FnMut(usize)) -> Result<Pinned, Fault> {
        if prefix.len() > self.room() {
            return Err(Fault::NoCells);
        }
        let seq = self.free.pop().ok_or_else(|| Fault::Other("no sequence is free".to_owned()))?;
        let decoded = self.prefill(seq, prefix, &mut progress).and_then(|()| self.backend.compact(seq));
        if let Err(fault) = decoded {
            self.backend.clear(seq);
            self.free.push(seq);
            return Err(fault);
        }
        self.pinned += prefix.len();
        Ok(Pinned { seq, length: prefix.len() })
    }

    fn prefill(&mut self, seq: Seq, prefix: &[Token], progress: &mut dyn FnMut(usize)) -> Result<(), Fault> {
        let mut done = 0;
        while done < prefix.len() {
            self.batch.clear();
            for (position, &token) in prefix.iter().enumerate().skip(done).take(self.batch.room()) {
                let _ = self.batch.push(token, position, seq, false);
            }
            self.backend.decode(&self.batch)?;
            done += self.batch.entries().len();
            progress(done);
        }
        Ok(())
    }

    /// Gives a prefix's sequence and cells back.
    pub fn unpin(&mut self, pinned: &Pinned) {
        self.backend.clear(pinned.seq);
        self.free.push(pinned.seq);
        self.pinned -= pinned.length;
    }

    /// Decodes one item to its end.
    ///
    /// # Errors
    ///
    /// When no sequence is free or the backend faults. What the item held is given back either way.
    pub fn run(&mut self, pinned: &Pinned, script: &Arc<Script>, suffix: &[Token]) -> Result<Completion, Fault> {
        if self.free.len() < 2 {
            return Err(Fault::Other("an item needs two free sequences".to_owned()));
        }
        let Some(seq) = self.free.pop() else {
            return Err(Fault::NoCells);
        };
        self.backend.fork(pinned.seq, seq);
        let mut item = Item::new(Arc::clone(script), seq, pinned.length, suffix);
        let result = self.finish(&mut item);
        item.release(self.backend, &mut self.free);
        result.map(|()| item.completion())
    }

    fn finish(&mut self, item: &mut Item) -> Result<(), Fault> {
        while !item.done() {
            self.batch.clear();
            item.fill(&mut self.batch);
            self.backend.decode(&self.batch)?;
            item.advance(self.backend, &mut self.free)?;
        }
        Ok(())
    }
}
