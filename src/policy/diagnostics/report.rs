//! A message about a policy, with the lines that it is about.
//!
//! The one idea: a report contains these lines, so that it prints whole in any place. Text of the policy is escaped first,
//! because a terminal must not obey it.

use std::fmt;

use crate::hint::Hint;
use crate::policy::diagnostics::quoting::{escaped, hidden};

/// A message, its places in the source, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Report {
    pub message: String,
    pub name: Option<String>,
    pub excerpts: Vec<Excerpt>,
    pub hint: Option<Hint>,
}

/// A stretch of one line. Lines and columns count from 1; columns and width are in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Span {
    pub line: usize,
    pub column: usize,
    pub width: usize,
}

/// A place, and the visible part of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Excerpt {
    pub span: Span,
    pub line: String,
    /// The number of characters before that part.
    start: usize,
}

impl Report {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), name: None, excerpts: Vec::new(), hint: None }
    }

    pub fn set_name(&mut self, name: &str) {
        self.name = Some(escaped(name));
    }

    /// Adds a place in `source`. Line 0 adds nothing.
    pub fn add_span(&mut self, source: &str, span: Span) {
        if span.line > 0 {
            // A report at the end of the input may point past the last line.
            self.add_line(source.lines().nth(span.line - 1).unwrap_or_default(), span);
        }
    }

    /// Adds a place in this line. Keeps only the part around it, so a long line costs little.
    pub fn add_line(&mut self, line: &str, span: Span) {
        /// Columns to show: the width beside a line number in a terminal of 100 columns.
        const WIDTH: usize = 90;
        let start = span.column.saturating_sub(1).saturating_sub(WIDTH * 2 / 3);
        let shown: String = line.chars().skip(start).take(WIDTH).map(visible).collect();
        self.excerpts.push(Excerpt { span, line: shown.trim_end().to_owned(), start });
    }

    /// Returns the report with its hint in a last line, written by `hint`.
    pub fn with_hint(&self, hint: impl Fn(&Hint) -> String) -> String {
        match &self.hint {
            Some(known) => format!("{self}\n{:gutter$} = hint: {}", "", hint(known), gutter = self.gutter()),
            None => self.to_string(),
        }
    }

    /// Returns the width of the largest line number.
    fn gutter(&self) -> usize {
        self.excerpts.iter().map(|excerpt| excerpt.span.line.to_string().len()).max().unwrap_or(1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.gutter();
        let name = self.name.as_deref();
        out.write_str(&self.message)?;
        if self.excerpts.is_empty()
            && let Some(name) = name
        {
            write!(out, "\n{:gutter$}--> {name}", "")?;
        }
        for Excerpt { span, line: shown, start } in &self.excerpts {
            let Span { line: number, column, width } = *span;
            let indent = column.saturating_sub(1) - start;
            let room = shown.chars().count().saturating_sub(indent);
            let carets = width.min(room).max(1);
            write!(
                out,
                "\n{:gutter$}--> {}:{number}:{column}\n{:gutter$} |\n{number:>gutter$} | {shown}\n{:gutter$} | {:indent$}{}",
                "",
                name.unwrap_or("policy"),
                "",
                "",
                "",
                "^".repeat(carets),
            )?;
        }
        Ok(())
    }
}

/// Returns a character of a source line in a form that a terminal does not obey. Columns stay the same.
fn visible(char: char) -> char {
    match char {
        '\t' => ' ',
        char if hidden(char) => '\u{fffd}',
        char => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::diagnostics::quoting::quoted;

    fn report(message: &str, name: &str, source: &str, span: Span) -> String {
        let mut report = Report::new(message);
        report.set_name(name);
        report.add_span(source, span);
        report.to_string()
    }

    #[test]
    fn a_terminal_never_obeys_the_policy() {
        let span = Span { line: 1, column: 4, width: 9 };
        let report = report(&quoted("red\u{1b}[31m"), "a\u{202e}b", "x: \u{1b}[31m\u{202e}", span);
        assert!(report.chars().all(|char| char == '\n' || !hidden(char)), "{report:?}");
    }

    #[test]
    fn a_long_line_is_shown_around_its_place() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let report = report("wrong", "policy", &line, Span { line: 1, column: 501, width: 4 });
        let marked: Vec<&str> = report.lines().rev().take(2).collect();
        assert_eq!(marked[1].find("HERE"), marked[0].find("^^^^"), "{report}");
    }
}
