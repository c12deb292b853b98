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
pub mod metrics;
pub mod report;

use std::time::Instant;

use crate::calibration::setup::EvaluationSetup;
use crate::engine::Engine;
use crate::label::journal::Past;
use crate::label::judge::Judge;
use crate::label::memo::Memo;
use crate::label::run::{EarlierVerdicts, Event, Run, RunError, Settings, run};
use crate::label::summary::Summary;
pub use collector::{Collector, Collectors};
pub use evaluated_row::EvaluatedRow;
pub use evaluation::{Evaluation, EvaluationError};
pub use expected::Expected;
use golden::Golden;

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
    progress: &mut dyn FnMut(&Summary),
) -> Result<Option<Vec<Evaluation>>, RunError> {
    let begun = Instant::now();
    let records = std::mem::take(&mut golden.records).into_iter().map(Ok);
    let mut collectors = Collectors::new(&golden, judges.len());
    // The rows stay in memory, so the input's columns cannot clash with those of the output.
    let settings = Settings { own_names: true, ..settings };
    let earlier = EarlierVerdicts { past: Past::none(), memo: Memo::in_memory() };
    let summary = run(Run { engine, judges, settings: &settings, earlier }, records, &mut collectors, &mut |event| {
        if let Event::Done(summary) = event {
            progress(summary);
        }
    })?;
    if summary.ended.is_some() {
        return Ok(None);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let evaluations =
        setups.into_iter().zip(collectors.0).map(|(setup, rows)| Evaluation::new(setup, rows, &summary, seconds));
    Ok(Some(evaluations.collect()))
}
