//! Verification: some rows of a journal are judged again and compared.
//!
//! The same run judges them, and a sink compares the new rows with the old ones.

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

/// A sample of a journal's rows, by their numbers.
#[derive(Debug)]
pub struct Sample {
    /// The terms of the journal's rows.
    pub terms: Terms,
    rows: BTreeMap<u64, (Hash, Vec<Row>)>,
}

/// The result of judging records again. Each counts once for each policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// The same verdict, label and category.
    pub same: u64,
    /// The same verdict, and another label or category.
    pub near: u64,
    /// Another verdict, or no verdict in place of one.
    pub flipped: Vec<Flip>,
    /// The largest difference between two probabilities.
    pub drift: f64,
}

/// A verdict that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The input.
    pub input: String,
    /// The record, from 1.
    pub row: u64,
    /// The policy.
    pub policy: String,
    /// The verdict before and now.
    pub verdicts: [String; 2],
    /// P(violation), before and now.
    pub probabilities: [Option<f64>; 2],
}

impl Sample {
    /// Returns `size` rows of the journal at a path, or all if it has fewer. The same seed gives the same rows.
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
            // The lowest digests are an even sample, and the seed selects another.
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

    /// Returns the numbers of the rows.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.rows.keys().copied()
    }
}

/// Compares rows with a sample rather than write them.
#[derive(Debug)]
pub struct Comparison {
    /// The old rows.
    pub sample: Sample,
    /// The result.
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

    /// Returns the number of comparisons.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.same + self.near + self.flipped.len() as u64
    }
}
