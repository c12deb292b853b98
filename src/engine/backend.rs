//! What the engine asks of whatever computes logits, and the batch that goes there.
//!
//! The one idea: every precondition that llama.cpp would assert, and so end the process over, is a type or a check
//! here. A [`Seq`] is made by [`Limits`] only, a [`Batch`] is never larger than the backend takes, logits exist only for
//! a [`Row`] that was asked for. There is no partial removal: under a sliding window it succeeds and is wrong.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::tokenizer::Token;

/// Computes logits, and keeps what sequences have been fed.
pub trait Backend {
    /// What it can take.
    fn limits(&self) -> Limits;

    /// Computes a batch. Logits of the batch before it are gone.
    ///
    /// # Errors
    ///
    /// A [`Fault`]; the sequences that the batch touched are then to be cleared.
    fn decode(&mut self, batch: &Batch) -> Result<(), Fault>;

    /// The logits of a row of the last batch, one for each entry of the vocabulary.
    fn logits(&self, row: Row) -> &[f32];

    /// Makes `to`, which must be empty, a copy of the whole of `from`.
    fn fork(&mut self, from: Seq, to: Seq);

    /// Empties a sequence.
    fn clear(&mut self, seq: Seq);

    /// Frees what a sequence holds beyond what attention can still see, before it is forked many times.
    ///
    /// # Errors
    ///
    /// A [`Fault`]; the sequence is then to be cleared.
    fn compact(&mut self, seq: Seq) -> Result<(), Fault>;

    /// A copy of what a compacted sequence holds, outside of the cache, in the backend's own form.
    ///
    /// # Errors
    ///
    /// A [`Fault`]; the sequence is as it was.
    fn save(&mut self, seq: Seq) -> Result<Vec<u8>, Fault>;

    /// Puts a saved copy, byte for byte as it was, into a sequence, which must be empty.
    ///
    /// # Errors
    ///
    /// A [`Fault`]; the sequence is then to be cleared.
    fn restore(&mut self, saved: &[u8], seq: Seq) -> Result<(), Fault>;

    /// The first and the last position that a sequence holds, in the layers that hold the least.
    fn span(&self, seq: Seq) -> Option<(usize, usize)>;
}

/// A fault of the backend: what it was asked for did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The cache had no cells for the batch.
    #[error("the cache is full")]
    NoCells,
    /// The engine is being dropped: the batch was given up.
    #[error("the engine is stopping")]
    Stopped,
    /// The logits are not numbers.
    #[error("the model computes what is not a number: its file may be damaged")]
    NotFinite,
    /// Anything else, in the backend's words.
    #[error("{0}")]
    Other(String),
}

/// How much a backend takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How sequences lie in the cache.
    pub layout: Layout,
    /// Cells of the cache: tokens that all sequences together can hold, shared ones counted once; where each has cells of
    /// its own, tokens that each can hold.
    pub cells: usize,
    /// Tokens in one batch.
    pub batch: usize,
    /// Tokens of one batch that logits may be asked for: each row is as long as the vocabulary.
    pub outputs: usize,
    /// Sequences, at most 256.
    pub sequences: usize,
}

/// How sequences lie in the cache. On a CPU attention spans all cells of a stream, also those of other sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// In one stream: a fork is free, and what it shares is held once.
    #[default]
    Unified,
    /// Each in a stream of its own: a fork is a copy of all its cells, and attention spans no others.
    Split,
}

/// A sequence: its tokens attend to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(u16);

impl Limits {
    /// All sequences.
    pub fn seqs(self) -> impl DoubleEndedIterator<Item = Seq> {
        (0..u16::try_from(self.sequences).unwrap_or(u16::MAX)).map(Seq)
    }
}

impl Seq {
    /// Its number, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Sequences that nobody holds. The lowest is taken first, so that those in use stand side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free(BTreeSet<Seq>);

impl Free {
    /// Takes one.
    pub fn take(&mut self) -> Option<Seq> {
        self.0.pop_first()
    }

    /// Gives one back, emptied.
    pub fn give(&mut self, seq: Seq) {
        self.0.insert(seq);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Seq> for Free {
    fn from_iter<I: IntoIterator<Item = Seq>>(seqs: I) -> Self {
        Self(seqs.into_iter().collect())
    }
}

/// Tokens of any sequences that are computed together.
#[derive(Debug)]
pub struct Batch {
    entries: Vec<Entry>,
    /// How many more rows of logits it takes.
    outputs: usize,
    limits: Limits,
}

/// One token of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The token.
    pub token: Token,
    /// Its position in its sequence, from 0: one more than the last one there.
    pub position: usize,
    /// Its sequence.
    pub seq: Seq,
    /// Whether logits are wanted for what follows it.
    pub logits: bool,
}

/// A place in the last batch that logits were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row(usize);

impl Batch {
    /// An empty batch for a backend of these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { entries: Vec::with_capacity(limits.batch), outputs: limits.outputs, limits }
    }

    /// How many tokens it still takes.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limits.batch - self.entries.len()
    }

    /// Adds a token and returns the row of its logits, which are computed if `logits` is set. `None` if it is full, of
    /// tokens or of rows.
    #[must_use = "a full batch does not take the token"]
    pub fn push(&mut self, token: Token, position: usize, seq: Seq, logits: bool) -> Option<Row> {
        if self.room() == 0 || logits && self.outputs == 0 {
            return None;
        }
        self.outputs -= usize::from(logits);
        self.entries.push(Entry { token, position, seq, logits });
        Some(Row(self.entries.len() - 1))
    }

    /// Its tokens, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.outputs = self.limits.outputs;
    }
}

impl Row {
    /// Its place in the batch, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}
