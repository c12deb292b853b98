//! Pairing the rows of two evaluations.

use std::collections::HashMap;

use super::{Comparison, Flip};
use crate::calibration::interval::binomial;
use crate::calibration::terms::Terms;
use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::evaluation::Evaluation;

/// Pairs the rows of two evaluations by their text. Order and expected answers are those of the second.
pub(crate) fn pairs(first: &Evaluation, second: &Evaluation) -> Vec<(EvaluatedRow, EvaluatedRow)> {
    let before: HashMap<_, &EvaluatedRow> = first.rows.iter().map(|row| (row.hash, row)).collect();
    let pair = |now: &EvaluatedRow| {
        let before = EvaluatedRow { expected: now.expected.clone(), ..(*before.get(&now.hash)?).clone() };
        Some((before, now.clone()))
    };
    second.rows.iter().filter_map(pair).collect()
}

impl Comparison {
    /// Compares the evaluations of two policies under their ids.
    #[must_use]
    pub fn of_policies(first: &Evaluation, second: &Evaluation) -> Self {
        Self::of([first, second].map(|evaluation| evaluation.about.policy[0].as_str()), first, second)
    }

    /// Compares two evaluations under these names, the earlier one first.
    #[must_use]
    pub fn of(names: [&str; 2], first: &Evaluation, second: &Evaluation) -> Self {
        let pairs = pairs(first, second);
        let count = |first: bool, second: bool| {
            let is =
                |(one, other): &&(EvaluatedRow, EvaluatedRow)| one.is_wrong() != first && other.is_wrong() != second;
            pairs.iter().filter(is).count() as u64
        };
        let (only_first, only_second) = (count(true, false), count(false, true));
        let flips = pairs.iter().filter(|(one, other)| one.verdict != other.verdict).map(|(one, other)| Flip {
            number: other.number,
            line: other.line,
            input: other.input.clone(),
            text: other.text.clone(),
            expected: other.expected.to_string(),
            first: one.answer(),
            second: other.answer(),
            better: !other.is_wrong(),
        });
        Self {
            names: names.map(str::to_owned),
            rows: pairs.len() as u64,
            terms: terms(&first.about.terms, &second.about.terms),
            both: count(true, true),
            first: only_first,
            second: only_second,
            neither: count(false, false),
            p_value: mcnemar(only_first, only_second),
            flips: flips.collect(),
        }
    }
}

/// Lists the terms that differ, except the policy, which is often the very thing compared.
fn terms(first: &Terms, second: &Terms) -> Vec<String> {
    if first.0.is_empty() {
        return Vec::new();
    }
    let differences = first.differences(second).into_iter().filter(|(name, ..)| name != "policy");
    differences.map(|(name, before, now)| format!("{name} {before}, then {now}")).collect()
}

/// Returns the p-value of McNemar's exact test, two-sided, from 0 to 1. `first` and `second` are the numbers of rows on
/// which one alone is right: by chance, each of them goes either way with probability 0.5.
#[must_use]
pub fn mcnemar(first: u64, second: u64) -> f64 {
    (2.0 * binomial(first.min(second), first + second, 0.5)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_that_of_statsmodels() {
        // statsmodels.stats.contingency_tables.mcnemar([[0, b], [c, 0]], exact=True)
        for (first, second, expect) in
            [(5, 5, 1.0), (2, 10, 0.038_574_218_75), (0, 6, 0.031_25), (0, 0, 1.0), (1, 2, 1.0)]
        {
            assert!((mcnemar(first, second) - expect).abs() < 1e-12, "{first} {second}: {}", mcnemar(first, second));
        }
    }
}
