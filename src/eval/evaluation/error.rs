//! The error of an evaluation that cannot be used.

use crate::hint::{Hint, Hints};

/// The reason why an evaluation cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The JSON is a list.
    #[error("it is the result of several policies")]
    Several,
    /// The file is something else than the JSON of an evaluation.
    #[error("it is not an eval result ({place})")]
    NoEvaluation {
        /// The line and the byte at which the file is no evaluation.
        place: String,
    },
    /// A probability is impossible.
    #[error("row {row} has a probability outside 0 to 1")]
    Probability {
        /// The row's number.
        row: u64,
    },
    /// A text has two expected answers.
    #[error("rows {first} and {second} have the same text and different answers")]
    TwoAnswers {
        /// The number of the first row with the text.
        first: u64,
        /// The number of a row with another answer.
        second: u64,
    },
}

impl Hints for EvaluationError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Several => vec![Hint::new("evaluate a single policy, and write its JSON alone")],
            Self::NoEvaluation { .. } => vec![Hint::new("write one as a JSON report of magistrate eval")],
            _ => Vec::new(),
        }
    }
}
