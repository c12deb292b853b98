//! Small helpers for texts and paths that appear in messages.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Returns bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns an untrusted text as a message may show it: one line of at most 80 characters, without terminal controls.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let plain = |char: char| {
        // `escape_debug` puts a backslash before these, although they do a terminal no harm.
        let quote = matches!(char, '"' | '\'' | '\\');
        if quote { char.to_string() } else { char.escape_debug().to_string() }
    };
    let mut shown: String = text.chars().take(LONGEST).map(plain).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// Replaces the characters of an untrusted text that could move a cursor, break a line, or hide or reorder other text.
pub(crate) fn harmless(text: &str) -> String {
    let tricky = |character: char| {
        character.is_control()
            || matches!(character, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    text.chars().map(|character| if tricky(character) { '\u{FFFD}' } else { character }).collect()
}

/// Returns the path with `ending` appended to its name.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Returns the line and the byte at which a JSON file becomes invalid.
///
/// The parser's message is left out, as it may quote the file.
pub(crate) fn json_place(error: &serde_json::Error) -> String {
    format!("line {}, byte {}", error.line(), error.column())
}
