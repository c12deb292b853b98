//! The result of an import.

use crate::hint::{Hint, Hints};
use crate::policy::author::draft::Draft;

/// A draft made of a text.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The draft. Its comments keep each line without a place.
    pub draft: Draft,
    /// The lines without a place, from 1.
    pub unplaced: Vec<usize>,
    /// Remarks for its owner.
    pub notes: Vec<String>,
}

/// A text that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// No violation was found.
    #[error(
        "no rule that forbids something was recognized: a heading such as `## Prohibited (AB1 - Ads)`, or a list \
         under `## VIOLATES`, makes one"
    )]
    NoRule,
    /// The draft is not a valid policy.
    #[error("the draft is not a valid policy: {0}")]
    Invalid(String),
}

impl Hints for ImportError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::NoRule => vec![Hint::new("a .md or .txt file is also a policy by itself, without an import")],
            Self::Invalid(_) => Vec::new(),
        }
    }
}
