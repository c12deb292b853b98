//! The error of a golden set that cannot be read.

use std::fmt;

use crate::hint::{Hint, Hints};

/// The reason why a golden set cannot be read. The message never contains a text of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenError {
    /// The record, if the error is about one.
    place: Option<String>,
    message: String,
    hint: Option<Hint>,
}

impl GoldenError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Names the record that the error is about.
    pub(super) fn at(self, place: String) -> Self {
        Self { place: Some(place), ..self }
    }
}

impl fmt::Display for GoldenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{place}: ")?;
        }
        out.write_str(&self.message)
    }
}

impl std::error::Error for GoldenError {}

impl Hints for GoldenError {
    fn hints(&self) -> Vec<Hint> {
        self.hint.iter().cloned().collect()
    }
}
