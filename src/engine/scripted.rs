//! A backend without a model, for tests: its logits are a function of the tokens of a sequence.
//!
//! The backend is strict where llama.cpp asserts. A broken precondition panics here with a message in a test, rather
//! than ending a user's process.

use super::backend::{Backend, Batch, Fault, Layout, Limits, LogitsRow, SeqId, WINDOW};
use crate::tokenizer::Token;

/// The backend. `model` gets all tokens of a sequence and fills in the logits of the next token.
pub struct Scripted<F> {
    limits: Limits,
    vocabulary: usize,
    model: F,
    sequences: Vec<Vec<Token>>,
    /// For each sequence the number of tokens that it shares with its origin.
    shared: Vec<usize>,
    /// Cells of the sliding layers: a position, and a bit for each sequence that holds it.
    window: Vec<(usize, u64)>,
    rows: Vec<Option<Vec<f32>>>,
    /// The number of batches decoded so far.
    pub batches: usize,
    /// The most cells that were in use at the same time.
    pub peak: usize,
}

impl<F: FnMut(&[Token], &mut [f32])> Scripted<F> {
    /// Makes a backend with these limits and a vocabulary of `vocabulary` entries.
    pub fn new(limits: Limits, vocabulary: usize, model: F) -> Self {
        Self {
            limits,
            vocabulary,
            model,
            sequences: vec![Vec::new(); limits.sequences],
            shared: vec![0; limits.sequences],
            window: vec![(0, 0); (WINDOW * limits.sequences + limits.batch).next_multiple_of(256)],
            rows: Vec::new(),
            batches: 0,
            peak: 0,
        }
    }

    /// Returns the tokens of a sequence.
    #[must_use]
    pub fn tokens(&self, seq: SeqId) -> &[Token] {
        &self.sequences[seq.index()]
    }

    /// Takes a cell of the sliding layers for a token: an empty one, else one that has left the window of its only
    /// holder.
    ///
    /// llama.cpp has the same rule. It is the reason why a long sequence is compacted before it is forked.
    fn slide(&mut self, seq: SeqId, position: usize) -> Result<(), Fault> {
        if self.limits.layout == Layout::Split {
            return Ok(());
        }
        let left = |at: usize, holders: u64| {
            holders.is_power_of_two() && at + WINDOW <= self.sequences[holders.trailing_zeros() as usize].len()
        };
        let empty = self.window.iter().position(|&(_, holders)| holders == 0);
        let cell = empty.or_else(|| self.window.iter().position(|&(at, holders)| left(at, holders)));
        self.window[cell.ok_or(Fault::NoCells)?] = (position, 1 << seq.index());
        Ok(())
    }

    /// Returns the number of cells in use. A cell that several sequences share counts once, for the origin.
    #[must_use]
    pub fn used(&self) -> usize {
        self.sequences.iter().zip(&self.shared).map(|(tokens, shared)| tokens.len() - shared).sum()
    }
}

