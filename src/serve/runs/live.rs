//! A run at work: its progress, and the way to stop it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::counts::Counts;
use crate::label::row::RowVerdict;

/// A run at work.
#[derive(Debug, Default)]
pub struct Live {
    /// Set to stop the run.
    stop: Arc<AtomicBool>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// `None` until the journal was read.
    counts: Option<Counts>,
    /// New rows, and when the first of them was done.
    new: u64,
    begun: Option<Instant>,
}

/// The progress of a run.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The rows that are done. `None` until they were counted.
    pub counts: Option<Counts>,
    /// New rows a second. `None` until there are enough to measure.
    pub rate: Option<f64>,
}

/// The seconds that a rate is measured over, at least.
const LEAST: f64 = 0.5;

impl Live {
    /// Takes the counts of the rows that were done before.
    pub fn begin(&self, counts: Counts) {
        self.lock().counts = Some(counts);
    }

    /// Counts a new row, which may take the place of an earlier one.
    pub fn count(&self, verdict: RowVerdict, before: Option<RowVerdict>) {
        let mut inner = self.lock();
        inner.counts.get_or_insert_default().add(verdict, before);
        inner.new += 1;
        inner.begun.get_or_insert_with(Instant::now);
    }

    /// Returns the progress.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let inner = self.lock();
        let seconds = inner.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
        // The time of the first row is not known.
        let rows = inner.new.saturating_sub(1);
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (seconds >= LEAST && rows > 0).then(|| rows as f64 / seconds);
        Progress { counts: inner.counts, rate }
    }

    /// Asks the run to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Returns the flag that stops the run.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
