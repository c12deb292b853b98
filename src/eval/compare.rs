//! Two evaluations of the same set, row by row.
//!
//! The one idea: only rows that both have are compared, and each with itself: whatever makes a text hard is hard for both.

use std::collections::HashMap;

use serde::Serialize;

use super::interval::binomial;
use super::{Evaluation, Row};

/// How two evaluations differ.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Rows of both.
    pub rows: u64,
    /// Both right.
    pub both: u64,
    /// The first alone is right.
    pub first: u64,
    /// The second alone is right.
    pub second: u64,
    /// Neither is.
    pub neither: u64,
    /// McNemar's exact test, two-sided: how often chance alone would part them so far or further.
    pub p_value: f64,
    /// The rows whose verdict differs.
    pub flips: Vec<Flip>,
}

/// A row whose verdict differs.
#[derive(Clone, Debug, Serialize)]
pub struct Flip {
    /// The row's number.
    pub number: u64,
    /// The text.
    pub text: String,
    /// What should be said.
    pub expected: String,
    /// What the first says.
    pub first: String,
    /// What the second says.
    pub second: String,
    /// Whether the second is the better one.
    pub better: bool,
}

impl Comparison {
    /// Of two evaluations of the same set.
    #[must_use]
    pub fn of(first: &Evaluation, second: &Evaluation) -> Self {
        let theirs: HashMap<_, &Row> = second.rows.iter().map(|row| ((row.number, row.hash), row)).collect();
        let pairs: Vec<(&Row, &Row)> =
            first.rows.iter().filter_map(|row| Some((row, *theirs.get(&(row.number, row.hash))?))).collect();
        let count = |first: bool, second: bool| {
            let is = |(one, other): &&(&Row, &Row)| one.is_wrong() != first && other.is_wrong() != second;
            pairs.iter().filter(is).count() as u64
        };
        let (only_first, only_second) = (count(true, false), count(false, true));
        let flips = pairs.iter().filter(|(one, other)| one.verdict != other.verdict).map(|(one, other)| Flip {
            number: one.number,
            text: one.text.clone(),
            expected: one.expected.to_string(),
            first: said(one),
            second: said(other),
            better: !other.is_wrong(),
        });
        Self {
            rows: pairs.len() as u64,
            both: count(true, true),
            first: only_first,
            second: only_second,
            neither: count(false, false),
            p_value: mcnemar(only_first, only_second),
            flips: flips.collect(),
        }
    }
}

/// What a row says, in a word or two.
#[must_use]
pub fn said(row: &Row) -> String {
    match (row.verdict, &row.category) {
        (None, _) => row.error.clone().unwrap_or_else(|| "undecided".to_owned()),
        (Some(verdict), None) => verdict.to_string(),
        (Some(verdict), Some(category)) => format!("{verdict} {category}"),
    }
}

/// The exact test: of all that differ, as many should go either way.
fn mcnemar(first: u64, second: u64) -> f64 {
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
