//! Checking an evaluation against a gate.

use super::{Check, Fall, Floor, Gate, GateError};
use crate::calibration::certificate::missing_class;
use crate::eval::comparison::shared;
use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::evaluation::Evaluation;
use crate::eval::metrics::{Confusion, NAMES};

impl Gate {
    /// Checks an evaluation against a floor, and against a baseline on the rows that both have. Returns `None` if
    /// neither is given.
    ///
    /// # Errors
    ///
    /// [`GateError::OneClass`] if the rows to check are all of one class, or if there are no rows.
    pub fn check(
        now: &Evaluation,
        floor: Option<&Floor>,
        baseline: Option<(&Evaluation, Fall)>,
    ) -> Result<Option<Self>, GateError> {
        let mut checks = Vec::new();
        if let Some(Floor(floors)) = floor {
            both_classes(now.classes(), "the golden set")?;
            for (name, least) in floors {
                checks.push(Check::new(name, defined(now, name), *least, None));
            }
        }
        if let Some((before, Fall(most))) = baseline {
            let (before, now) = shared(before, now);
            both_classes(now.classes(), "the common part of the baseline and the golden set")?;
            for name in NAMES {
                let Some(was) = defined(&before, name) else { continue };
                checks.push(Check::new(name, defined(&now, name), was - most, Some(was)));
            }
        }
        Ok((floor.is_some() || baseline.is_some())
            .then(|| Self { passed: checks.iter().all(|check| check.passed), checks }))
    }
}

impl Check {
    fn new(figure: &str, is: Option<f64>, least: f64, before: Option<f64>) -> Self {
        let passed = is.is_some_and(|is| is >= least);
        Self { figure: figure.to_owned(), is, least, before, passed }
    }
}

fn both_classes(classes: [u64; 2], whose: &'static str) -> Result<(), GateError> {
    missing_class(classes).map_or(Ok(()), |lacking| Err(GateError::OneClass { whose, lacking }))
}

/// Computes a figure with undecided rows counted as wrong. Returns `None` for one that is 0 by convention alone.
fn defined(evaluation: &Evaluation, name: &str) -> Option<f64> {
    let of = |counts: Confusion, row: &EvaluatedRow| {
        let (expected, answer) = row.outcome();
        counts.with(expected, answer.unwrap_or(!expected), 1.0)
    };
    let counts = evaluation.rows.iter().fold(Confusion::default(), of);
    counts.defines(name).then(|| evaluation.with_undecided.named(name))?.map(|figure| figure.value)
}
