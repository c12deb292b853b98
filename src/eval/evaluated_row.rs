//! A row of an evaluation: a text, the expected answer and the model's answer.

use serde::{Deserialize, Serialize};

use super::expected::Expected;
use crate::digest::Hash;
use crate::policy::Verdict;
use crate::verdict::ladder::Probe;

/// A text of the golden set with the expected answer and the model's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluatedRow {
    /// Position of the record in the set, starting at 1.
    pub number: u64,
    /// The row of the record in a spreadsheet of its input, header included, or its line. 0 in evaluations of earlier
    /// versions.
    #[serde(default)]
    pub line: u64,
    /// The input's name, if the set has several inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The text's digest.
    pub hash: Hash,
    /// The record's id, if it has one.
    pub id: Option<String>,
    /// The text. Empty if it cannot be read.
    pub text: String,
    /// The expected answer.
    pub expected: Expected,
    /// The model's verdict. `None` if the row is undecided.
    pub verdict: Option<Verdict>,
    /// The category that the model named.
    pub category: Option<String>,
    /// P(violation), from 0 to 1. `None` if the model wrote freely or the row is undecided.
    pub probability: Option<f64>,
    /// The model's rationale, if the policy asks for one.
    pub rationale: Option<String>,
    /// The raw reasoning, if it was requested.
    pub reasoning: Option<String>,
    /// The code of the reason why the row is undecided, such as `too-long`.
    pub error: Option<String>,
    /// The value of the column by which the evaluation is sliced.
    pub slice: Option<String>,
    /// Tokens of the model's reasoning. `None` if the text was not judged, and in evaluations of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<usize>,
    /// The answers at the rungs of the reasoning. Empty if they were not recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<Probe>,
}

impl EvaluatedRow {
    /// Returns two answers to the question "is it a violation?": the expected one, and the model's if there is one.
    #[must_use]
    pub fn outcome(&self) -> (bool, Option<bool>) {
        (self.expected.verdict == Verdict::Violation, self.verdict.map(|verdict| verdict == Verdict::Violation))
    }

    /// Reports whether the verdict differs from the expected one. An undecided row is wrong.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.verdict != Some(self.expected.verdict)
    }

    /// Returns the row's place in the words of a spreadsheet: `row 145`, or `b.csv row 145` in a set of several inputs.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.number, self.line, self.input.as_deref())
    }

    /// Returns the model's answer in words: verdict and category, or the reason why the row is undecided.
    #[must_use]
    pub fn answer(&self) -> String {
        match (self.verdict, &self.category) {
            (None, _) => self.error.clone().unwrap_or_else(|| "undecided".to_owned()),
            (Some(verdict), None) => verdict.to_string(),
            (Some(verdict), Some(category)) => format!("{verdict} {category}"),
        }
    }
}

#[cfg(test)]
impl EvaluatedRow {
    /// Returns a row for tests, in the line behind its number.
    pub(super) fn sample(number: u64, expected: Verdict, verdict: Option<Verdict>, probability: Option<f64>) -> Self {
        Self {
            number,
            line: number + 1,
            input: None,
            hash: Hash::of(&number.to_le_bytes()),
            id: None,
            text: format!("text {number}"),
            expected: Expected { verdict: expected, category: None, knows_category: false },
            verdict,
            category: None,
            probability,
            rationale: None,
            reasoning: None,
            error: None,
            slice: None,
            reasoning_tokens: None,
            rungs: Vec::new(),
        }
    }
}

/// Returns the expected answer (true for a violation) and P(violation) of each row that has a probability.
#[must_use]
pub fn probabilities(rows: &[EvaluatedRow]) -> Vec<(bool, f64)> {
    rows.iter().filter_map(|row| Some((row.outcome().0, row.probability?))).collect()
}

/// Returns the place of a row in words. Without a line, its number counts.
pub(super) fn place(number: u64, line: u64, input: Option<&str>) -> String {
    let line = if line == 0 { number } else { line };
    input.map_or_else(|| format!("row {line}"), |input| format!("{input} row {line}"))
}
