//! What a run came to: how each record stands, and how many there are of each.
//!
//! The one idea: a record stands as its worst policy has it, and one without a verdict is never safe.

use std::collections::BTreeMap;

use super::row::{Row, Status};
use crate::policy::Verdict;

/// What a record came to, over all policies of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A violation of one policy at least.
    Violation,
    /// None, and under one policy at least no verdict: unresolved, or not judged.
    Undecided,
    /// None, all have a verdict, and of one at least it is for review.
    Review,
    /// Safe under all.
    Safe,
}

/// How far a run is, or got.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Records that are done, by how they stand.
    pub standing: BTreeMap<Standing, u64>,
    /// Of the undecided ones, how many for which reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Contents that were judged in a cascade, counted once for each policy.
    pub cascaded: u64,
    /// Those of them that it had to reason about.
    pub escalated: u64,
    /// Bytes of the input that are done.
    pub bytes: u64,
    /// Records that were let through, or rows that were written.
    pub written: u64,
    /// Why it ended before the input did.
    pub ended: Option<Ended>,
}

/// Why a run ended before its input did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped. Records that were taken and not done by then are not counted.
    Stopped,
    /// Nobody reads the output any more.
    Closed,
}

impl Standing {
    /// What rows come to, one for each policy.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        rows.iter().map(Self::of_one).min().unwrap_or(Self::Undecided)
    }

    fn of_one(row: &Row) -> Self {
        match (row.status, row.verdict) {
            (Status::Ok, Some(Verdict::Violation)) => Self::Violation,
            (Status::Ok, Some(Verdict::Review)) => Self::Review,
            (Status::Ok, Some(Verdict::Safe)) => Self::Safe,
            _ => Self::Undecided,
        }
    }
}

impl Summary {
    /// Records that are done.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.standing.values().sum()
    }

    /// Those of them that stand so.
    #[must_use]
    pub fn of(&self, standing: Standing) -> u64 {
        self.standing.get(&standing).copied().unwrap_or(0)
    }
}
