//! A message about an input.

use crate::hint::{Hint, Hints};

/// A note, a warning or a refusal about an input, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Notice {
    /// A sentence for people.
    pub message: String,
    /// The remedy, if one is known.
    pub hint: Option<Hint>,
}

impl Notice {
    pub(in crate::label) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(in crate::label) fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Puts the name of the input before the message.
    pub(in crate::label) fn of_input(self, input: &str) -> Self {
        Self { message: format!("{input}: {}", self.message), ..self }
    }
}

impl Hints for Notice {
    fn hints(&self) -> Vec<Hint> {
        self.hint.iter().cloned().collect()
    }
}
