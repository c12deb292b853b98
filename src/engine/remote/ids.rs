//! Token ids as a server reads them: numbers between commas.
//!
//! The ids of a policy are written once, and copied for each content.

use std::fmt::Write as _;

use crate::tokenizer::Token;

/// Token ids in the text of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    text: String,
    length: usize,
}

impl Ids {
    /// Returns these tokens.
    pub(super) fn new(tokens: &[Token]) -> Self {
        let mut ids = Self::default();
        ids.extend(tokens);
        ids
    }

    /// Returns the same ids with more behind them.
    pub(super) fn with(&self, tokens: &[Token]) -> Self {
        let mut text = String::with_capacity(self.text.len() + 8 * tokens.len());
        text.push_str(&self.text);
        let mut ids = Self { text, length: self.length };
        ids.extend(tokens);
        ids
    }

    /// Appends ids.
    pub(super) fn extend(&mut self, tokens: &[Token]) {
        for token in tokens {
            let comma = if self.text.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{comma}{}", token.0);
        }
        self.length += tokens.len();
    }

    /// Returns the number of ids.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Returns a JSON array of these ids.
    pub(super) fn json(&self) -> String {
        format!("[{}]", self.text)
    }
}

/// Returns a JSON array of the ids of tokens.
pub(super) fn json(tokens: &[Token]) -> String {
    Ids::new(tokens).json()
}
