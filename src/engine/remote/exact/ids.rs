//! Token ids as a server reads them: numbers between commas.
//!
//! The ids of a policy are written once, and copied for each content.

use std::fmt::Write as _;

use crate::tokenizer::Token;

/// Token ids in the text of a request.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    text: String,
    length: usize,
}

impl Ids {
    /// Returns these tokens.
    pub fn new(tokens: &[Token]) -> Self {
        let mut ids = Self::default();
        ids.extend(tokens);
        ids
    }

    /// Returns the same ids with more behind them.
    pub fn with(&self, tokens: &[Token]) -> Self {
        let mut text = String::with_capacity(self.text.len() + 8 * tokens.len());
        text.push_str(&self.text);
        let mut ids = Self { text, length: self.length };
        ids.extend(tokens);
        ids
    }

    /// Appends ids.
    pub fn extend(&mut self, tokens: &[Token]) {
        for token in tokens {
            let comma = if self.text.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{comma}{}", token.0);
        }
        self.length += tokens.len();
    }

    /// Returns the number of ids.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Returns a JSON array of these ids.
    pub fn json(&self) -> String {
        format!("[{}]", self.text)
    }
}

/// Returns a JSON array of the ids of tokens.
pub fn json(tokens: &[Token]) -> String {
    Ids::new(tokens).json()
}
