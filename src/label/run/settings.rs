//! The settings of a run, the verdicts that it starts with, and the events that it reports.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use crate::label::columns::Renamed;
use crate::label::journal::Past;
use crate::label::judge::Chunking;
use crate::label::memo::Memo;
use crate::label::records::Defect;
use crate::label::shard::Shard;
use crate::label::summary::Summary;
use crate::setters::setters;

/// The settings of a run.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The pieces of a long content. `None`: it is refused.
    pub chunking: Option<Chunking>,
    /// Puts the raw reasoning into rows.
    pub reasoning: bool,
    /// Keeps the names of the input's columns even if they clash with names of a row. For sinks that do not write them
    /// beside a row.
    pub own_names: bool,
    /// Restricts the run to this share of the records.
    pub shard: Option<Shard>,
    /// Writes rows as they are done, rather than in the order of the records.
    pub unordered: bool,
    /// Set to stop the run: no further record is taken, and records at work have [`GRACE`] to end.
    pub stop: Arc<AtomicBool>,
    /// The number of texts that are being judged, which the run keeps up to date for other threads.
    pub at_work: Arc<AtomicUsize>,
    /// The most texts that are judged at once. `None`: as many as keep the engine busy.
    pub limit: Option<Limit>,
}

/// The most texts of a run that are judged at once. It may change at any time, so that a run gives way to other work.
#[derive(Clone)]
pub struct Limit(Arc<dyn Fn() -> usize + Send + Sync>);

impl Limit {
    /// Returns a limit that is asked for before each text. At least one text is judged at a time.
    pub fn new(most: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self(Arc::new(most))
    }

    /// Returns the limit of now.
    pub(super) fn now(&self) -> usize {
        (self.0)().max(1)
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Limit({})", self.now())
    }
}

setters! {
    Settings {
        with_chunking: chunking, Option<Chunking>;
        with_reasoning: reasoning, bool;
        with_own_names: own_names, bool;
        with_shard: shard, Option<Shard>;
        with_unordered: unordered, bool;
        with_stop: stop, Arc<AtomicBool>;
        with_at_work: at_work, Arc<AtomicUsize>;
        with_limit: limit, Option<Limit>;
    }
}

/// The verdicts that are known before a run.
#[derive(Debug)]
pub struct EarlierVerdicts {
    /// The rows of an earlier run.
    pub past: Past,
    /// The verdicts on texts.
    pub memo: Memo,
}

/// The time that a stopped run waits for records at work.
pub const GRACE: Duration = Duration::from_secs(5);

/// An event of a run.
#[derive(Debug)]
pub enum Event<'run> {
    /// A record is done.
    Done(&'run Summary),
    /// A column of the input has another name in the output from here on.
    Renamed(&'run Renamed),
    /// A record contains no text to judge.
    Defect(&'run Defect),
}