impl<F: FnMut(&[Token], &mut [f32])> Backend for Scripted<F> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn decode(&mut self, batch: &Batch) -> Result<(), Fault> {
        assert!(self.limits.sequences <= 64, "as many sequences as a u64 has bits");
        assert!(!batch.entries().is_empty(), "an empty batch");
        assert!(batch.entries().len() <= self.limits.batch, "a batch beyond its limit");
        let rows = batch.entries().iter().filter(|entry| entry.logits).count();
        assert!(rows <= self.limits.outputs, "more rows than its limit");
        self.batches += 1;
        self.rows.clear();
        for entry in batch.entries() {
            assert!((entry.token.0 as usize) < self.vocabulary, "a token beyond the vocabulary");
            let sequence = &mut self.sequences[entry.seq.index()];
            assert_eq!(entry.position, sequence.len(), "a gap or a repeat in a sequence's positions");
            sequence.push(entry.token);
            self.slide(entry.seq, entry.position)?;
            let sequence = &self.sequences[entry.seq.index()];
            self.rows.push(entry.logits.then(|| {
                let mut logits = vec![0.0; self.vocabulary];
                (self.model)(sequence, &mut logits);
                logits
            }));
        }
        self.peak = self.peak.max(self.used());
        let filled = match self.limits.layout {
            Layout::Unified => self.used(),
            Layout::Split => self.sequences.iter().map(Vec::len).max().unwrap_or(0),
        };
        if filled > self.limits.cells { Err(Fault::NoCells) } else { Ok(()) }
    }

    fn logits(&self, row: LogitsRow) -> &[f32] {
        self.rows[row.index()].as_deref().expect("logits of a row that asked for none")
    }

    fn fork(&mut self, from: SeqId, to: SeqId) {
        assert_ne!(from, to, "a fork onto itself");
        assert!(self.sequences[to.index()].is_empty(), "a fork onto a sequence in use");
        self.sequences[to.index()] = self.sequences[from.index()].clone();
        if self.limits.layout == Layout::Unified {
            self.shared[to.index()] = self.sequences[to.index()].len();
        }
        for (_, holders) in self.window.iter_mut().filter(|(_, holders)| holders & (1 << from.index()) != 0) {
            *holders |= 1 << to.index();
        }
    }

    fn clear(&mut self, seq: SeqId) {
        self.sequences[seq.index()].clear();
        self.shared[seq.index()] = 0;
        for (_, holders) in &mut self.window {
            *holders &= !(1 << seq.index());
        }
    }

    fn compact(&mut self, seq: SeqId) -> Result<(), Fault> {
        let length = self.sequences[seq.index()].len();
        assert!(length > 0, "compacting an empty sequence");
        for (_, holders) in self.window.iter_mut().filter(|(at, _)| at + WINDOW <= length) {
            *holders &= !(1 << seq.index());
        }
        Ok(())
    }

    fn save(&mut self, seq: SeqId) -> Result<Vec<u8>, Fault> {
        let tokens = &self.sequences[seq.index()];
        assert!(!tokens.is_empty(), "saving an empty sequence");
        Ok(tokens.iter().flat_map(|token| token.0.to_le_bytes()).collect())
    }

    fn restore(&mut self, saved: &[u8], seq: SeqId) -> Result<(), Fault> {
        assert!(self.sequences[seq.index()].is_empty(), "restoring onto a sequence in use");
        let (tokens, rest) = saved.as_chunks::<4>();
        assert!(rest.is_empty(), "a state of another backend");
        let tokens: Vec<Token> = tokens.iter().map(|bytes| Token(u32::from_le_bytes(*bytes))).collect();
        for position in tokens.len().saturating_sub(WINDOW)..tokens.len() {
            self.slide(seq, position)?;
        }
        self.sequences[seq.index()] = tokens;
        self.peak = self.peak.max(self.used());
        Ok(())
    }

    fn window(&mut self, seq: SeqId, length: usize, scratch: SeqId) -> Result<Option<Vec<u8>>, Fault> {
        assert!(self.sequences[scratch.index()].is_empty(), "a scratch sequence in use");
        let tokens = &self.sequences[seq.index()];
        assert!((1..=tokens.len()).contains(&length), "the window of a length that a sequence never had");
        let held =
            |at: usize| self.window.iter().any(|&(place, holders)| place == at && holders & (1 << seq.index()) != 0);
        let whole = self.limits.layout == Layout::Unified && (length.saturating_sub(WINDOW - 1)..length).all(held);
        Ok(whole.then(|| tokens[..length].iter().flat_map(|token| token.0.to_le_bytes()).collect()))
    }

    fn restore_part(&mut self, saved: &[u8], length: usize, window: &[u8], seq: SeqId) -> Result<(), Fault> {
        assert_eq!(saved.get(..4 * length), Some(window), "the window of another place or of other tokens");
        self.restore(window, seq)
    }

    fn span(&self, seq: SeqId) -> Option<(usize, usize)> {
        if self.limits.layout == Layout::Split {
            let last = self.sequences[seq.index()].len().checked_sub(1)?;
            return Some((last.saturating_sub(WINDOW - 1), last));
        }
        let positions = self.window.iter().filter(|(_, holders)| holders & (1 << seq.index()) != 0).map(|(at, _)| *at);
        Some((positions.clone().min()?, positions.max()?))
    }
}
