//! Traces: texts that are judged with their whole reasoning, and the answers on the way. They need no labels.

use std::io;

use crate::calibration::stop::Traced;
use crate::label::entry::Entry;
use crate::label::row::{Row, Status};
use crate::label::run::{Event, Run, RunError, run};
use crate::label::sink::{Sink, Written};
use crate::label::source::Placed;
use crate::label::summary::Summary;

/// Judges records by the only judge of a run that records the answers at the rungs. Returns `None` if it was stopped.
///
/// # Errors
///
/// [`RunError`] if the engine fails.
pub fn traced(
    work: Run<'_>,
    records: Vec<Placed>,
    progress: &mut dyn FnMut(&Summary),
) -> Result<Option<Vec<Traced>>, RunError> {
    let mut traces = Traces::default();
    let summary = run(work, records.into_iter().map(Ok), &mut traces, &mut |event| {
        if let Event::Done(summary) = event {
            progress(summary);
        }
    })?;
    Ok(summary.ended.is_none().then_some(traces.0))
}

/// A sink of a run by one policy that collects the traces of the texts that were judged.
#[derive(Debug, Default)]
struct Traces(Vec<Traced>);

impl Sink for Traces {
    fn put(&mut self, _entry: &Entry, _raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        let judged = rows.iter().take(1).filter(|row| row.status != Status::Error);
        self.0.extend(judged.map(|row| Traced {
            verdict: row.verdict,
            tokens: row.usage.map_or(0, |usage| usage.reasoning_tokens),
            rungs: row.rungs(),
        }));
        Ok(Written { rows: 1, place: None })
    }
}
