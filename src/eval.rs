//! Evaluations: the quality of a policy on a golden set, which contains texts with their correct answers.
//!
//! An evaluation is `label` over the set, with the same tokens, and arithmetic on its rows. It keeps every row, so two
//! evaluations can be compared pair by pair, and every figure can be computed again.

#[doc(hidden)]
pub mod collector;
pub mod comparison;
#[doc(hidden)]
pub mod evaluated_row;
#[doc(hidden)]
pub mod evaluation;
#[doc(hidden)]
pub mod expected;
pub mod gate;
pub mod golden;
mod known;
pub mod ladder;
pub mod metrics;
pub mod mistakes;
pub mod pass;
pub mod past_run;
pub mod report;
pub mod thresholds;
pub mod traces;
pub mod versions;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::calibration::setup::EvaluationSetup;
use crate::engine::Engine;
use crate::label::journal::{Journal, Ordered, Past};
use crate::label::judge::Judge;
use crate::label::memo::Memo;
use crate::label::run::{EarlierVerdicts, Event, Run, RunError, Settings, run};
use crate::label::sink::Sink;
use crate::label::summary::Summary;
pub use collector::{Collector, Collectors};
pub use evaluated_row::EvaluatedRow;
pub use evaluation::{Evaluation, EvaluationError};
pub use expected::Expected;
use golden::Golden;
pub use known::known;

/// The place where an evaluation keeps its verdicts.
#[derive(Debug)]
pub enum Keep {
    /// A memo, which may have an archive of earlier evaluations.
    Memo(Memo),
    /// A journal, which [`past_run`] and `label` read, too.
    Journal {
        /// The open journal.
        journal: Box<Journal>,
        /// Its rows.
        past: Past,
        /// Its path.
        path: PathBuf,
    },
}

/// Judges a golden set by each judge, and returns an evaluation for each. Returns `None` if the run was stopped.
///
/// `setups` has the setup of each evaluation, in the order of the judges. `progress` gets the counts after each text.
///
/// # Errors
///
/// [`RunError`] if the engine fails.
pub fn evaluate(
    engine: &Engine,
    judges: &[Judge<'_>],
    setups: Vec<EvaluationSetup>,
    mut golden: Golden,
    settings: Settings,
    keep: Keep,
    progress: &mut dyn FnMut(&Summary),
) -> Result<Option<Vec<Evaluation>>, RunError> {
    let begun = Instant::now();
    let records = std::mem::take(&mut golden.records).into_iter().map(Ok);
    // The rows are not written beside the input's columns, so the names of the two cannot clash.
    let settings = Settings { own_names: true, ..settings };
    let mut collectors = Collectors::new(&golden, judges.len());
    let over_all = |earlier: EarlierVerdicts, sink: &mut dyn Sink| {
        run(Run { engine, judges, settings: &settings, earlier }, records, sink, &mut |event| {
            if let Event::Done(summary) = event {
                progress(summary);
            }
        })
    };
    let summary = match keep {
        Keep::Memo(memo) => over_all(EarlierVerdicts { past: Past::none(), memo }, &mut collectors)?,
        Keep::Journal { mut journal, past, path } => {
            let memo = Memo::in_journal(File::open(&path).map_err(|error| RunError::Write(0, error))?);
            let summary = over_all(EarlierVerdicts { past, memo }, &mut *journal)?;
            if let Some(end) = summary.end {
                journal.finish(end).map_err(|error| RunError::Write(summary.rows(), error))?;
                of_journal(&path, &mut collectors)?;
            }
            summary
        }
    };
    if summary.ended.is_some() {
        return Ok(None);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let evaluations =
        setups.into_iter().zip(collectors.0).map(|(setup, rows)| Evaluation::new(setup, rows, &summary, seconds));
    Ok(Some(evaluations.collect()))
}

/// Collects the rows in a journal of this golden set.
fn of_journal(path: &Path, collectors: &mut Collectors<'_>) -> Result<(), RunError> {
    for entry in Ordered::open(path)? {
        let entry = entry?;
        let rows = crate::label::row::rows(&entry.verdicts);
        collectors.put(&entry, b"", &rows).map_err(|error| RunError::Write(entry.number, error))?;
    }
    Ok(())
}
