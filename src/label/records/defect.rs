//! Why a record holds no text that can be judged.
//!
//! The one idea: a defect says which line, what is wrong and what helps, and never shows the record. Of the names of
//! columns it shows a few that look like names, since in a damaged record a name may be content.

use std::fmt;

use crate::content::{Content, NotText};

/// What keeps a record, or a header, from being read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Defect {
    /// A word for machines: `empty`, `not-utf8`, `not-json` and so on.
    pub code: &'static str,
    /// A sentence for people, which begins with the line.
    pub message: String,
}

/// Where a defect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this line, from 1.
    Line(u64),
    /// In this row, from 1, of a file that has no lines.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "all other formats have lines"))]
    Row(u64),
    /// In all of the file.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "all other formats have lines"))]
    File,
}

impl Defect {
    pub(super) fn new(code: &'static str, place: impl Into<Place>, what: impl fmt::Display) -> Self {
        Self { code, message: format!("{}{what}", place.into()) }
    }
}

impl From<u64> for Place {
    fn from(line: u64) -> Self {
        Self::Line(line)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(out, "line {line}: "),
            Self::Row(row) => write!(out, "row {row}: "),
            Self::File => Ok(()),
        }
    }
}

/// The text of these bytes.
pub(super) fn readable(bytes: &[u8], line: u64) -> Result<&str, Defect> {
    // The first to be looked for: in UTF-16 nothing else would be found that helps.
    if bytes.contains(&0) {
        return Err(nul(line));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let place = NotText { at: error.valid_up_to(), of: bytes.len() };
        Defect::new("not-utf8", line, format_args!("{place}; convert the input to UTF-8"))
    })
}

/// The text as a content, if there is anything in it to judge.
pub(super) fn judged(text: String, place: impl Into<Place>) -> Result<Content, Defect> {
    if text.trim().is_empty() {
        return Err(Defect::new("empty", place, "the text is empty, or nothing but white space"));
    }
    if text.contains('\0') {
        return Err(nul(place));
    }
    Ok(Content::new(text))
}

fn nul(place: impl Into<Place>) -> Defect {
    Defect::new("nul", place, "a NUL byte, which no text holds: is this a binary file, or UTF-16? convert it to UTF-8")
}

pub(super) fn missing_text(
    wanted: &str,
    names: impl IntoIterator<Item = impl AsRef<str>>,
    place: impl Into<Place>,
) -> Defect {
    let names: Vec<_> = names.into_iter().collect();
    let there = shown(&names);
    let requests = ["custom_id", "body"].iter().all(|wanted| names.iter().any(|name| name.as_ref() == *wanted));
    let hint = if requests {
        "--format batch reads OpenAI Batch requests"
    } else {
        "--text-column NAME says which one to judge"
    };
    let what = format!("the column `{wanted}` is missing, found: {there}; {hint}");
    Defect::new("missing-text", place, what)
}

pub(super) fn missing_id(
    wanted: &str,
    names: impl IntoIterator<Item = impl AsRef<str>>,
    place: impl Into<Place>,
) -> Defect {
    let what = format!("the column `{wanted}` for the id is missing, found: {}", shown(names));
    Defect::new("missing-id", place, what)
}

/// The names that may be shown, and how many others there are.
pub(super) fn shown(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    const MOST: usize = 8;
    const LONGEST: usize = 24;
    let looks_like_a_name = |name: &str| {
        (1..=LONGEST).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    let (mut shown, mut others) = (Vec::new(), 0);
    for name in names {
        let name = name.as_ref();
        if shown.len() < MOST && looks_like_a_name(name) {
            shown.push(format!("`{name}`"));
        } else {
            others += 1;
        }
    }
    match (shown.len(), others) {
        (0, 0) => "none".to_owned(),
        (0, 1) => "one whose name is not shown here".to_owned(),
        (0, _) => format!("{others} whose names are not shown here"),
        (_, 0) => shown.join(", "),
        _ => format!("{} and {others} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_if_they_look_like_names() {
        assert_eq!(shown(["id", "body_2"]), "`id`, `body_2`");
        assert_eq!(shown(["id", "you are a winner", "é", ""]), "`id` and 3 more");
        assert_eq!(shown(["two words"]), "one whose name is not shown here");
        assert_eq!(shown([""; 0]), "none");
        assert_eq!(shown(["a"; 10]), "`a`, `a`, `a`, `a`, `a`, `a`, `a`, `a` and 2 more");
    }

    #[test]
    fn nothing_but_white_space_is_nothing_to_judge() {
        for text in ["", " ", "\t\r\n", "\u{3000}\u{A0}"] {
            assert_eq!(judged(text.into(), 1).unwrap_err().code, "empty", "{text:?}");
        }
        assert_eq!(judged("a\0".into(), 1).unwrap_err().code, "nul");
        assert_eq!(judged(" . ".into(), 1).unwrap().text(), " . ");
    }

    #[test]
    fn bytes_in_another_encoding_are_named_by_their_place() {
        let defect = readable(b"caf\xE9!", 3).unwrap_err();
        let message = "line 3: the text is not valid UTF-8: byte 3 of 5 does not belong; convert the input to UTF-8";
        assert_eq!((defect.code, defect.message.as_str()), ("not-utf8", message));
        assert_eq!(readable(b"\xFF\xFEa\0", 1).unwrap_err().code, "nul", "UTF-16");
    }
}
