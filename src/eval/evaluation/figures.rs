//! The figures of an evaluation's rows, of its categories and of its slices.

use std::collections::BTreeMap;

use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::metrics::{Metrics, Prediction};

/// Computes the figures of the rows that have a verdict.
pub(super) fn decided(rows: &[&EvaluatedRow]) -> Metrics {
    let predictions = rows.iter().filter_map(|row| {
        let (expected, answer) = row.outcome();
        Some(Prediction { expected, answer: answer?, probability: row.probability })
    });
    Metrics::of(&predictions.collect::<Vec<_>>())
}

/// Computes the figures of all rows. A row without a verdict counts as the surest possible mistake.
pub(super) fn with_undecided(rows: &[&EvaluatedRow]) -> Metrics {
    let ranked = rows.iter().any(|row| row.verdict.is_some() && row.probability.is_some());
    let predictions = rows.iter().map(|row| match row.outcome() {
        (expected, Some(answer)) => Prediction { expected, answer, probability: row.probability },
        (expected, None) => {
            let probability = ranked.then_some(if expected { 0.0 } else { 1.0 });
            Prediction { expected, answer: !expected, probability }
        }
    });
    Metrics::of(&predictions.collect::<Vec<_>>())
}

/// Computes the figures of each slice, over its rows that have a verdict.
pub(super) fn slices(rows: &[EvaluatedRow]) -> BTreeMap<String, Metrics> {
    let mut slices: BTreeMap<&String, Vec<&EvaluatedRow>> = BTreeMap::new();
    for row in rows {
        if let Some(slice) = &row.slice {
            slices.entry(slice).or_default().push(row);
        }
    }
    slices.into_iter().map(|(slice, rows)| (slice.clone(), decided(&rows))).collect()
}

/// Computes the figures of each category that was expected or named, over the rows whose category is known.
pub(super) fn categories(rows: &[EvaluatedRow]) -> BTreeMap<String, Metrics> {
    let known: Vec<&EvaluatedRow> =
        rows.iter().filter(|row| row.expected.knows_category && row.verdict.is_some()).collect();
    let mut codes: Vec<&String> =
        known.iter().flat_map(|row| [&row.expected.category, &row.category]).flatten().collect();
    codes.sort();
    codes.dedup();
    let figures = codes.into_iter().map(|code| {
        let predictions = known.iter().map(|row| Prediction {
            expected: row.expected.category.as_ref() == Some(code),
            answer: row.category.as_ref() == Some(code),
            // P(violation) is not the probability of one category.
            probability: None,
        });
        (code.clone(), Metrics::of(&predictions.collect::<Vec<_>>()))
    });
    figures.collect()
}
