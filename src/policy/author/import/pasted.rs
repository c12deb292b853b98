//! Text from a word processor, brought into the form of plain text.
//!
//! The one idea: only characters that carry no words change: spaces, invisible characters, line ends and bullets. Every
//! line keeps its number, and quotation marks stay as they are.

use std::borrow::Cow;

/// Bullets of word processors, among them the letters of symbol fonts.
const BULLETS: [char; 14] = ['•', '◦', '▪', '▫', '●', '○', '■', '□', '‣', '⁃', '∙', '\u{f0b7}', '\u{f0a7}', '\u{f0d8}'];

/// Returns the text with the spaces, line ends and bullets of plain text.
pub(super) fn plain_text(text: &str) -> Cow<'_, str> {
    let lone_returns = text.contains('\r') && !text.contains('\n');
    let strange = |char: char| replaced(char) != Some(char);
    if !lone_returns && !text.contains(strange) && !text.lines().any(|line| spelled_bullet(line).is_some()) {
        return Cow::Borrowed(text);
    }
    let text = if lone_returns { Cow::Owned(text.replace('\r', "\n")) } else { Cow::Borrowed(text) };
    let mut plain = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match spelled_bullet(line) {
            Some((indent, words)) => {
                plain.push_str(indent);
                plain.push_str(level(line));
                plain.push_str("- ");
                plain.extend(words.chars().filter_map(replaced));
            }
            None => plain.extend(line.chars().filter_map(replaced)),
        }
    }
    Cow::Owned(plain)
}

/// Returns the character of plain text for a character. `None` if it is invisible.
fn replaced(char: char) -> Option<char> {
    match char {
        // A break within a paragraph keeps its line.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{b}' | '\u{c}' | '\u{2028}' => {
            Some(' ')
        }
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => None,
        char => Some(char),
    }
}

/// Returns the indent that a bullet stands for: word processors have a sign for each level.
fn level(line: &str) -> &'static str {
    match line.trim_start().chars().next() {
        Some('o' | '◦' | '○') => "  ",
        Some('▪' | '■' | '§' | '\u{f0a7}') => "    ",
        _ => "",
    }
}

/// Recognizes a bullet that is a sign of its own, or the letter `o` or `§` before a tab. Returns the indent and the words.
fn spelled_bullet(line: &str) -> Option<(&str, &str)> {
    let bare = line.trim_start();
    let indent = &line[..line.len() - bare.len()];
    let mut chars = bare.chars();
    let first = chars.next()?;
    let rest = chars.as_str();
    let is_letter = matches!(first, 'o' | '§' | '·' | '–' | '-' | '*') && rest.starts_with('\t');
    let is_bullet = BULLETS.contains(&first) && rest.starts_with(char::is_whitespace);
    (is_letter || is_bullet)
        .then(|| (indent, rest.trim_start_matches(|char: char| char != '\n' && char.is_whitespace())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_bullets_and_line_ends_change_and_words_do_not() {
        for (text, expected) in [
            ("a \u{201c}b\u{201d} \u{2013} c", "a \u{201c}b\u{201d} \u{2013} c"),
            ("a\u{a0}b\u{ad}c\u{200b}", "a bc"),
            ("\u{2022}\tAds\no\tby phone\n\u{f0b7} \u{a0}Spam\n", "- Ads\n  - by phone\n- Spam\n"),
            ("  \u{25cf} Ads", "  - Ads"),
            ("one\rtwo\r", "one\ntwo\n"),
            ("one\r\ntwo\r\n", "one\r\ntwo\r\n"),
            ("\u{2022}Ads\nof\tcourse", "\u{2022}Ads\nof\tcourse"),
        ] {
            assert_eq!(plain_text(text), expected);
        }
    }
}
