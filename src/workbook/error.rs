//! Errors of workbooks.

use std::io;

use crate::hint::{Hint, Hints};

/// The reason why a workbook cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WorkbookError {
    message: String,
    hint: Option<Hint>,
}

impl WorkbookError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Returns the error of a file that contradicts itself, or the rules of its format.
    pub(super) fn damaged(what: impl std::fmt::Display) -> Self {
        let hint = Hint::new("open it in a spreadsheet and save it again, as .xlsx or as \"CSV UTF-8\"");
        Self::new(format!("it is no whole workbook: {what}")).with_hint(hint)
    }

    /// Returns the error of a file that would cost too much memory or time.
    pub(super) fn too_large(what: impl std::fmt::Display) -> Self {
        let hint = Hint::new("save it as \"CSV UTF-8\", which has no such limit");
        Self::new(format!("it is too large for a workbook: {what}")).with_hint(hint)
    }
}

impl Hints for WorkbookError {
    fn hints(&self) -> Vec<Hint> {
        self.hint.iter().cloned().collect()
    }
}

impl From<io::Error> for WorkbookError {
    /// Returns the error that is inside, if it is one of a workbook.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(inner) => Self::clone(inner),
            None => Self::damaged(error),
        }
    }
}

impl From<WorkbookError> for io::Error {
    fn from(error: WorkbookError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl From<rawzip::Error> for WorkbookError {
    fn from(error: rawzip::Error) -> Self {
        Self::damaged(error)
    }
}
