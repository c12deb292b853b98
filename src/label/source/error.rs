//! Errors of inputs.

use std::io;
use std::sync::Arc;

use crate::hint::{Hint, Hints};
use crate::label::records::{Defect, Notice};

/// The reason why an input cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {problem}")]
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
    #[error("{0}")]
    Refused(#[source] Notice),
}

impl Hints for SourceError {
    fn hints(&self) -> Vec<Hint> {
        match &self.problem {
            Problem::Open(_) | Problem::Read(_) => Vec::new(),
            Problem::Header(defect) => defect.hints(),
            Problem::Refused(notice) => notice.hints(),
        }
    }
}
