//! Defects: the reasons why a record has no text to judge.
//!
//! A defect names the line, the problem and a remedy, and never shows the record. Names of columns are shown, with
//! control characters replaced.

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
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "all other formats have lines"))]
    Row(u64),
    /// In all of the file.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "all other formats have lines"))]
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
    Defect::new(why.code(), place, why)
}

/// The names of all columns, where one was not found.
#[derive(Clone, Copy)]
pub(in crate::label) enum Names<'names> {
    /// Names of a table, which have numbers from 1.
    Table(&'names [String]),
    /// Names of an object.
    Object(&'names [&'names str]),
}

impl Names<'_> {
    fn all(&self) -> Vec<&str> {
        match self {
            Self::Table(names) => names.iter().map(String::as_str).collect(),
            Self::Object(names) => names.to_vec(),
        }
    }

    fn have(&self, wanted: &str) -> bool {
        self.all().contains(&wanted)
    }

    /// Returns the problem: a column is missing, and these were found.
    fn lack(&self, wanted: &str) -> String {
        let all = self.all();
        let numbered = matches!(self, Self::Table(_));
        let count = match (numbered && wanted.parse::<usize>().is_ok(), all.len()) {
            (false, _) => String::new(),
            (true, 1) => ", as there is 1 column".to_owned(),
            (true, count) => format!(", as there are {count} columns"),
        };
        format!("the column {} is missing{count}; found: {}", quoted(wanted), shown(&all, numbered))
    }

    /// Returns the remedy for a missing column of the text.
    pub fn hint(&self, wanted: &str) -> Hint {
        let column = Hint::of_value(Setting::TextColumn, "NAME");
        match self.near(wanted) {
            _ if self.have("custom_id") && self.have("body") => {
                Hint::of_value(Setting::Format, "batch").text(" reads OpenAI Batch requests")
            }
            Some(near) => did_you_mean(&near),
            None if matches!(self, Self::Table(_)) => column.text(", or its number, chooses the column to judge"),
            None => column.text(" chooses the column to judge"),
        }
    }

    /// Returns the name that differs only in case or in blanks around it.
    pub fn near(&self, wanted: &str) -> Option<String> {
        let plain = |name: &str| name.trim().to_lowercase();
        self.all().into_iter().find(|name| plain(name) == plain(wanted)).map(quoted)
    }
}

pub(super) fn missing_text(wanted: &str, names: Names<'_>, place: impl Into<Location>) -> Defect {
    Defect::new("missing-text", place, names.lack(wanted)).with_hint(names.hint(wanted))
}

pub(super) fn missing_id(wanted: &str, names: Names<'_>, place: impl Into<Location>) -> Defect {
    let hint = match names.near(wanted) {
        Some(near) => did_you_mean(&near),
        None => Hint::of_value(Setting::IdColumn, "NAME").text(" chooses the column of the id"),
    };
    Defect::new("missing-id", place, names.lack(wanted)).with_hint(hint)
}

/// Returns the hint that proposes a column.
pub(in crate::label) fn did_you_mean(near: &str) -> Hint {
    Hint::new(format!("did you mean {near}?"))
}

/// Returns the names of columns in words, with their numbers if they have any. Names after the first 64 are only
/// counted.
pub(in crate::label) fn shown(names: &[impl AsRef<str>], numbered: bool) -> String {
    const MOST: usize = 64;
    let name = |(number, name): (usize, &str)| {
        if numbered { format!("{number} {}", quoted(name)) } else { quoted(name) }
    };
    let mut list: Vec<String> = (1..).zip(names.iter().map(AsRef::as_ref)).take(MOST).map(name).collect();
    if names.len() > MOST {
        list.push(format!("and {} more", names.len() - MOST));
    }
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// Returns a name between backticks, shortened, without characters that a terminal would obey.
pub(super) fn quoted(name: &str) -> String {
    const LONGEST: usize = 40;
    let tricky = |character: char| {
        character.is_control()
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    let plain = |character| if tricky(character) { '\u{FFFD}' } else { character };
    let short: String = name.chars().take(LONGEST).map(plain).collect();
    format!("`{short}{}`", if name.chars().nth(LONGEST).is_some() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_shown_with_numbers_short_and_harmless() {
        assert_eq!(shown(&["id", "Post text", "Über"], true), "1 `id`, 2 `Post text`, 3 `Über`");
        assert_eq!(shown(&["id", "a\u{1B}]0;x\u{7}\u{202E}b"], false), "`id`, `a\u{FFFD}]0;x\u{FFFD}\u{FFFD}b`");
        assert_eq!(shown(&["x".repeat(41)], false), format!("`{}…`", "x".repeat(40)));
        assert_eq!(shown(&[""; 0], true), "none");
        assert!(shown(&["a"; 66], true).ends_with("64 `a`, and 2 more"));
    }

    #[test]
    fn a_missing_column_is_reported_with_a_remedy() {
        let names = ["ID".to_owned(), "Post".to_owned()];
        let words = |defect: Defect| (defect.message, defect.hint.unwrap().to_string());
        let text = |wanted: &str| words(missing_text(wanted, Names::Table(&names), 1));
        let found = "; found: 1 `ID`, 2 `Post`";
        assert_eq!(
            text("post"),
            (format!("line 1: the column `post` is missing{found}"), "did you mean `Post`?".to_owned())
        );
        assert_eq!(
            text("9"),
            (
                format!("line 1: the column `9` is missing, as there are 2 columns{found}"),
                "`RecordFields::text` = NAME, or its number, chooses the column to judge".to_owned()
            )
        );
        assert_eq!(
            words(missing_id("id", Names::Table(&names), 1)),
            (format!("line 1: the column `id` is missing{found}"), "did you mean `ID`?".to_owned())
        );
        let (_, requests) = words(missing_text("text", Names::Object(&["custom_id", "body"]), 1));
        assert_eq!(requests, "`InputFormat` = batch reads OpenAI Batch requests");
    }

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
