//! Errors of an export.

use std::io;
use std::path::PathBuf;

use crate::hint::{Hint, Hints, Setting};
use crate::label::journal::JournalError;

/// The reason why an output could not be made. The journal is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The output cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The output.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// The rows have too many columns for a table.
    #[error("the rows have more than {0} different columns, too many for a table")]
    Columns(usize),
    /// This build lacks the format.
    #[error("this build does not write {name}")]
    NotBuilt {
        /// The format.
        name: &'static str,
        /// The feature that writes it.
        feature: &'static str,
    },
}

impl ExportError {
    /// Reports whether the output's reader has closed it, as with `| head`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Write { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Hints for ExportError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Journal(error) => error.hints(),
            Self::Write { .. } => Vec::new(),
            Self::Columns(_) => {
                vec![Hint::new("choose some with ").setting(Setting::Columns).text(", or write JSONL")]
            }
            Self::NotBuilt { feature, .. } => vec![Hint::new(format!("build with the feature `{feature}`"))],
        }
    }
}
