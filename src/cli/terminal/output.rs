//! Output: data on stdout, messages on stderr. A closed stdout is an error for verdicts alone.
//!
//! The one idea: names, titles and texts come from strangers. So everything for people passes through [`harmless`],
//! here, as the last step. Only our own colors, and the clearing of the screen, are added after it.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::manner::{colors_stderr, colors_stdout, manner};

/// Writes text for people to stdout.
pub fn print(text: &str) -> Result<(), anyhow::Error> {
    write(&harmless(text))
}

/// Writes a report for people to stdout. Words at the beginning of a line have colors if `styles` names them, each with
/// the style of a terminal.
pub fn report(text: &str, styles: &[(&str, &str)]) -> Result<(), anyhow::Error> {
    let text = harmless(text);
    write(&if coloured() { colored(&text, styles) + "\n" } else { text })
}

/// Writes text for people to stdout, with its colours if that is a terminal.
pub fn print_text(text: &Text) -> Result<(), anyhow::Error> {
    write(&text.shown(coloured()))
}

/// Writes data for programs to stdout: JSON, YAML, a path. The bytes stay as they are, except on a terminal.
pub fn data(text: &str) -> Result<(), anyhow::Error> {
    if std::io::stdout().is_terminal() { print(text) } else { write(text) }
}

/// Writes a path to stdout: as a line, or as a JSON object.
pub fn path(path: &Path, json: bool) -> Result<(), anyhow::Error> {
    let shown = if json { serde_json::json!({ "path": path }).to_string() } else { path.display().to_string() };
    data(&format!("{shown}\n"))
}

/// Reports whether stdout is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Clears the terminal on stdout. Writes nothing elsewhere.
pub fn clear() -> Result<(), anyhow::Error> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if is_terminal() && !dumb { write("\u{1b}[2J\u{1b}[3J\u{1b}[H") } else { Ok(()) }
}

fn write(text: &str) -> Result<(), anyhow::Error> {
    match put(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        done => done.context("stdout cannot be written"),
    }
}

/// Set once the reader of stdout has closed it.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Reports whether the reader of stdout has closed it, as far as a write has shown that. Work without an end stops then.
pub fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Writes verdicts. A closed pipe is an error: exit codes 0 and 1 state that verdicts were written.
fn write_verdicts(text: &str) -> Result<(), anyhow::Error> {
    put(text).context("the verdict cannot be written to stdout")
}

