//! stdout is data, stderr is talk. A reader that has gone away is no error.

use std::io::{ErrorKind, IsTerminal, Write};

use anyhow::Context;

/// Writes data to stdout.
pub fn print(text: &str) -> Result<(), anyhow::Error> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("stdout cannot be written"),
    }
}

/// Says something on stderr. If nobody can hear it, so be it.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Where a verb's words go: to this process's own stdout and stderr, or to somebody who has asked for them.
pub enum Ears {
    /// Our own.
    Own,
    /// Kept, to be sent: what would have gone to stdout, and to stderr.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only a daemon keeps them"))]
    Kept {
        stdout: String,
        stderr: String,
        /// Whether stdout is such a terminal there.
        coloured: bool,
    },
}

impl Ears {
    /// Writes data to stdout.
    pub fn print(&mut self, text: &str) -> Result<(), anyhow::Error> {
        match self {
            Self::Own => print(text),
            Self::Kept { stdout, .. } => {
                stdout.push_str(text);
                Ok(())
            }
        }
    }

    /// Says something on stderr.
    pub fn say(&mut self, text: &str) {
        match self {
            Self::Own => say(text),
            Self::Kept { stderr, .. } => stderr.push_str(&format!("{text}\n")),
        }
    }

    /// Whether stdout is a terminal that takes colour.
    pub fn coloured(&self) -> bool {
        match self {
            Self::Own => coloured(),
            Self::Kept { coloured, .. } => *coloured,
        }
    }
}

/// Whether stdout is a terminal that takes colour (<https://no-color.org>).
pub fn coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text in a terminal's style: `1` bold, `31` red and so on.
pub fn styled(text: &str, style: &str, coloured: bool) -> String {
    if coloured { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Text that a stranger or a model wrote, for a terminal: nothing in it moves the cursor, hides or turns other text.
pub fn harmless(text: &str) -> String {
    text.chars().map(|character| if character != '\n' && tricky(character) { '\u{FFFD}' } else { character }).collect()
}

/// Whether a terminal would do something else with it than show it.
pub fn tricky(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}
