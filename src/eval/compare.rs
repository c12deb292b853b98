//! Two evaluations, row by row.
//!
//! The one idea: only texts in both are compared, each with itself, because a hard text is hard for both. Labels may
//! have changed in between, so both are held to the labels of the later set.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Evaluation, Row};
use crate::calibration::interval::binomial;
use crate::calibration::terms::Terms;

/// How two evaluations differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The names of the two evaluations.
    pub names: [String; 2],
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
    /// The terms that differ between the two, in words.
    pub terms: Vec<String>,
    /// The rows whose verdict differs.
    pub flips: Vec<Flip>,
}

/// A row whose verdict differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl Flip {
    /// Returns the direction of the change in words: a verdict may also change and stay wrong.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        // A category may follow the verdict.
        let verdict = |words: &str| words.split(' ').next().map(str::to_owned);
        match self.better {
            true => "better",
            false if verdict(&self.first) == verdict(&self.expected) => "worse",
            false => "still wrong",
        }
    }
}

/// Pairs the rows of two evaluations by their text. The order and the answers are those of the second.
fn pairs(first: &Evaluation, second: &Evaluation) -> Vec<(Row, Row)> {
    let before: HashMap<_, &Row> = first.rows.iter().map(|row| (row.hash, row)).collect();
    let pair = |now: &Row| {
        let before = Row { expected: now.expected.clone(), ..(*before.get(&now.hash)?).clone() };
        Some((before, now.clone()))
    };
    second.rows.iter().filter_map(pair).collect()
}

/// Reduces two evaluations to the texts that both have.
pub(super) fn shared(first: &Evaluation, second: &Evaluation) -> (Evaluation, Evaluation) {
    let (before, now) = pairs(first, second).into_iter().unzip();
    (Evaluation::of_rows(first.about.clone(), before), Evaluation::of_rows(second.about.clone(), now))
}

impl Comparison {
    /// Compares two evaluations, under these names.
    #[must_use]
    pub fn of(names: [&str; 2], first: &Evaluation, second: &Evaluation) -> Self {
        let pairs = pairs(first, second);
        let count = |first: bool, second: bool| {
            let is = |(one, other): &&(Row, Row)| one.is_wrong() != first && other.is_wrong() != second;
            pairs.iter().filter(is).count() as u64
        };
        let (only_first, only_second) = (count(true, false), count(false, true));
        let flips = pairs.iter().filter(|(one, other)| one.verdict != other.verdict).map(|(one, other)| Flip {
            number: other.number,
            text: other.text.clone(),
            expected: other.expected.to_string(),
            first: said(one),
            second: said(other),
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
