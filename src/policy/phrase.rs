//! How errors speak of an author's words: quoted, listed, and set right.
//!
//! The one idea: what an author wrote reaches a terminal only through here, without anything that the terminal would
//! obey. What the words mean is not known.

use std::fmt;

/// Characters that would move a terminal's cursor or turn the direction of its text.
pub(super) fn hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        if hidden(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
        escaped
    })
}

/// A word of the author's, in backticks, without what a terminal would obey, and cut if it is long.
pub(super) fn quoted(word: &str) -> String {
    /// Characters after which nobody recognises a word better.
    const ENOUGH: usize = 60;
    let cut: String = word.chars().take(ENOUGH).collect();
    let more = if cut.len() < word.len() { "…" } else { "" };
    format!("`{}{more}`", escaped(&cut))
}

/// `a, b or c`
pub(super) fn listed<T: fmt::Display>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} or {last}", first.join(", "))
        }
    }
}

/// The word among `known` that `word` was most likely meant to be: at most a third of its letters differ.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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

/// Levenshtein's distance, in characters.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_its_neighbour_and_a_strange_one_does_not() {
        assert_eq!(nearest("categorys", ["contract", "categories"]), Some("categories"));
        assert_eq!(nearest("Spma", ["spam", "prompt-injection"]), None);
        assert_eq!(nearest("spamm", ["spam", "prompt-injection"]), Some("spam"));
        assert_eq!(nearest("zebra", ["spam", "prompt-injection"]), None);
    }
}
