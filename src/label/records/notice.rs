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
    /// Set if the message lacks its subject, the input.
    is_predicate: bool,
}

impl Notice {
    pub(in crate::label) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_predicate: false }
    }

    pub(in crate::label) fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Returns a message whose subject is the input. It is complete only with the input's name before it.
    pub(in crate::label) fn about(predicate: impl Into<String>) -> Self {
        Self { is_predicate: true, ..Self::new(predicate) }
    }

    /// Puts the name of the input before the message.
    pub(in crate::label) fn of_input(self, input: &str) -> Self {
        let between = if self.is_predicate { " " } else { ": " };
        Self { message: format!("{input}{between}{}", self.message), is_predicate: false, ..self }
    }
}

impl Hints for Notice {
    fn hints(&self) -> Vec<Hint> {
        self.hint.iter().cloned().collect()
    }
}