fn put(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a message on stderr, with a colored `error:`, `hint:`, `note:` or `warning:`. A closed stderr is no error.
///
/// A note, and the hints after it, are left out with `--quiet`.
pub fn message(text: &str) {
    let text = plain_reason(&harmless(text));
    let text = if manner().quiet { without_notes(&text) } else { text };
    if !text.is_empty() {
        let text = if colors_stderr() { colored_heads(&text) } else { text };
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// Prints a remedy on stderr.
pub fn hint(text: &str) {
    message(&format!("hint: {text}"));
}

/// Prints a note on stderr, unless `--quiet` is given.
pub fn note(text: &str) {
    message(&format!("note: {text}"));
}

/// Prints a warning on stderr.
pub fn warning(text: &str) {
    message(&format!("warning: {text}"));
}

/// Prints on stderr how work ended: a summary, or a file that was written. Nothing with `--quiet`.
pub fn summary(text: &str) {
    if !is_quiet() {
        message(text);
    }
}

/// Prints a detail on stderr if `--verbose` is given.
pub fn detail(text: &str) {
    if is_verbose() {
        message(text);
    }
}

/// Reports whether `--quiet` is given.
pub fn is_quiet() -> bool {
    manner().quiet
}

/// Reports whether `--verbose` is given.
pub fn is_verbose() -> bool {
    manner().verbose > 0
}

/// Returns a message in which a reason of the system is in words alone, and a missing file in few.
pub fn plain_reason(text: &str) -> String {
    const MISSING: &str = "No such file or directory";
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => plain.push_str(rest),
            _ => plain.push_str(&format!(" (os error {part}")),
        }
    }
    for begin in [
        ": it cannot be read: ",
        " cannot be used\n  caused by: ",
        " cannot be read\n  caused by: ",
        " cannot be read: ",
    ] {
        plain = plain.replace(&format!("{begin}{MISSING}"), ": no such file");
    }
    plain
}

/// Removes notes, and the hints and indented lines after each.
fn without_notes(text: &str) -> String {
    let mut in_note = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        in_note = line.starts_with("note:") || (in_note && (line.starts_with("hint:") || line.starts_with(' ')));
        if !in_note {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Colors the word with which a line begins, as compilers do.
fn colored_heads(text: &str) -> String {
    colored(text, &[("error:", "1;31"), ("warning:", "1;33"), ("note:", "1;34"), ("hint:", "1;36"), ("tip:", "1;36")])
}

/// Colors words with which a line begins.
fn colored(text: &str, heads: &[(&str, &str)]) -> String {
    let line = |line: &str| {
        let words = line.trim_start();
        let indent = &line[..line.len() - words.len()];
        match heads.iter().find_map(|(head, style)| Some((head, style, words.strip_prefix(head)?))) {
            Some((head, style, rest)) => format!("{indent}\u{1b}[{style}m{head}\u{1b}[0m{rest}"),
            None => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Text for people, with some parts in a style of our own.
#[derive(Debug, Default)]
pub struct Text(Vec<(String, Option<&'static str>)>);

impl Text {
    /// Adds words.
    pub fn push(&mut self, words: impl Into<String>) {
        self.0.push((words.into(), None));
    }

    /// Adds words in a terminal's style: `1` bold, `31` red and so on.
    pub fn push_styled(&mut self, words: impl Into<String>, style: &'static str) {
        self.0.push((words.into(), Some(style)));
    }

    /// Returns the text for output.
    fn shown(&self, coloured: bool) -> String {
        let shown = |(words, style): &(String, Option<&str>)| match style.filter(|_| coloured) {
            None => harmless(words),
            Some(style) => format!("\u{1b}[{style}m{}\u{1b}[0m", harmless(words)),
        };
        self.0.iter().map(shown).collect()
    }
}

/// The destination of a verb's output: this process's own stdout and stderr, or a daemon's client.
pub enum Output {
    /// This process's own.
    Own,
    /// Kept in memory, to be sent to a client.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only a daemon keeps them"))]
    Kept {
        stdout: String,
        stderr: String,
        /// Set if the client's stdout is a terminal that takes colour.
        coloured: bool,
    },
}

impl Output {
    /// Writes verdicts for people to stdout.
    pub fn print(&mut self, text: &Text) -> Result<(), anyhow::Error> {
        match self {
            Self::Own => write_verdicts(&text.shown(coloured())),
            Self::Kept { stdout, coloured, .. } => {
                stdout.push_str(&text.shown(*coloured));
                Ok(())
            }
        }
    }

    /// Writes verdicts for programs to stdout.
    pub fn data(&mut self, text: &str) -> Result<(), anyhow::Error> {
        match self {
            Self::Own if std::io::stdout().is_terminal() => write_verdicts(&harmless(text)),
            Self::Own => write_verdicts(text),
            Self::Kept { stdout, .. } => {
                stdout.push_str(text);
                Ok(())
            }
        }
    }

    /// Prints a message on stderr. A closed stderr is no error.
    pub fn message(&mut self, text: &str) {
        match self {
            Self::Own => message(text),
            Self::Kept { stderr, .. } => stderr.push_str(&format!("{text}\n")),
        }
    }
}

/// Writes a daemon's answer to this process's own stdout and stderr.
#[cfg(unix)]
pub fn repeat(stdout: &str, stderr: &str, json: bool) -> Result<(), anyhow::Error> {
    if !stderr.is_empty() {
        message(stderr.trim_end_matches('\n'));
    }
    if json {
        // The daemon sends JSON unchanged: only this process can see whether its stdout is a terminal.
        return Output::Own.data(stdout);
    }
    // The daemon has applied `harmless` already, and the text may have colours.
    write_verdicts(stdout)
}

/// Reports whether stdout gets colors.
pub fn coloured() -> bool {
    colors_stdout()
}

/// Makes a text of a stranger or a model safe for a terminal: nothing in it moves the cursor, hides or turns text.
/// Letters of all scripts stay, with their marks and joiners.
pub fn harmless(text: &str) -> String {
    let plain = |character| !tricky(character) || matches!(character, '\n' | '\t');
    text.chars().map(|character| if plain(character) { character } else { '\u{FFFD}' }).collect()
}

/// Reports whether a terminal would do something else with a character than show it.
pub fn tricky(character: char) -> bool {
    let hidden =
        matches!(character, '\u{AD}' | '\u{200B}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
            || matches!(character, '\u{E0000}'..='\u{E007F}');
    let turning = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}');
    character.is_control() || hidden || turning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_and_all_scripts_stay_readable() {
        for (text, shown) in [
            ("\u{1b}]0;title\u{7}x", "\u{FFFD}]0;title\u{FFFD}x"),
            ("\u{9b}31mred", "\u{FFFD}31mred"),
            ("safe\rviolation", "safe\u{FFFD}violation"),
            ("a\u{202E}b\u{2066}c\u{2028}d", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            (
                "e\u{301} שָׁלוֹם سلام می\u{200C}خواهم 👩\u{200D}💻 हिन्दी",
                "e\u{301} שָׁלוֹם سلام می\u{200C}خواهم 👩\u{200D}💻 हिन्दी",
            ),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn the_head_of_a_line_has_color_and_a_head_inside_a_line_has_none() {
        assert_eq!(
            colored_heads("error: no error: here\n  caused by: x\n  hint: y"),
            "\u{1b}[1;31merror:\u{1b}[0m no error: here\n  caused by: x\n  \u{1b}[1;36mhint:\u{1b}[0m y"
        );
    }

    #[test]
    fn a_reason_of_the_system_has_no_number() {
        for (text, plain) in [
            (
                "error: a.json cannot be read\n  caused by: No such file or directory (os error 2)",
                "error: a.json: no such file",
            ),
            ("x.csv: it cannot be read: No such file or directory (os error 2)", "x.csv: no such file"),
            ("a cannot be written: Permission denied (os error 13), b", "a cannot be written: Permission denied, b"),
            ("an (os error x) of (os error", "an (os error x) of (os error"),
        ] {
            assert_eq!(plain_reason(text), plain);
        }
    }

    #[test]
    fn quiet_drops_notes_with_their_hints_and_keeps_the_rest() {
        assert_eq!(without_notes("note: a\nhint: b\nwarning: c\nhint: d\nnote: e"), "warning: c\nhint: d");
        assert_eq!(without_notes("note: a\n  more of it"), "");
    }

    #[test]
    fn only_our_own_words_have_colour() {
        let mut text = Text::default();
        text.push("a \u{1b}[31mtitle: ");
        text.push_styled("safe\u{1b}", "1;32");
        assert_eq!(text.shown(false), "a \u{FFFD}[31mtitle: safe\u{FFFD}");
        assert_eq!(text.shown(true), "a \u{FFFD}[31mtitle: \u{1b}[1;32msafe\u{FFFD}\u{1b}[0m");
    }
}
