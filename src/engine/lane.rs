//! A sequence of one item, and the tokens that it is to be fed.
//!
//! The one idea: tokens wait in a queue until a batch has room for them, and remember which rows of it are theirs. What
//! the tokens are for is not known here.

use super::backend::{Batch, Row, Seq};
use crate::tokenizer::Token;

/// A sequence with a queue.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) seq: Seq,
    /// Where its next token will stand.
    pub(super) position: usize,
    queue: Vec<Token>,
    fed: usize,
    /// From this token of the queue on logits are wanted.
    wanted: usize,
    /// Rows of the last batch, by their place among the wanted ones.
    rows: Vec<(usize, Row)>,
}

impl Lane {
    pub(super) fn new(seq: Seq, position: usize) -> Self {
        Self { seq, position, queue: Vec::new(), fed: 0, wanted: 0, rows: Vec::new() }
    }

    /// Queues tokens behind what is not fed yet. From the `wanted`th of them on, from 0, logits are wanted.
    pub(super) fn feed(&mut self, tokens: &[Token], wanted: usize) {
        self.queue.drain(..self.fed);
        self.fed = 0;
        self.wanted = self.queue.len() + wanted;
        self.queue.extend_from_slice(tokens);
    }

    /// Puts its tokens into a batch, as many as there is room for.
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

    /// The rows of the last batch, in order, each with its place among the wanted ones.
    pub(super) fn take_rows(&mut self) -> Vec<(usize, Row)> {
        std::mem::take(&mut self.rows)
    }

    /// How many of its tokens are not decoded yet.
    pub(super) fn left(&self) -> usize {
        self.queue.len() - self.fed
    }

    /// Whether all of its tokens are decoded.
    pub(super) fn over(&self) -> bool {
        self.left() == 0
    }
}
