//! The interface to a program that computes logits, and the batch that it computes.
//!
//! llama.cpp checks its preconditions with assertions that end the process. Each of them is a type or a check here. A
//! [`SeqId`] is made by [`Limits`] only. A [`Batch`] is never larger than the backend's limits. Logits exist only for a
//! [`LogitsRow`] that was asked for.
//!
//! A part of a sequence cannot be removed: under a sliding window llama.cpp reports success and computes wrong logits. A
//! saved copy can be restored in part, with the window that was saved for that place.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::tokenizer::Token;

/// The sliding window of gpt-oss, in tokens.
pub const WINDOW: usize = 128;

/// A program that computes logits, and keeps the keys and values of its sequences.
pub trait Backend {
    /// Returns the limits of the backend. They never change.
    fn limits(&self) -> Limits;

    /// Computes a batch. The logits of the batch before it become invalid.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. The sequences in the batch must then be cleared.
    fn decode(&mut self, batch: &Batch) -> Result<(), Fault>;

    /// Returns the logits of a row of the last batch, one for each entry of the vocabulary.
    fn logits(&self, row: LogitsRow) -> &[f32];

    /// Copies the whole of `from` to `to`, which must be empty.
    fn fork(&mut self, from: SeqId, to: SeqId);

    /// Empties a sequence.
    fn clear(&mut self, seq: SeqId);

    /// Frees the cells of a sequence that attention can no longer reach. A long sequence needs it before it is forked
    /// many times.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. The sequence must then be cleared.
    fn compact(&mut self, seq: SeqId) -> Result<(), Fault>;

    /// Returns a copy of a compacted sequence, in the backend's own format.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. The sequence is unchanged.
    fn save(&mut self, seq: SeqId) -> Result<Vec<u8>, Fault>;

    /// Reads a saved copy, unchanged, into a sequence, which must be empty.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. The sequence must then be cleared.
    fn restore(&mut self, saved: &[u8], seq: SeqId) -> Result<(), Fault>;

    /// Returns a copy of the window that a sequence had when it was this long, in the backend's own format. `None` if its
    /// cells are gone, or if the backend keeps no windows. `scratch` is an empty sequence, and is empty afterwards.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. The sequence is unchanged.
    fn window(&mut self, _seq: SeqId, _length: usize, _scratch: SeqId) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    /// Reads the beginning of a saved copy into a sequence, which must be empty. `window` is the one of that length.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. The sequence must then be cleared. A backend without windows always fails.
    fn restore_part(&mut self, _saved: &[u8], _length: usize, _window: &[u8], _seq: SeqId) -> Result<(), Fault> {
        Err(Fault::Other("this backend keeps no windows".to_owned()))
    }

    /// Returns the first and the last position of a sequence in the layers that hold the fewest. `None` if it is empty.
    fn span(&self, seq: SeqId) -> Option<(usize, usize)>;
}

/// A failure of the backend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The KV cache has too few free cells for the batch.
    #[error("the cache is full")]
    NoCells,
    /// The engine is being dropped, and the batch was given up.
    #[error("the engine is stopping")]
    Stopped,
    /// The logits are not finite numbers.
    #[error("the model computes what is not a number: its file may be damaged")]
    NotFinite,
    /// Another failure, in the backend's words.
    #[error("{0}")]
    Other(String),
}

/// The limits of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// KV-cache layout.
    pub layout: Layout,
    /// Cells of the KV cache, one for each token. In the unified layout all sequences share them, and a token that
    /// several sequences hold counts once. In the split layout each sequence has this many.
    pub cells: usize,
    /// Most tokens in one batch.
    pub batch: usize,
    /// Most rows of logits in one batch. A row has an entry for each token of the vocabulary.
    pub outputs: usize,
    /// Number of sequences, at most 256.
    pub sequences: usize,
}

/// KV-cache layout. On a CPU attention spans all cells of a stream, those of other sequences included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One stream for all sequences: a fork is free, and shared tokens are held once.
    #[default]
    Unified,
    /// One stream for each sequence: a fork copies all cells, and attention spans no others.
    Split,
}

/// The number of a sequence. The tokens of a sequence attend to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeqId(u16);

impl Limits {
    /// Returns all sequences.
    pub fn seqs(self) -> impl DoubleEndedIterator<Item = SeqId> {
        (0..u16::try_from(self.sequences).unwrap_or(u16::MAX)).map(SeqId)
    }
}

impl SeqId {
    /// Returns the number, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The sequences that are free. The lowest is taken first, so sequences in use lie side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreeSequences(BTreeSet<SeqId>);

impl FreeSequences {
    /// Takes a sequence.
    pub fn take(&mut self) -> Option<SeqId> {
        self.0.pop_first()
    }

    /// Gives an empty sequence back.
    pub fn give(&mut self, seq: SeqId) {
        self.0.insert(seq);
    }

    /// Returns the number of free sequences.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<SeqId> for FreeSequences {
    fn from_iter<I: IntoIterator<Item = SeqId>>(seqs: I) -> Self {
        Self(seqs.into_iter().collect())
    }
}

/// Tokens of any sequences that are computed together.
#[derive(Debug)]
pub struct Batch {
    entries: Vec<Entry>,
    /// The number of further rows of logits that it takes.
    outputs: usize,
    limits: Limits,
}

/// One token of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The token.
    pub token: Token,
    /// Its position in its sequence, from 0. One more than the position of the token before it.
    pub position: usize,
    /// Its sequence.
    pub seq: SeqId,
    /// True if the logits of the next token are computed.
    pub logits: bool,
}

/// A row of the last batch for which logits were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogitsRow(usize);

impl Batch {
    /// Makes an empty batch for a backend with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { entries: Vec::with_capacity(limits.batch), outputs: limits.outputs, limits }
    }

    /// Returns the number of further tokens that the batch takes.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limits.batch - self.entries.len()
    }

    /// Adds a token and returns its row. Logits are computed for it if `logits` is set. `None` if the batch is full.
    #[must_use = "a full batch does not take the token"]
    pub fn push(&mut self, token: Token, position: usize, seq: SeqId, logits: bool) -> Option<LogitsRow> {
        if self.room() == 0 || logits && self.outputs == 0 {
            return None;
        }
        self.outputs -= usize::from(logits);
        self.entries.push(Entry { token, position, seq, logits });
        Some(LogitsRow(self.entries.len() - 1))
    }

    /// Returns the tokens in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the row of each token, `None` for tokens without logits.
    pub fn rows(&self) -> impl Iterator<Item = Option<LogitsRow>> {
        self.entries.iter().enumerate().map(|(index, entry)| entry.logits.then_some(LogitsRow(index)))
    }

    /// Empties the batch.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.outputs = self.limits.outputs;
    }
}

impl LogitsRow {
    /// Returns the index of the row's token in the batch, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}
