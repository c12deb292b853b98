//! What a line of prose offers as answers.
//!
//! The one idea: a choice is a run of words that are parted by nothing but `or`, commas, slashes and bars. What the rest
//! of the text says is not known here.

use std::collections::BTreeSet;
use std::fmt;

use super::super::phrase::{listed, quoted};
use super::super::{Label, Verdict};

/// What a line asks for.
pub(super) enum Offer {
    Labels(Vec<Label>),
    /// A choice in which one word has no known meaning.
    Unknown(String),
    Json,
    Codes,
}

impl Offer {
    /// Two lines state the same contract if their keys are equal; the order of the labels does not count.
    pub(super) fn key(&self) -> BTreeSet<&str> {
        match self {
            Self::Labels(labels) => labels.iter().map(|label| label.text.as_str()).collect(),
            Self::Unknown(word) => BTreeSet::from(["unknown", word]),
            Self::Json => BTreeSet::from(["a JSON object"]),
            Self::Codes => BTreeSet::from(["category codes"]),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels(labels) => {
                let words: Vec<_> = labels.iter().map(|label| quoted(&label.text)).collect();
                formatter.write_str(&listed(&words))
            }
            Self::Unknown(word) => write!(formatter, "a choice with {}", quoted(word)),
            Self::Json => formatter.write_str("a JSON object"),
            Self::Codes => formatter.write_str("category codes"),
        }
    }
}

/// Answers whose meaning is the same in every policy that we know.
fn meaning(word: &str) -> Option<Verdict> {
    match word.to_ascii_uppercase().as_str() {
        "1" | "INVALID" | "UNSAFE" | "VIOLATION" | "VIOLATES" | "VIOLATING" | "BLOCK" | "BLOCKED" | "DENY" => {
            Some(Verdict::Violation)
        }
        "0" | "VALID" | "SAFE" | "ALLOW" | "ALLOWED" => Some(Verdict::Safe),
        "ESCALATE" | "REVIEW" => Some(Verdict::Review),
        _ => None,
    }
}

/// Words without which a choice in prose is no request for an answer. The strong ones allow labels in lower case too.
const STRONG_CUES: [&str; 5] = ["exactly one", "one word", "one character", "one of", "answer ("];
const CUES: [&str; 8] = ["return", "respond", "reply", "answer", "output", "classify", "label", "exactly one"];

pub(super) fn statement(line: &str) -> Option<Offer> {
    let lower = line.to_lowercase();
    if lower.contains(r#"{"violation""#) || lower.contains(r#"{ "violation""#) {
        return Some(Offer::Json);
    }
    let strong = STRONG_CUES.iter().any(|cue| lower.contains(cue));
    if !strong && !CUES.iter().any(|cue| lower.contains(cue)) {
        return None;
    }
    choices(line).into_iter().find_map(|words| offer(&words, strong))
}

fn offer(words: &[&str], strong: bool) -> Option<Offer> {
    let shouted = |word: &str| word.len() > 1 && !word.chars().any(char::is_lowercase);
    let is_label = |word: &&str| meaning(word).is_some() && (strong || word.len() == 1 || shouted(word));
    let labels = || words.iter().filter(|word| is_label(word));
    let says = |verdict| labels().any(|word| meaning(word) == Some(verdict));
    if !says(Verdict::Safe) || !says(Verdict::Violation) {
        return None;
    }
    if let Some(strange) = words.iter().find(|word| meaning(word).is_none() && shouted(word)) {
        return Some(Offer::Unknown((*strange).to_owned()));
    }
    let labels = labels().filter_map(|word| Some(Label { text: (*word).to_owned(), verdict: meaning(word)? }));
    Some(Offer::Labels(labels.collect()))
}

/// Runs of words that are parted by nothing but `or`, commas, slashes and bars; quotes and remarks in parentheses do
/// not part them.
fn choices(line: &str) -> Vec<Vec<&str>> {
    let mut runs = vec![Vec::new()];
    let mut joined = false;
    let mut rest = line;
    while let Some(char) = rest.chars().next() {
        let word_end = rest.find(|char: char| !(char.is_alphanumeric() || "_-#".contains(char))).unwrap_or(rest.len());
        let run: &mut Vec<&str> = match runs.last_mut() {
            Some(run) => run,
            None => return runs,
        };
        if word_end > 0 {
            let (word, after) = rest.split_at(word_end);
            if word.eq_ignore_ascii_case("or") && !run.is_empty() {
                joined = true;
            } else if joined || run.is_empty() {
                run.push(word);
                joined = false;
            } else {
                runs.push(vec![word]);
            }
            rest = after;
            continue;
        }
        rest = &rest[char.len_utf8()..];
        match char {
            ',' | '/' | '|' if !run.is_empty() => joined = true,
            '(' if !run.is_empty() && !joined => match rest.split_once(')') {
                // A remark on the word before it, unless it offers a choice of its own.
                Some((remark, after)) if choices(remark).iter().all(|run| run.len() < 2) => {
                    rest = after;
                }
                _ => runs.push(Vec::new()),
            },
            ' ' | '\t' | '\r' | '`' | '"' | '\'' | '*' | '“' | '”' | '‘' | '’' => {}
            _ => {
                runs.push(Vec::new());
                joined = false;
            }
        }
    }
    runs
}
