//! Token ids as a server reads them: numbers between commas.
//!
//! The ids of a policy are written once, and the prompts of all its contents share them.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::tokenizer::Token;

/// Token ids in the text of a request. It displays as a JSON array.
#[derive(Clone, Debug)]
pub struct Ids {
    shared: Arc<str>,
    /// The ids behind the shared ones, with a comma between.
    own: String,
    length: usize,
}

impl Ids {
    /// Returns these tokens. Copies share their text.
    pub fn new(tokens: &[Token]) -> Self {
        let mut ids = Self { shared: "".into(), own: String::new(), length: 0 };
        ids.extend(tokens);
        Self { shared: ids.own.into(), own: String::new(), ..ids }
    }

    /// Returns the same ids with more behind them.
    pub fn with(&self, tokens: &[Token]) -> Self {
        let mut own = String::with_capacity(self.own.len() + 8 * tokens.len());
        own.push_str(&self.own);
        let mut ids = Self { shared: Arc::clone(&self.shared), own, length: self.length };
        ids.extend(tokens);
        ids
    }

    /// Appends ids.
    pub fn extend(&mut self, tokens: &[Token]) {
        for token in tokens {
            let comma = if self.length == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(self.own, "{comma}{}", token.0);
            self.length += 1;
        }
    }

    /// Returns the number of ids.
    pub fn len(&self) -> usize {
        self.length
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}{}]", self.shared, self.own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_an_array_whatever_they_share() {
        let tokens = |ids: &[u32]| ids.iter().copied().map(Token).collect::<Vec<_>>();
        let none = Ids::new(&[]);
        assert_eq!((none.to_string(), none.len()), ("[]".to_owned(), 0));
        assert_eq!(none.with(&tokens(&[7, 8])).to_string(), "[7,8]");
        let some = Ids::new(&tokens(&[1, 2]));
        let mut more = some.with(&tokens(&[3]));
        more.extend(&tokens(&[4]));
        assert_eq!((more.to_string(), more.len()), ("[1,2,3,4]".to_owned(), 4));
        assert_eq!((some.with(&[]).to_string(), some.to_string()), ("[1,2]".to_owned(), "[1,2]".to_owned()));
    }
}
