//! A second look at some of the rows.
//!
//! The one idea: rows that were written are judged again by the same run, and compared where they would be written.

use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::path::Path;

use serde::Serialize;

use super::entry::Entry;
use super::journal::{JournalError, Ordered};
use super::row::{self, Row};
use super::sink::{Sink, Written};
use crate::calibration::terms::Terms;
use crate::digest::Hash;

/// Some rows of a journal, by their numbers.
#[derive(Debug)]
pub struct Sample {
    /// The terms of the journal's rows.
    pub terms: Terms,
    rows: BTreeMap<u64, (Hash, Vec<Row>)>,
}

/// What came of judging them again. Each counts once for each policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// The same verdict, label and category.
    pub same: u64,
    /// The same verdict, and another label or category.
    pub near: u64,
    /// Another verdict, or none where there was one.
    pub flipped: Vec<Flip>,
    /// The largest difference between two probabilities.
    pub drift: f64,
}

/// A verdict that was another the second time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The input.
    pub input: String,
    /// The record, from 1.
    pub row: u64,
    /// The policy.
    pub policy: String,
    /// What was said, and what is said now.
    pub verdicts: [String; 2],
    /// P(violation), before and now.
    pub probabilities: [Option<f64>; 2],
}

impl Sample {
    /// So many rows of the journal at a path, or all if it has no more; the same for the same seed.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn of(journal: &Path, size: usize, seed: u64) -> Result<Self, JournalError> {
        let mut chosen = BinaryHeap::new();
        let mut rows = BTreeMap::new();
        let journal = Ordered::open(journal)?;
        let terms = journal.terms.clone();
        for entry in journal {
            let entry = entry?;
            let rank = Hash::of(format!("{seed} {}", entry.number).as_bytes()).short();
            chosen.push((rank, entry.number));
            rows.insert(entry.number, (entry.hash, row::rows(&entry.verdicts)));
            if chosen.len() > size
                && let Some((_, number)) = chosen.pop()
            {
                rows.remove(&number);
            }
        }
        Ok(Self { terms, rows })
    }

    /// The numbers of all of them.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.rows.keys().copied()
    }
}

/// Compares rows with a sample rather than write them.
#[derive(Debug)]
pub struct Comparison {
    /// What they are compared with.
    pub sample: Sample,
    /// What came of it.
    pub agreement: Agreement,
}

impl Sink for Comparison {
    fn put(&mut self, entry: &Entry, _raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        let Some((hash, before)) = self.sample.rows.get(&entry.number) else { return Ok(Written::default()) };
        if *hash != entry.hash {
            let what = format!(
                "record {} of {} is not the text that was judged: the input has changed",
                entry.row, entry.input
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        for (before, now) in before.iter().zip(rows) {
            self.agreement.add(entry, before, now);
        }
        Ok(Written { rows: 1, place: None })
    }
}

impl Agreement {
    fn add(&mut self, entry: &Entry, before: &Row, now: &Row) {
        if let (Some(one), Some(other)) = (before.probability, now.probability) {
            self.drift = self.drift.max((one - other).abs());
        }
        if before.verdict == now.verdict {
            let same = (&before.label, &before.category) == (&now.label, &now.category);
            *if same { &mut self.same } else { &mut self.near } += 1;
            return;
        }
        let word = |row: &Row| {
            row.verdict
                .map_or_else(|| row.error_code().unwrap_or("unresolved").to_owned(), |verdict| verdict.to_string())
        };
        self.flipped.push(Flip {
            input: entry.input.to_string(),
            row: entry.row,
            policy: now.policy.id.clone(),
            verdicts: [word(before), word(now)],
            probabilities: [before.probability, now.probability],
        });
    }

    /// How many were compared.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.same + self.near + self.flipped.len() as u64
    }
}
