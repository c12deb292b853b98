//! A message about a policy, with the lines that it speaks of.
//!
//! The one idea: it carries these lines, so that it prints whole wherever it ends up. Text from the policy is escaped on the
//! way, since a terminal must not obey it.

use std::fmt::{self, Write as _};

use super::phrase::{escaped, hidden};

/// What is to be said, where it stands, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub message: String,
    pub name: Option<String>,
    pub excerpts: Vec<Excerpt>,
    pub hint: Option<String>,
}

/// A stretch of one line; lines and columns count from 1, columns and width in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    pub width: usize,
}

/// A place, and the visible part of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub place: Place,
    pub line: String,
    /// The number of characters before that part.
    start: usize,
}

impl Report {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), name: None, excerpts: Vec::new(), hint: None }
    }

    pub fn named(&mut self, name: &str) {
        self.name = Some(escaped(name));
    }

    /// Adds a place in `source`; line 0 is no place at all.
    pub fn at(&mut self, source: &str, place: Place) {
        if place.line > 0 {
            // A report at the end of the input may point past the last line.
            self.at_line(source.lines().nth(place.line - 1).unwrap_or_default(), place);
        }
    }

    /// Adds a place in this line. Keeps only the part around it, so a long line costs little.
    pub fn at_line(&mut self, line: &str, place: Place) {
        /// Columns to show: the width beside a line number in a terminal of 100 columns.
        const WIDTH: usize = 90;
        let start = place.column.saturating_sub(1).saturating_sub(WIDTH * 2 / 3);
        let shown: String = line.chars().skip(start).take(WIDTH).map(harmless).collect();
        self.excerpts.push(Excerpt { place, line: shown.trim_end().to_owned(), start });
    }

    fn whole(&self) -> String {
        let Self { message, name, excerpts, hint } = self;
        let name = name.as_deref();
        let gutter = excerpts.iter().map(|excerpt| excerpt.place.line.to_string().len()).max().unwrap_or(1);
        let mut report = message.clone();
        if excerpts.is_empty()
            && let Some(name) = name
        {
            let _ = write!(report, "\n{:gutter$}--> {name}", "");
        }
        for Excerpt { place, line: shown, start } in excerpts {
            let Place { line: number, column, width } = *place;
            let indent = column.saturating_sub(1) - start;
            let room = shown.chars().count().saturating_sub(indent);
            let carets = width.min(room).max(1);
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

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.whole())
    }
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

    fn report(message: &str, name: &str, source: &str, place: Place) -> String {
        let mut report = Report::new(message);
        report.named(name);
        report.at(source, place);
        report.to_string()
    }

    #[test]
    fn a_terminal_never_obeys_the_policy() {
        let place = Place { line: 1, column: 4, width: 9 };
        let report = report(&quoted("red\u{1b}[31m"), "a\u{202e}b", "x: \u{1b}[31m\u{202e}", place);
        assert!(report.chars().all(|char| char == '\n' || !hidden(char)), "{report:?}");
    }

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let report = report("wrong", "policy", &line, Place { line: 1, column: 501, width: 4 });
        let marked: Vec<&str> = report.lines().rev().take(2).collect();
        assert_eq!(marked[1].find("HERE"), marked[0].find("^^^^"), "{report}");
    }
}
