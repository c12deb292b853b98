//! An author's words in messages: quoted, listed, and corrected.
//!
//! The one idea: an author's text reaches a terminal only through these functions, without characters that the terminal
//! would obey. The meaning of the words is not known here.

use std::fmt;

pub(in crate::policy) use crate::text::nearest;

/// Reports whether a character would move a terminal's cursor or turn the direction of its text.
pub(in crate::policy) fn hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Replaces hidden characters by their escapes.
pub(in crate::policy) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        if hidden(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
        escaped
    })
}

/// Returns an author's word in backticks, escaped, and cut if it is long.
pub(in crate::policy) fn quoted(word: &str) -> String {
    /// The most characters; more do not make a word easier to recognize.
    const ENOUGH: usize = 60;
    let cut: String = word.chars().take(ENOUGH).collect();
    let more = if cut.len() < word.len() { "…" } else { "" };
    format!("`{}{more}`", escaped(&cut))
}

/// Joins words as `a, b or c`.
pub(in crate::policy) fn listed<T: fmt::Display>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} or {last}", first.join(", "))
        }
    }
}

/// Returns the hint for an unknown word: the nearest known word, or all of them after `introduction`.
pub(in crate::policy) fn suggestion(word: &str, known: &[&str], introduction: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{introduction} {}", listed(known)),
    }
}
