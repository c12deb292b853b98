//! The report of a run: counts, shares and the closest decisions, collected row by row in bounded memory.

mod bins;
mod html;
mod nearest;

use std::collections::BTreeMap;

use super::columns::{self, Columns};
use super::entry::Entry;
use super::row::{Row, RowVerdict};
use super::summary::Summary;
use crate::digest::Hash;
use bins::{Histogram, Timeline};
use nearest::{Near, Nearest};

pub use html::ReportError;

/// The report of a run, as far as rows were added.
#[derive(Clone, Debug, Default)]
pub struct Report {
    summary: Summary,
    /// The inputs, in order.
    inputs: Vec<String>,
    policies: BTreeMap<String, PolicyReport>,
}

/// The part of a report about one policy.
#[derive(Clone, Debug)]
struct PolicyReport {
    /// A row, for the settings that all rows share.
    row: Row,
    histogram: Histogram,
    timeline: Timeline,
    nearest: Nearest,
    /// The number of rows without a verdict by reason, and the message of the first.
    reasons: BTreeMap<String, (u64, String)>,
}

/// The threshold of a run that has none: the likelier verdict wins.
const MIDDLE: f64 = 0.5;

impl Report {
    /// Adds a record with its rows.
    pub fn add(&mut self, entry: &Entry, rows: &[Row]) {
        const NAMED: usize = 8;
        self.summary.add(rows, false);
        let is_new = self.inputs.last().is_none_or(|last| *last != *entry.input);
        if is_new && self.inputs.len() <= NAMED && !self.inputs.iter().any(|name| *name == *entry.input) {
            self.inputs.push(entry.input.to_string());
        }
        for row in rows {
            if !self.policies.contains_key(&row.policy.id) {
                self.policies.insert(row.policy.id.clone(), PolicyReport::new(row));
            }
            if let Some(policy) = self.policies.get_mut(&row.policy.id) {
                policy.add(entry, row);
            }
        }
    }
}

impl PolicyReport {
    fn new(row: &Row) -> Self {
        Self {
            row: Row { basis: None, ..row.clone() },
            histogram: Histogram::default(),
            timeline: Timeline::default(),
            nearest: Nearest::default(),
            reasons: BTreeMap::new(),
        }
    }

    fn add(&mut self, entry: &Entry, row: &Row) {
        let verdict = RowVerdict::of_row(row);
        self.timeline.add(entry.number, verdict);
        if verdict == RowVerdict::Undecided {
            let message = || row.error.as_ref().map_or_else(String::new, |error| error.message.clone());
            let code = row.error_code().unwrap_or("unresolved").to_owned();
            self.reasons.entry(code).or_insert_with(|| (0, message())).0 += 1;
        }
        if let Some(probability) = row.probability {
            self.histogram.add(probability);
            let distance = (probability - row.threshold.unwrap_or(MIDDLE)).abs();
            self.nearest.offer(distance, entry.number, || Near::new(entry, row, &text(entry)));
        }
    }
}

/// Returns the text of an entry: the column with its digest, else all texts among its columns.
fn text(entry: &Entry) -> String {
    let Columns(all) = &entry.columns;
    let texts = || all.iter().filter(|(_, value)| value.get().starts_with('"')).map(|(_, value)| columns::text(value));
    let judged = texts().find(|text| Hash::of(text.as_bytes()) == entry.hash);
    judged.unwrap_or_else(|| texts().collect::<Vec<_>>().join("\n"))
}
