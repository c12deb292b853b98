//! The rows nearest to a threshold.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;

use crate::label::entry::Entry;
use crate::label::row::Row;
use crate::text::cut;

/// The rows nearest to a threshold, at most [`Nearest::MOST`].
#[derive(Clone, Debug, Default)]
pub(super) struct Nearest(BinaryHeap<Ranked>);

/// A row near a threshold.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Near {
    input: String,
    row: u64,
    id: Option<String>,
    text: String,
    verdict: String,
    category: Option<String>,
    title: Option<String>,
    probability: f64,
    rationale: Option<String>,
}

/// A row with its distance and its number, by which it is ranked.
#[derive(Clone, Debug)]
struct Ranked {
    distance: f64,
    number: u64,
    near: Near,
}

impl Near {
    pub fn new(entry: &Entry, row: &Row, text: &str) -> Self {
        /// Characters of a text, at most.
        const LONGEST: usize = 600;
        Self {
            input: entry.input.to_string(),
            row: entry.row,
            id: entry.id.as_deref().map(crate::label::columns::text),
            text: cut(text, LONGEST),
            verdict: row.verdict.map_or_else(String::new, |verdict| verdict.to_string()),
            category: row.category.clone(),
            title: row.category_title.clone(),
            probability: row.probability.unwrap_or_default(),
            rationale: row.rationale.clone(),
        }
    }
}

impl Nearest {
    pub const MOST: usize = 30;

    /// Keeps a row if it is near enough. `near` is called only then.
    pub fn offer(&mut self, distance: f64, number: u64, near: impl FnOnce() -> Near) {
        let is_far = |last: &Ranked| (distance, number) > (last.distance, last.number);
        if self.0.len() == Self::MOST && self.0.peek().is_some_and(is_far) {
            return;
        }
        self.0.push(Ranked { distance, number, near: near() });
        if self.0.len() > Self::MOST {
            self.0.pop();
        }
    }

    /// Returns the rows, the nearest first.
    pub fn rows(&self) -> Vec<Near> {
        self.0.clone().into_sorted_vec().into_iter().map(|ranked| ranked.near).collect()
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}
