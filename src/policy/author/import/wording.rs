//! The wording of single lines: codes, limits of a rule, titles and sentences.
//!
//! The one idea: each function knows one form of words, and nothing of the text around it.

use super::marks::is_output_line;
use super::outline::{Item, Line};
use crate::policy::read::plain;
use crate::policy::read::polarity::{is_one, qualifies};
use crate::policy::{Severity, Verdict};

/// Returns the usual meaning of a label. `None` for a digit.
pub(super) fn usual(word: &str) -> Option<Verdict> {
    if word.is_empty() || plain::is_digit(word) {
        None
    } else {
        plain::usual_verdict(word).filter(|verdict| *verdict != Verdict::Review)
    }
}

/// Reports whether a text limits the rule before it and is no rule of its own.
pub(super) fn belongs_before(text: &str) -> bool {
    let lower = text.trim_start_matches(['*', '`', '(', '_']).to_lowercase();
    let first = lower.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let begins = ["does not apply", "do not apply", "this does not", "not covered", "not included", "does not include"];
    is_one("except excepted exception exceptions unless but however excluding excludes excluded although", first)
        || begins.iter().any(|words| lower.starts_with(words))
}

/// Reports whether a text introduces a list of forbidden things and denies nothing else: `Do not post:`
pub(super) fn is_order(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    let starts = ["do not ", "don't ", "never ", "you must not ", "you may not ", "you cannot ", "users must not "];
    let rest = starts.iter().find_map(|start| lower.strip_prefix(start));
    rest.is_some_and(|rest| !qualifies(rest))
}

/// Recognizes a paragraph such as ``Output: `INVALID` ``.
pub(super) fn is_output(lines: &[Line]) -> bool {
    lines.first().is_some_and(|line| is_output_line(&line.text))
}

/// Recognizes guidance for doubt anywhere in a text: `If in doubt, keep the post.`
pub(super) fn begins_in_doubt(text: &str) -> bool {
    let lower = text.trim_start_matches(['*', '_']).to_lowercase();
    let starts = ["if in doubt", "when in doubt", "in case of doubt", "if unsure", "when unsure", "if you are unsure"];
    starts.iter().any(|start| lower.starts_with(start))
}

/// Recognizes a part of a request for an answer: `No explanations.`
pub(super) fn forbids_explanations(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let denies = ["no ", "not ", "without ", "don't ", "never "].iter().any(|word| lower.contains(word));
    denies && ["explanation", "explain your", "punctuation"].iter().any(|word| lower.contains(word))
}

/// Returns the code of a rule with this number in its text: `R2.1`. The letter keeps a table from reading it as a date.
pub(super) fn numbered_code(number: &str) -> String {
    format!("R{number}")
}

/// Recognizes a line about the document itself: `Last updated: May 2024`.
pub(super) fn is_dated(text: &str) -> bool {
    let lower = text.trim_start_matches(['*', '_']).to_lowercase();
    let starts = ["last updated", "last revised", "last modified", "effective date", "effective from", "version:"];
    starts.iter().any(|start| lower.starts_with(start)) && text.split_whitespace().count() < 12
}

/// Splits a rule into its title and its words: `Bait: promises`, `**Bait** – promises`, `Bait – promises`.
pub(super) fn split_title(words: &str) -> Option<(&str, &str)> {
    let bold = words.strip_prefix("**").and_then(|rest| rest.split_once("**"));
    let bold = bold.and_then(|(title, rest)| {
        let rest = rest.trim_start();
        if let Some(title) = title.strip_suffix(':') {
            return Some((title, rest));
        }
        [":", "-", "–", "—"].iter().find_map(|sign| rest.strip_prefix(sign)).map(|rest| (title, rest.trim_start()))
    });
    let count = |title: &str| title.split_whitespace().count();
    let dash = || [" – ", " — "].iter().find_map(|dash| words.split_once(dash)).filter(|(title, _)| count(title) <= 5);
    // A title in bold is one at any length.
    let most = if bold.is_some() { 20 } else { 8 };
    let parts = bold.or_else(|| words.split_once(": ")).or_else(dash);
    parts.filter(|(title, rest)| count(title) <= most && !is_blank(title) && !is_blank(rest))
}

