//! Rows with the least rank, such as those nearest to a threshold, or a sample at random.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;

use crate::label::entry::Entry;
use crate::label::row::{Row, RowVerdict};
use crate::text::cut;

/// The rows with the least rank, at most a given number.
#[derive(Clone, Debug)]
pub(super) struct Least {
    most: usize,
    rows: BinaryHeap<Ranked>,
}

/// A row of a report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownRow {
    /// Its place: the input and its number there.
    pub place: String,
    pub id: Option<String>,
    /// The verdict, for programs.
    pub verdict: RowVerdict,
    /// The verdict and the category, for people.
    pub given: String,
    /// P(violation).
    pub p: Option<f64>,
    pub text: String,
    /// The model's reason, or the reason why there is no verdict.
    pub why: Option<String>,
}

/// A row with its rank. Equal ranks are told apart by the number of the record.
#[derive(Clone, Debug)]
struct Ranked {
    rank: f64,
    number: u64,
    row: ShownRow,
}

impl ShownRow {
    pub fn new(entry: &Entry, row: &Row) -> Self {
        /// Characters of a text, at most.
        const LONGEST: usize = 600;
        let verdict = RowVerdict::of_row(row);
        let category = [row.category.as_deref(), row.category_title.as_deref()];
        let category = category.into_iter().flatten().filter(|_| verdict != RowVerdict::Undecided);
        let given = std::iter::once(verdict.word()).chain(category).collect::<Vec<_>>().join(" ");
        let error = || row.error.as_ref().map(|error| error.message.clone());
        Self {
            place: format!("{}, record {}", entry.input, entry.row),
            id: entry.id.as_deref().map(crate::label::columns::text),
            verdict,
            given,
            p: row.probability,
            text: cut(&entry.text(), LONGEST),
            why: row.rationale.clone().or_else(error).map(|why| cut(&why, LONGEST)),
        }
    }
}

impl Least {
    pub fn new(most: usize) -> Self {
        Self { most, rows: BinaryHeap::new() }
    }

    /// Keeps a row if its rank is low enough. `row` is called only then.
    pub fn offer(&mut self, rank: f64, number: u64, row: impl FnOnce() -> ShownRow) {
        let is_far = |last: &Ranked| (rank, number) > (last.rank, last.number);
        if self.rows.len() == self.most && self.rows.peek().is_none_or(is_far) {
            return;
        }
        self.rows.push(Ranked { rank, number, row: row() });
        if self.rows.len() > self.most {
            self.rows.pop();
        }
    }

    /// Returns the rows, the least rank first.
    pub fn rows(&self) -> Vec<&ShownRow> {
        let mut ranked: Vec<&Ranked> = self.rows.iter().collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|ranked| &ranked.row).collect()
    }

    /// Returns the `most` rows of the least rank, in the order of the input.
    pub fn in_order(&self, most: usize) -> Vec<&ShownRow> {
        let mut ranked: Vec<&Ranked> = self.rows.iter().collect();
        ranked.sort_unstable();
        ranked.truncate(most);
        ranked.sort_unstable_by_key(|ranked| ranked.number);
        ranked.into_iter().map(|ranked| &ranked.row).collect()
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.total_cmp(&other.rank).then(self.number.cmp(&other.number))
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
