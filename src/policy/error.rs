//! What is wrong with a policy, where it stands, and what helps.
//!
//! The one idea: an error carries the lines it speaks of, so that it prints whole wherever it ends up. Text from the
//! policy is escaped on the way, since a terminal must not obey it.

use std::fmt::Write as _;

use super::phrase::{escaped, hidden};

/// Something is wrong with a policy, or with the labels given for it. `Display` prints the whole report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.report())]
pub struct PolicyError(Box<Inner>);

/// What sort of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// There is no policy of that name.
    UnknownPolicy,
    /// The file cannot be read.
    Read,
    /// The file is not UTF-8.
    Encoding,
    /// There is no text in it.
    Empty,
    /// It is not YAML.
    Syntax,
    /// It is larger, deeper or more entangled than a policy can be.
    Limit,
    /// A key that the schema does not know.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A key stands twice.
    DuplicateKey,
    /// A value of another type than the schema wants.
    Type,
    /// A value of the right type that cannot stand here.
    Value,
    /// Labels that cannot stand together, or do not fit the policy.
    Labels,
    /// A plain text that does not state its answers in a way that can be relied on.
    NoContract,
    /// A plain text that states two different sets of answers.
    TwoContracts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: PolicyErrorKind,
    message: String,
    name: Option<String>,
    excerpts: Vec<Excerpt>,
    hint: Option<String>,
}

/// A stretch of one line; lines and columns count from 1, columns and width in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    pub width: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    place: Place,
    line: String,
}

impl PolicyError {
    pub(super) fn new(kind: PolicyErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), name: None, excerpts: Vec::new(), hint: None }))
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.0.name = Some(escaped(name));
        self
    }

    /// Adds a place in `source`; line 0 is no place at all.
    pub(super) fn at(mut self, source: &str, place: Place) -> Self {
        if place.line > 0 {
            // A report at the end of the input may point past the last line.
            let line = source.lines().nth(place.line - 1).unwrap_or_default();
            let line = line.chars().map(harmless).collect();
            self.0.excerpts.push(Excerpt { place, line });
        }
        self
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What sort of thing is wrong.
    #[must_use]
    pub fn kind(&self) -> PolicyErrorKind {
        self.0.kind
    }

    /// What is wrong, in a line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file, or whatever the policy was called.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.excerpts.first().map(|excerpt| excerpt.place.line)
    }

    /// The column, counted from 1 in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.0.excerpts.first().map(|excerpt| excerpt.place.column)
    }

    /// The line itself, with characters that a terminal would obey replaced.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.0.excerpts.first().map(|excerpt| excerpt.line.as_str())
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    fn report(&self) -> String {
        let Inner { message, name, excerpts, hint, .. } = &*self.0;
        let name = name.as_deref();
        let gutter = excerpts.iter().map(|excerpt| excerpt.place.line.to_string().len()).max().unwrap_or(1);
        let mut report = message.clone();
        if excerpts.is_empty()
            && let Some(name) = name
        {
            let _ = write!(report, "\n{:gutter$}--> {name}", "");
        }
        for Excerpt { place, line } in excerpts {
            let Place { line: number, column, .. } = *place;
            let (shown, indent, carets) = window(line, *place);
            let _ = write!(
                report,
                "\n{:gutter$}--> {}:{number}:{column}\n{:gutter$} |\n{number:>gutter$} | {shown}\n{:gutter$} | {:indent$}{}",
                "",
                name.unwrap_or("policy"),
                "",
                "",
                "",
                "^".repeat(carets),
            );
        }
        match hint {
            Some(hint) if name.is_none() && excerpts.is_empty() => report.push_str(&format!("\nhint: {hint}")),
            Some(hint) => report.push_str(&format!("\n{:gutter$} = hint: {hint}", "")),
            None => {}
        }
        report
    }
}

/// The part of a line around its place, of bounded length; how far the carets are set in; their number.
fn window(line: &str, place: Place) -> (String, usize, usize) {
    /// Columns shown: what fits beside a line number in a terminal of 100 columns.
    const WIDTH: usize = 90;
    let start = (place.column.saturating_sub(1)).saturating_sub(WIDTH * 2 / 3);
    let shown: String = line.chars().skip(start).take(WIDTH).collect();
    let shown = shown.trim_end().to_owned();
    let indent = place.column.saturating_sub(1) - start;
    let room = shown.chars().count().saturating_sub(indent);
    (shown, indent, place.width.min(room).max(1))
}

/// A character of a source line as a terminal may see it; columns stay what they are.
fn harmless(char: char) -> char {
    match char {
        '\t' => ' ',
        char if hidden(char) => '\u{fffd}',
        char => char,
    }
}

#[cfg(test)]
mod tests {
    use super::super::phrase::quoted;
    use super::*;

    #[test]
    fn a_terminal_never_obeys_the_policy() {
        let error = PolicyError::new(PolicyErrorKind::Value, quoted("red\u{1b}[31m"))
            .named("a\u{202e}b")
            .at("x: \u{1b}[31m\u{202e}", Place { line: 1, column: 4, width: 9 });
        assert!(error.to_string().chars().all(|char| char == '\n' || !hidden(char)), "{error:?}");
    }

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let error =
            PolicyError::new(PolicyErrorKind::Value, "wrong").at(&line, Place { line: 1, column: 501, width: 4 });
        let report = error.to_string();
        let marked: Vec<&str> = report.lines().rev().take(2).collect();
        assert_eq!(marked[1].find("HERE"), marked[0].find("^^^^"), "{report}");
    }
}
