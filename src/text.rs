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

/// Returns the first `most` characters of a text, with `…` behind them if there are more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let more = if text.chars().nth(most).is_some() { "…" } else { "" };
    text.chars().take(most).collect::<String>() + more
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

/// Returns the word among `known` that is nearest to a mistyped word. At most a third of its letters may differ.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        // The distance costs the product of both lengths, and a long word is no typing mistake.
        .filter(|_| word.len() <= 64)
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns Levenshtein's distance, in characters. Two letters in the wrong order count as one mistake.
#[must_use]
pub fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut above = vec![0; to.len() + 1];
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for index in 0..from.len() {
        let mut next = vec![index + 1; to.len() + 1];
        for column in 0..to.len() {
            let replaced = row[column] + usize::from(from[index] != to[column]);
            let mut least = replaced.min(row[column + 1] + 1).min(next[column] + 1);
            let swapped = index > 0 && column > 0 && from[index] == to[column - 1] && from[index - 1] == to[column];
            if swapped {
                least = least.min(above[column - 1] + 1);
            }
            next[column + 1] = least;
        }
        above = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_its_neighbour_and_a_strange_one_does_not() {
        assert_eq!(nearest("categorys", ["contract", "categories"]), Some("categories"));
        assert_eq!(nearest("Spma", ["spam", "prompt-injection"]), Some("spam"));
        assert_eq!(nearest("spamm", ["spam", "prompt-injection"]), Some("spam"));
        assert_eq!(nearest("zebra", ["spam", "prompt-injection"]), None);
    }
}
