//! The errors of the files that a run writes.

use crate::hint::{Hint, Hints};

/// The reason why a file may not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The run reads it, or writes something else there.
    #[error("{path} is {what}")]
    Taken {
        /// The file.
        path: String,
        /// Its use in the run.
        what: &'static str,
        /// The option that names it, as the caller calls it.
        flag: &'static str,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {why}")]
    Unwritable {
        /// The file.
        path: String,
        /// The reason, in words.
        why: String,
        /// The option that names it, as the caller calls it.
        flag: &'static str,
    },
}

impl Hints for Refused {
    fn hints(&self) -> Vec<Hint> {
        let (Self::Taken { flag, .. } | Self::Unwritable { flag, .. }) = self;
        vec![Hint::new(format!("name another file with {flag}"))]
    }
}

/// A file was changed after it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was changed meanwhile")]
pub struct Changed;

impl Hints for Changed {
    fn hints(&self) -> Vec<Hint> {
        vec![Hint::new("run the same command again")]
    }
}
