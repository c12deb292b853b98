//! An author's words in messages: quoted, listed, and corrected.
//!
//! The one idea: an author's text reaches a terminal only through these functions, without characters that the terminal
//! would obey. The meaning of the words is not known here.

use std::fmt;

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

/// Returns the word among `known` that is nearest to a mistyped word. At most a third of its letters may differ.
pub(in crate::policy) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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

/// Returns the hint for an unknown word: the nearest known word, or all of them after `introduction`.
pub(in crate::policy) fn suggestion(word: &str, known: &[&str], introduction: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{introduction} {}", listed(known)),
    }
}

/// Returns Levenshtein's distance, in characters. Two letters in the wrong order count as one mistake.
fn distance(from: &str, to: &str) -> usize {
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
