//! One sequence with a queue of tokens that are not decoded yet.
//!
//! Tokens wait until a batch has room for them. The sequence remembers which rows of the batch are its own. The purpose
//! of the tokens is not known here.

use super::backend::{Batch, LogitsRow, SeqId};
use crate::tokenizer::Token;

/// A sequence with a queue.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) seq: SeqId,
    /// The position of its next token.
    pub(super) position: usize,
    queue: Vec<Token>,
    /// The number of tokens of the queue that are in a batch or decoded.
    fed: usize,
    /// The index in the queue from which on logits are wanted.
    wanted: usize,
    /// Rows of the last batch, each with its index among the wanted ones.
    rows: Vec<(usize, LogitsRow)>,
}

impl Sequence {
    /// Makes a sequence with an empty queue whose next token has this position.
    pub(super) fn new(seq: SeqId, position: usize) -> Self {
        Self { seq, position, queue: Vec::new(), fed: 0, wanted: 0, rows: Vec::new() }
    }

    /// Appends tokens to the queue. Logits are wanted from index `wanted` of these tokens on.
    pub(super) fn feed(&mut self, tokens: &[Token], wanted: usize) {
        self.queue.drain(..self.fed);
        self.fed = 0;
        self.wanted = self.queue.len() + wanted;
        self.queue.extend_from_slice(tokens);
    }

    /// Moves tokens from the queue into a batch, as far as there is room.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        while let Some(&token) = self.queue.get(self.fed) {
            let wanted = self.fed >= self.wanted;
            let Some(row) = batch.push(token, self.position, self.seq, wanted) else { return };
            if wanted {
                self.rows.push((self.fed - self.wanted, row));
            }
            self.fed += 1;
            self.position += 1;
        }
    }

    /// Takes the rows of the last batch in order, each with its index among the wanted ones.
    pub(super) fn take_rows(&mut self) -> Vec<(usize, LogitsRow)> {
        std::mem::take(&mut self.rows)
    }

    /// Returns the number of tokens in the queue.
    pub(super) fn left(&self) -> usize {
        self.queue.len() - self.fed
    }

    /// Reports whether the queue is empty.
    pub(super) fn over(&self) -> bool {
        self.left() == 0
    }
}
