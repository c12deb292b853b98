//! Checking an evaluation against a gate.

use super::{Check, Fall, Floor, Gate, GateError};
use crate::calibration::certificate::missing_class;
use crate::eval::comparison::pairs;
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
            let (before_rows, now_rows) = pairs(before, now).into_iter().map(settled).unzip();
            let before = Evaluation::of_rows(before.about.clone(), before_rows);
            let now = Evaluation::of_rows(now.about.clone(), now_rows);
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

/// The largest change of a probability that rounding explains. Texts of another batch round otherwise.
const NOISE: f64 = 0.02;

/// Returns a pair of rows in which a probability that moved by no more than [`NOISE`], under the same verdict, has not
/// moved. Without this the area under a curve would differ in its third digit from one run to the next.
fn settled((before, now): (EvaluatedRow, EvaluatedRow)) -> (EvaluatedRow, EvaluatedRow) {
    let is_noise =
        matches!((now.probability, before.probability), (Some(one), Some(other)) if (one - other).abs() <= NOISE);
    let probability = if is_noise && now.verdict == before.verdict { before.probability } else { now.probability };
    (before, EvaluatedRow { probability, ..now })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::setup::EvaluationSetup;
    use crate::policy::Verdict;

    fn evaluation(probabilities: &[(bool, f64)]) -> Evaluation {
        let verdict = |violation| if violation { Verdict::Violation } else { Verdict::Safe };
        let row = |(number, (violation, probability)): (u64, &(bool, f64))| {
            EvaluatedRow::sample(number, verdict(*violation), Some(verdict(*probability >= 0.5)), Some(*probability))
        };
        Evaluation::of_rows(EvaluationSetup::default(), (1..).zip(probabilities).map(row).collect())
    }

    #[test]
    fn probabilities_that_round_otherwise_fail_no_gate_and_others_do() {
        let before = evaluation(&[(true, 0.91), (false, 0.90), (true, 0.60), (false, 0.10)]);
        let noisy = evaluation(&[(true, 0.90), (false, 0.91), (true, 0.61), (false, 0.10)]);
        let worse = evaluation(&[(true, 0.70), (false, 0.90), (true, 0.60), (false, 0.10)]);
        let held = |now: &Evaluation| Gate::check(now, None, Some((&before, Fall(0.0)))).unwrap().unwrap();
        assert!(held(&noisy).passed);
        let failed = held(&worse);
        let check = failed.checks.iter().find(|check| !check.passed).unwrap();
        assert!(
            check.to_string().starts_with("pr_auc fell from 0.833 to ")
                && check.to_string().ends_with("(allowed: 0.000)"),
            "{check}"
        );
    }
}
