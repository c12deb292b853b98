//! Errors that end a run.

use std::io;

use crate::engine::EngineError;
use crate::hint::{Hint, Hints};
use crate::label::journal::JournalError;

/// The reason why a run cannot continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The input cannot be read.
    #[error("the input cannot be read beyond row {0}")]
    Read(u64, #[source] io::Error),
    /// The output cannot be written.
    #[error("the output cannot be written beyond row {0}")]
    Write(u64, #[source] io::Error),
    /// The engine failed.
    #[error("the engine failed after row {0}")]
    Engine(u64, #[source] EngineError),
    /// The system refused a thread.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// The journal of an earlier run cannot be continued.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Hints for RunError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Thread(_) => vec![Hint::new("raise the limit on processes (ulimit -u, or the container's)")],
            Self::Journal(error) => error.hints(),
            Self::Engine(_, error) => error.hints(),
            Self::Read(..) | Self::Write(..) => Vec::new(),
        }
    }
}
