//! Content: the untrusted text that is judged, and the gate that every text passes.
//!
//! A content cannot be printed by accident: it has no `Display`, and its `Debug` prints only its size. Bytes that are no text
//! are refused here, with the same message for every verb.

use std::fmt;

/// A text to be judged.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    text: String,
}

/// The reason why bytes are no text to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotText {
    /// An empty text, or a text of white space.
    #[error("the text is empty, or nothing but white space")]
    Empty,
    /// A NUL byte.
    #[error("a NUL byte, which no text holds: is this a binary file, or UTF-16? convert it to UTF-8")]
    Nul,
    /// UTF-16: two bytes for each character.
    #[error("the text is UTF-16 and not UTF-8; convert it, as `iconv -f UTF-16 -t UTF-8` does")]
    Utf16,
    /// Another encoding.
    #[error("the text is not valid UTF-8: byte {at} of {of} does not belong; convert the input to UTF-8")]
    NotUtf8 {
        /// The index of the first byte that does not belong.
        at: usize,
        /// The number of bytes.
        of: usize,
    },
}

impl NotText {
    /// Returns a word for machines.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Nul => "nul",
            Self::Utf16 | Self::NotUtf8 { .. } => "not-utf8",
        }
    }
}

/// Returns the text of these bytes, which may be empty.
///
/// # Errors
///
/// [`NotText`] for bytes in another encoding and for NUL.
pub fn readable(bytes: &[u8]) -> Result<&str, NotText> {
    // UTF-16 comes first: the checks below would name a NUL, which helps nobody.
    if is_utf16(bytes) {
        return Err(NotText::Utf16);
    }
    if bytes.contains(&0) {
        return Err(NotText::Nul);
    }
    std::str::from_utf8(bytes).map_err(|error| NotText::NotUtf8 { at: error.valid_up_to(), of: bytes.len() })
}

/// Reports whether bytes are UTF-16: by its mark, or by every second byte being zero, as in European languages.
#[must_use]
pub fn is_utf16(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 512;
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return true;
    }
    let pairs = bytes[..bytes.len().min(LOOKED_AT)].chunks_exact(2);
    let (count, mut zeros) = (pairs.len(), [0, 0]);
    for pair in pairs {
        zeros[0] += usize::from(pair[0] == 0);
        zeros[1] += usize::from(pair[1] == 0);
    }
    let [first, second] = zeros;
    // Letters of European languages leave zeros on one side of the pairs. A binary file has them on both.
    first.min(second) == 0 && count > 1 && first.max(second) * 2 > count
}

impl Content {
    /// Wraps a text that has passed the gate, or that is part of the program. A text from outside must take
    /// [`Content::of`] or [`Content::from_bytes`].
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Checks a text from outside.
    ///
    /// # Errors
    ///
    /// [`NotText`] for an empty text, white space alone, or a NUL byte.
    pub fn of(text: impl Into<String>) -> Result<Self, NotText> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(NotText::Empty);
        }
        if text.contains('\0') {
            return Err(NotText::Nul);
        }
        Ok(Self { text })
    }

    /// Checks bytes from outside.
    ///
    /// # Errors
    ///
    /// [`NotText`] for bytes that are not UTF-8, contain a NUL byte, or are empty or white space.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotText> {
        readable(bytes).and_then(Self::of)
    }

    /// Returns the text.
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
        assert_eq!(Content::from_bytes(b"ab\xFFc"), Err(NotText::NotUtf8 { at: 2, of: 4 }));
        assert_eq!(Content::from_bytes("é".as_bytes()).unwrap().text(), "é");
    }

    #[test]
    fn nothing_but_white_space_is_nothing_to_judge() {
        for text in ["", " ", "\t\r\n", "\u{3000}\u{A0}"] {
            assert_eq!(Content::of(text), Err(NotText::Empty), "{text:?}");
        }
        assert_eq!(Content::of(" . ").unwrap().text(), " . ");
    }

    #[test]
    fn utf16_is_known_with_a_mark_and_without() {
        let bytes = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<_>>();
        for text in ["WINNER, reply YES", "\u{FEFF}Хорошо", "Grüße", "ab"] {
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                assert_eq!(Content::from_bytes(&bytes(text, order)), Err(NotText::Utf16), "{text}");
            }
        }
        for bytes in [&b"a\0"[..], b"a text with one NUL\0", b"\0\0\0\0", b"key\0value\0"] {
            assert_eq!(Content::from_bytes(bytes), Err(NotText::Nul), "{bytes:?}");
        }
        assert_eq!(Content::of("a\0"), Err(NotText::Nul));
    }
}
