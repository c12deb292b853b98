//! The comparison of two evaluations, row by row.
//!
//! Only texts of both are compared, each with itself, because a hard text is hard for both. Labels may have changed in
//! between, so both evaluations are compared with the labels of the later one.

mod pairs;

use serde::{Deserialize, Serialize};

use super::evaluated_row::place;

pub use pairs::mcnemar;
pub(super) use pairs::pairs;

/// The differences between two evaluations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The names of the two evaluations.
    pub names: [String; 2],
    /// The number of texts in both.
    pub rows: u64,
    /// Texts on which both are right.
    pub both: u64,
    /// Texts on which the first alone is right.
    pub first: u64,
    /// Texts on which the second alone is right.
    pub second: u64,
    /// Texts on which neither is right.
    pub neither: u64,
    /// The p-value of McNemar's exact test, two-sided: the probability of a difference at least as large by chance.
    pub p_value: f64,
    /// The terms that differ between the two, in words.
    pub terms: Vec<String>,
    /// The rows whose verdict differs, in the order of the second evaluation.
    pub flips: Vec<Flip>,
}

/// A row whose verdict differs between two evaluations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flip {
    /// The row's number in the second evaluation.
    pub number: u64,
    /// The row of the record in a spreadsheet, or its line. 0 in files of earlier versions.
    #[serde(default)]
    pub line: u64,
    /// The input's name, if the set has several inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The text.
    pub text: String,
    /// The expected answer, in words.
    pub expected: String,
    /// The answer of the first evaluation, in words.
    pub first: String,
    /// The answer of the second evaluation, in words.
    pub second: String,
    /// True if the second answer is right.
    pub better: bool,
}

impl Flip {
    /// Returns the row's place, as [`EvaluatedRow::place`](super::evaluated_row::EvaluatedRow::place).
    #[must_use]
    pub fn place(&self) -> String {
        place(self.number, self.line, self.input.as_deref())
    }

    /// Returns the direction of the change in words. A verdict may also change and stay wrong.
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