/// Returns the severity that a line states: `Severity: HIGH`.
pub(super) fn stated_severity(text: &str) -> Option<Severity> {
    let lower = text.replace(['*', '_'], "").to_lowercase();
    let word = lower.strip_prefix("severity:")?.trim_start().split(|char: char| !char.is_alphabetic()).next()?;
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
        .into_iter()
        .find(|severity| severity.as_str() == word)
}

pub(super) fn joined(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Returns the words of an item with those of the items below it.
pub(super) fn whole(item: &Item) -> String {
    match item.belongings() {
        belongings if belongings.is_empty() => item.text.clone(),
        belongings => format!("{}: {belongings}", item.text.trim_end_matches([':', '.', ';'])),
    }
}

/// Recognizes a code such as `GV1` or `SP2.a`: capitals, a number, perhaps a letter or another number.
pub(super) fn is_code(word: &str) -> bool {
    let letters = word.chars().take_while(char::is_ascii_uppercase).count();
    let rest = &word[letters..];
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let tail = &rest[digits..];
    let short = |tail: &str| (1..=2).contains(&tail.len()) && tail.chars().all(|char| char.is_ascii_alphanumeric());
    (1..=6).contains(&letters)
        && digits <= 2
        && ((digits > 0 && tail.is_empty())
            || tail.strip_prefix('.').is_some_and(|tail| {
                short(tail) && (digits > 0 || tail.starts_with(|char: char| char.is_ascii_digit()))
            }))
}

/// An item's code, if it begins with one, and its words.
pub(super) fn split_code(item: &str) -> (Option<&str>, &str) {
    let bare = item.trim_start_matches(['`', '*', '(', '[']);
    match bare.split_once([' ', ':', '`', '*', ')', ']']) {
        Some((code, rest)) if is_code(code) => {
            (Some(code), rest.trim_start_matches([':', ' ', '-', '–', '—', '*', '`', ')', ']']))
        }
        _ => (None, item),
    }
}

/// Removes Markdown's marks, and quotation marks around the whole text.
pub(super) fn plainly(text: &str) -> String {
    let text = text.replace("**", "").replace('`', "");
    let text = text.trim();
    let inside = [('"', '"'), ('“', '”'), ('„', '“')].iter().find_map(|(open, close)| {
        let inside = text.strip_prefix(*open)?.strip_suffix(*close)?;
        (!inside.contains([*open, *close])).then_some(inside)
    });
    inside.unwrap_or(text).trim().trim_end_matches(';').to_owned()
}

/// Reports whether a text has neither letters nor digits.
pub(super) fn is_blank(text: &str) -> bool {
    !text.contains(char::is_alphanumeric)
}

pub(super) fn sentence(text: &str) -> String {
    let text = plainly(text);
    let ends = text.trim_end_matches(['"', '”', ')']).ends_with(['.', '!', '?']) || text.ends_with(':');
    if ends { text } else { format!("{}.", text.trim_end_matches(',')) }
}

/// Returns a short text whole, and the first words of a longer one.
pub(super) fn first_words(text: &str) -> String {
    const WORDS: usize = 12;
    let text = plainly(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() <= WORDS {
        return words.join(" ").trim_end_matches(['.', ':']).to_owned();
    }
    format!("{} …", words[..WORDS].join(" ").trim_end_matches([',', ';', ':']))
}

/// Returns the id of a policy with this file name.
pub(super) fn slug(name: &str) -> String {
    let stem = std::path::Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    let slug: String =
        stem.to_lowercase().chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let slug = slug.trim_matches('-').chars().take(64).collect::<String>();
    if slug.is_empty() { "imported".to_owned() } else { slug }
}
