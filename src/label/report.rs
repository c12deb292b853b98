//! The report of a run: counts, shares and the closest decisions, collected row by row in bounded memory.

mod bins;
mod html;
mod least;
mod moment;
mod page;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use super::entry::Entry;
use super::journal::{JournalError, Ordered};
use super::records::date;
use super::row::{self, Row, RowVerdict};
use super::summary::Summary;
use bins::{Histogram, Timeline, Times};
use least::{Least, ShownRow};
use moment::Clock;

pub use html::ReportError;
pub use page::{SCRIPT, STYLE};

/// The report of a run, as far as rows were added.
#[derive(Clone, Debug, Default)]
pub struct Report {
    summary: Summary,
    /// The inputs, in order.
    inputs: Vec<String>,
    policies: BTreeMap<String, PolicyReport>,
    clock: Clock,
}

/// The part of a report about one policy.
#[derive(Clone, Debug)]
struct PolicyReport {
    /// A row, for the settings that all rows share.
    row: Row,
    histogram: Histogram,
    timeline: Timeline,
    times: Times,
    /// The rows nearest to the threshold.
    nearest: Least,
    /// Some violations, chosen by their digests.
    violations: Least,
    /// All rows, or of many rows some that are chosen by their digests.
    rows: Least,
    /// The number of rows without a verdict by reason, and the message of the first.
    reasons: BTreeMap<String, (u64, String)>,
}

/// The threshold of a run that has none: the likelier verdict wins.
const MIDDLE: f64 = 0.5;

/// Rows of the lists in a page, and of the table at its end.
const LISTED: usize = 30;
const TABLE: usize = 10_000;

/// Returns the date of today, in the form of ISO 8601.
#[must_use]
pub fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    date(i64::try_from(since.as_secs() / 86_400).unwrap_or_default())
}

impl Report {
    /// Returns the report of the rows in a journal.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or is damaged.
    pub fn of_journal(journal: &Path) -> Result<Self, JournalError> {
        let mut report = Self::default();
        for entry in Ordered::open(journal)? {
            let entry = entry?;
            report.add(&entry, &row::rows(&entry.verdicts));
        }
        Ok(report)
    }

    /// Adds a record with its rows.
    pub fn add(&mut self, entry: &Entry, rows: &[Row]) {
        const NAMED: usize = 8;
        self.summary.add(rows, false);
        let is_new = self.inputs.last().is_none_or(|last| *last != *entry.input);
        if is_new && self.inputs.len() <= NAMED && !self.inputs.iter().any(|name| *name == *entry.input) {
            self.inputs.push(entry.input.to_string());
        }
        let moment = self.clock.moment(&entry.columns);
        for row in rows {
            if !self.policies.contains_key(&row.policy.id) {
                self.policies.insert(row.policy.id.clone(), PolicyReport::new(row));
            }
            if let Some(policy) = self.policies.get_mut(&row.policy.id) {
                policy.add(entry, row, moment);
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
            times: Times::default(),
            nearest: Least::new(LISTED),
            violations: Least::new(LISTED),
            rows: Least::new(TABLE),
            reasons: BTreeMap::new(),
        }
    }

    fn add(&mut self, entry: &Entry, row: &Row, moment: Option<i64>) {
        let verdict = RowVerdict::of_row(row);
        self.timeline.add(entry.number, verdict);
        if let Some(moment) = moment {
            self.times.add(moment, verdict);
        }
        let shown = || ShownRow::new(entry, row);
        // The digest of a record is as good as a random number, and the same in each report.
        #[allow(clippy::cast_precision_loss, reason = "a rank")]
        let rank = entry.record.short() as f64;
        self.rows.offer(rank, entry.number, shown);
        if verdict == RowVerdict::Violation {
            self.violations.offer(rank, entry.number, shown);
        }
        if verdict == RowVerdict::Undecided {
            let message = || row.error.as_ref().map_or_else(String::new, |error| error.message.clone());
            let code = row.error_code().unwrap_or("unresolved").to_owned();
            self.reasons.entry(code).or_insert_with(|| (0, message())).0 += 1;
        }
        if let Some(probability) = row.probability {
            self.histogram.add(probability);
            let distance = (probability - row.threshold.unwrap_or(MIDDLE)).abs();
            self.nearest.offer(distance, entry.number, shown);
        }
    }
}
