//! The verdict on a record over all policies of a run.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Row, Status};
use crate::calibration::certificate::Decision;
use crate::policy::Verdict;

/// The verdict on a record over all policies of a run, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowVerdict {
    /// A violation of at least one policy.
    Violation,
    /// No violation, and no verdict under at least one policy: unresolved, or not judged.
    Undecided,
    /// A verdict under every policy, no violation, and one of them needs a person: `review`, or not covered by
    /// the certificate.
    Review,
    /// Safe under all policies.
    Safe,
}

impl RowVerdict {
    /// Returns the worst verdict of a record's rows. A record without rows is undecided.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        rows.iter().map(Self::of_row).min().unwrap_or(Self::Undecided)
    }

    /// Returns the verdict of a row.
    #[must_use]
    pub fn of_row(row: &Row) -> Self {
        match (row.status, row.verdict) {
            (Status::Ok, Some(_)) if row.decision == Some(Decision::Review) => Self::Review,
            (Status::Ok, Some(Verdict::Violation)) => Self::Violation,
            (Status::Ok, Some(Verdict::Review)) => Self::Review,
            (Status::Ok, Some(Verdict::Safe)) => Self::Safe,
            _ => Self::Undecided,
        }
    }

    /// Returns the word for it, as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Undecided => "undecided",
            Self::Review => "review",
            Self::Safe => "safe",
        }
    }
}
