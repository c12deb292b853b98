//! Defects: the reasons why a record has no text to judge.
//!
//! A defect names the line, the problem and a remedy, and never shows the record.

use std::fmt;

use crate::content::{self, Content, NotText};
use crate::hint::{Hint, Hints, Setting};

/// The reason why a record or a header cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Defect {
    /// A word for programs, such as `empty`, `not-utf8` or `not-json`.
    pub code: &'static str,
    /// A sentence for people, which begins with the line.
    pub message: String,
    /// The remedy, if one is known.
    pub hint: Option<Hint>,
}

/// The location of a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// On this line, from 1.
    Line(u64),
    /// In this row, from 1, of a file that has no lines.
    #[cfg_attr(not(any(feature = "parquet", feature = "xlsx")), allow(dead_code, reason = "other formats have lines"))]
    Row(u64),
    /// In all of the file.
    File,
}

impl Defect {
    pub(super) fn new(code: &'static str, place: impl Into<Location>, what: impl fmt::Display) -> Self {
        Self { code, message: format!("{}{what}", place.into()), hint: None }
    }

    pub(super) fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl From<NotText> for Defect {
    fn from(why: NotText) -> Self {
        not_text(why, Location::File)
    }
}

impl Hints for Defect {
    fn hints(&self) -> Vec<Hint> {
        self.hint.iter().cloned().collect()
    }
}

impl From<u64> for Location {
    fn from(line: u64) -> Self {
        Self::Line(line)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(out, "line {line}: "),
            Self::Row(row) => write!(out, "row {row}: "),
            Self::File => Ok(()),
        }
    }
}

/// Returns the text of these bytes, if they pass the gate.
pub(super) fn readable(bytes: &[u8], line: u64) -> Result<&str, Defect> {
    content::readable(bytes).map_err(|why| not_text(why, line))
}

/// Returns the text as a content, if it passes the gate.
pub(super) fn judged(text: String, place: impl Into<Location>) -> Result<Content, Defect> {
    Content::of(text).map_err(|why| not_text(why, place))
}

fn not_text(why: NotText, place: impl Into<Location>) -> Defect {
    let defect = Defect::new(why.code(), place, why);
    match why {
        NotText::NotUtf8 { .. } => {
            defect.with_hint(Hint::of_value(Setting::Encoding, "NAME").text(" reads an input in another encoding"))
        }
        _ => defect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pass_the_gate_has_the_same_words_in_a_record() {
        let defect = readable(b"caf\xE9!", 3).unwrap_err();
        let message = "line 3: the text is not valid UTF-8: byte 3 of 5 does not belong; convert the input to UTF-8";
        assert_eq!((defect.code, defect.message.as_str()), ("not-utf8", message));
        assert_eq!(readable(b"\xFF\xFEa\0", 1).unwrap_err().message, format!("line 1: {}", NotText::Utf16));
        assert_eq!(judged(" ".into(), 1).unwrap_err().code, "empty");
        assert_eq!(judged("a\0".into(), 1).unwrap_err().code, "nul");
    }
}
