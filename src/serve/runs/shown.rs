//! A run at one moment, as the API shows it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::Counts;
use super::file::{Column, FileAbout};
use super::live::Live;
use super::record::{RunRecord, RunState};
use crate::policy::Effort;

/// A run at one moment.
#[derive(Clone, Debug)]
pub struct RunNow {
    /// Its record.
    pub record: RunRecord,
    /// Its progress, while it is at work.
    pub live: Option<Arc<Live>>,
}

impl RunNow {
    /// Returns the rows a second, once that was measured.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.live.as_ref().map_or(self.record.rate, |live| live.progress().rate)
    }
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Run {
    /// The id.
    id: String,
    /// The name of the file.
    name: String,
    /// When the file arrived, in seconds since 1970.
    created: u64,
    /// The state.
    state: RunState,
    /// The reason why the run failed.
    error: Option<String>,
    /// The format of the file.
    format: String,
    /// The separator of the fields, in a table in text.
    separator: Option<String>,
    /// The encoding of a text.
    encoding: Option<String>,
    /// The number of rows. Null if they were not counted.
    rows: Option<u64>,
    /// The columns. Empty for plain lines.
    columns: Vec<Column>,
    /// The column with the text, once the run was begun.
    text_column: Option<String>,
    /// The ids of the policies, once the run was begun.
    policies: Vec<String>,
    /// How much the model reasons, if that was set.
    effort: Option<Effort>,
    /// The lowest probability that counts as a violation, if that was set.
    threshold: Option<f64>,
    #[serde(flatten)]
    counts: Counts,
    /// Rows a second.
    rate: Option<f64>,
    /// The seconds until the end.
    seconds_left: Option<u64>,
    /// Notes on how the file is read.
    notes: Vec<String>,
}

/// The list of runs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunList {
    /// The runs, the newest first.
    pub runs: Vec<Run>,
}

impl From<RunNow> for Run {
    fn from(now: RunNow) -> Self {
        let RunNow { record, live } = now;
        let progress = live.map(|live| live.progress());
        let counts = progress.and_then(|progress| progress.counts).unwrap_or(record.counts);
        let rate = progress.map_or(record.rate, |progress| progress.rate);
        let FileAbout { format, separator, encoding, rows, columns, notes } = record.file;
        let left = rows.map(|rows| rows.saturating_sub(counts.done)).filter(|_| record.state == RunState::Running);
        let order = record.order.as_ref();
        Self {
            id: record.id,
            name: record.name.shown,
            created: record.created,
            state: record.state,
            error: record.error,
            format,
            separator,
            encoding,
            rows,
            columns,
            text_column: order.and_then(|order| order.text_column.clone()),
            policies: order.map_or_else(Vec::new, |order| order.ids().map(str::to_owned).collect()),
            effort: order.and_then(|order| order.effort),
            threshold: order.and_then(|order| order.threshold),
            counts,
            rate,
            seconds_left: left.zip(rate).and_then(|(left, rate)| seconds(left, rate)),
            notes,
        }
    }
}

/// Returns the whole seconds that some rows take.
#[must_use]
pub fn seconds(rows: u64, rate: f64) -> Option<u64> {
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let seconds = (rows as f64 / rate).ceil();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and not too large")]
    (seconds.is_finite() && seconds < 1e12).then_some(seconds as u64)
}
