//! Rows of a run by verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::label::row::RowVerdict;

/// Rows by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Rows that are done.
    pub done: u64,
    /// Violations.
    pub violation: u64,
    /// Rows that a policy or a certificate leaves to a person.
    pub review: u64,
    /// Safe rows.
    pub safe: u64,
    /// Rows without a verdict.
    pub undecided: u64,
}

impl Counts {
    /// Counts a row. It may take the place of one that was counted before.
    pub fn add(&mut self, verdict: RowVerdict, before: Option<RowVerdict>) {
        if let Some(before) = before {
            self.done -= 1;
            *self.of(before) -= 1;
        }
        self.done += 1;
        *self.of(verdict) += 1;
    }

    fn of(&mut self, verdict: RowVerdict) -> &mut u64 {
        match verdict {
            RowVerdict::Violation => &mut self.violation,
            RowVerdict::Review => &mut self.review,
            RowVerdict::Safe => &mut self.safe,
            RowVerdict::Undecided => &mut self.undecided,
        }
    }
}
