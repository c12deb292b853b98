//! Content: the untrusted text that is judged.
//!
//! The one idea: it cannot be printed by accident. There is no `Display`, and `Debug` tells its size alone.

use std::fmt;

/// A text to be judged.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    text: String,
}

/// Bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not valid UTF-8: byte {at} of {of} does not belong")]
pub struct NotText {
    /// Where the first byte stands that does not belong, from 0.
    pub at: usize,
    /// How many bytes there are.
    pub of: usize,
}

impl Content {
    /// A content of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// A content of these bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// [`NotText`], with the place.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NotText> {
        String::from_utf8(bytes)
            .map(Self::new)
            .map_err(|error| NotText { at: error.utf8_error().valid_up_to(), of: error.as_bytes().len() })
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Content({} bytes)", self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_text() {
        assert_eq!(format!("{:?}", Content::new("secret")), "Content(6 bytes)");
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_place() {
        assert_eq!(Content::from_bytes(b"ab\xFFc".to_vec()), Err(NotText { at: 2, of: 4 }));
        assert_eq!(Content::from_bytes("é".into()).unwrap().text(), "é");
    }
}
