//! Errors of inputs.

use std::io;
use std::sync::Arc;

use crate::hint::{Hint, Hints};
use crate::label::records::{Defect, Notice};

/// The reason why an input cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{input}{}{problem}", if matches!(problem, Problem::Lacks(_)) { " " } else { ": " })]
pub struct SourceError {
    pub(super) input: Arc<str>,
    #[source]
    pub(super) problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("it cannot be read: {0}")]
    Open(#[source] io::Error),
    #[error("{0}")]
    Read(#[source] io::Error),
    #[error("{0}")]
    Header(#[source] Defect),
    /// A message whose subject is the input.
    #[error("{0}")]
    Lacks(#[source] Defect),
    #[error("{0}")]
    Refused(#[source] Notice),
}

impl Problem {
    /// Returns the problem of a header, whose message may be about the whole input.
    pub fn of_header(defect: Defect) -> Self {
        if defect.message.starts_with("has no ") { Self::Lacks(defect) } else { Self::Header(defect) }
    }
}

impl Hints for SourceError {
    fn hints(&self) -> Vec<Hint> {
        match &self.problem {
            Problem::Open(_) | Problem::Read(_) => Vec::new(),
            Problem::Header(defect) | Problem::Lacks(defect) => defect.hints(),
            Problem::Refused(notice) => notice.hints(),
        }
    }
}
