//! The answers that a sentence of prose offers.
//!
//! The one idea: a choice is a run of words with only `or`, commas, slashes and bars between them. A sentence about
//! JSON, or about a flag for each of several things, offers no words.

use std::collections::BTreeSet;
use std::fmt;

use crate::policy::diagnostics::quoting::{listed, quoted};
use crate::policy::{Label, Verdict};

/// A request for an answer.
#[derive(Debug)]
pub(super) enum Offer {
    /// A choice of words that all have a usual meaning.
    Labels(Vec<Label>),
    /// A choice in which one word has no known meaning.
    Unknown(Vec<String>),
    Json,
    Flags,
    Codes,
}

impl Offer {
    /// Returns a key that is equal for equal contracts. The order of the labels does not count.
    pub(super) fn key(&self) -> BTreeSet<&str> {
        match self {
            Self::Labels(labels) => labels.iter().map(|label| label.text.as_str()).collect(),
            Self::Unknown(words) => words.iter().map(String::as_str).collect(),
            Self::Json => BTreeSet::from(["a JSON object"]),
            Self::Flags => BTreeSet::from(["a flag for each"]),
            Self::Codes => BTreeSet::from(["category codes"]),
        }
    }

    /// Returns the offered words. Empty if it asks for something else.
    pub(super) fn words(&self) -> Vec<&str> {
        match self {
            Self::Labels(labels) => labels.iter().map(|label| label.text.as_str()).collect(),
            Self::Unknown(words) => words.iter().map(String::as_str).collect(),
            Self::Json | Self::Flags | Self::Codes => Vec::new(),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels(_) | Self::Unknown(_) => {
                let words: Vec<_> = self.words().into_iter().map(quoted).collect();
                formatter.write_str(&listed(&words))
            }
            Self::Json => formatter.write_str("a JSON object"),
            Self::Flags => formatter.write_str("a flag for each of several things"),
            Self::Codes => formatter.write_str("category codes"),
        }
    }
}

/// Returns the usual meaning of an answer. That of a digit counts only if the text confirms it.
pub(in crate::policy) fn usual_verdict(word: &str) -> Option<Verdict> {
    match word.to_ascii_uppercase().as_str() {
        "1" | "INVALID" | "UNSAFE" | "VIOLATION" | "VIOLATES" | "VIOLATING" | "BLOCK" | "BLOCKED" | "DENY" => {
            Some(Verdict::Violation)
        }
        "0" | "VALID" | "SAFE" | "ALLOW" | "ALLOWED" => Some(Verdict::Safe),
        "ESCALATE" | "REVIEW" => Some(Verdict::Review),
        _ => None,
    }
}

/// Reports whether a word is a number.
pub(in crate::policy) fn is_digit(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words without which a choice in prose is no request for an answer. The strong ones allow labels in lower case too.
const STRONG_CUES: [&str; 7] =
    ["exactly one", "one word", "one character", "one of", "answer (", "single word", "single character"];
const CUES: [&str; 9] =
    ["return", "respond", "reply", "answer", "output", "classify", "label", "exactly one", "the digit"];

/// The bytes around a choice that may describe it. The bound keeps the time linear in a text that repeats itself.
const NEAR: usize = 200;

/// Verbs of a request for a format.
const REQUESTS: [&str; 16] = [
    "return", "returns", "respond", "reply", "answer", "output", "format", "provide", "produce", "print", "give",
    "emit", "write", "generate", "response", "must",
];

/// Returns every answer that a sentence asks for.
pub(super) fn offers(sentence: &str) -> Vec<Offer> {
    let lower = sentence.to_lowercase();
    let strong = STRONG_CUES.iter().any(|cue| lower.contains(cue));
    let cue = strong || CUES.iter().any(|cue| lower.contains(cue));
    let runs = choices(sentence);
    let chooses = runs.iter().any(|run| run.words.len() > 1);
    if asks_for_json(&lower, chooses) {
        return vec![Offer::Json];
    }
    if !cue {
        return Vec::new();
    }
    if chooses && asks_for_flags(&lower) {
        return vec![Offer::Flags];
    }
    runs.iter()
        .filter(|run| !is_denied(&sentence[..run.start]))
        .filter_map(|run| offer(run, sentence, strong))
        .collect()
}

fn asks_for_json(lower: &str, chooses: bool) -> bool {
    let words: Vec<&str> = lower.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let request = words.iter().any(|word| REQUESTS.contains(word));
    // An object with a key: `{"label": 0 or 1}`.
    let object = lower.split('{').skip(1).any(|inside| {
        let key = inside.trim_start();
        key.starts_with(['"', '\'', '“']) && key.contains(':')
    });
    let named = words.iter().enumerate().any(|(at, word)| {
        let denied =
            words[at.saturating_sub(4)..at].iter().any(|word| ["no", "not", "t", "never", "without"].contains(word));
        *word == "json" && !denied
    });
    (object && (request || chooses || lower.contains("\"violation\""))) || (named && request)
}

fn asks_for_flags(lower: &str) -> bool {
    ["flags", "for each ", "for every ", "per category", "each category", "one per ", "a list of", "comma-separated"]
        .iter()
        .any(|words| lower.contains(words))
}

/// Reports whether a choice is forbidden: `do not answer`, but not `answer nothing but`.
fn is_denied(before: &str) -> bool {
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR))..];
    let clause = near.rsplit([',', ';', ':', '—', '(']).next().unwrap_or(near).to_lowercase();
    let words = || clause.split(|char: char| !(char.is_alphanumeric() || "'’".contains(char)));
    let denies = words()
        .any(|word| ["not", "never", "avoid"].contains(&word) || word.ends_with("n't") || word.ends_with("n’t"))
        || clause.contains("instead of")
        || clause.contains("rather than");
    denies && !words().any(|word| ["but", "except", "than", "just", "only", "simply"].contains(&word))
}

fn offer(run: &Run<'_>, sentence: &str, strong: bool) -> Option<Offer> {
    let shouted =
        |word: &str| word.len() > 1 && word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
    let is_label = |word: &str| usual_verdict(word).is_some() && (strong || is_digit(word) || shouted(word));
    // `Return, please, 0 or 1`: the words before a choice are not part of it.
    let is_offered = |word: &str| is_label(word) || is_digit(word) || shouted(word);
    let mut words: Vec<&str> = run.words.iter().copied().skip_while(|word| !is_offered(word)).collect();
    // `VALID or INVALID, nothing else`: the words after it are not part of it either.
    let goes_on = sentence[run.end..].trim_start().starts_with(char::is_alphabetic);
    if let Some(last) = words.last().filter(|last| run.loose && !is_offered(last))
        && (goes_on || ["only", "please", "alone"].contains(last))
    {
        words.pop();
    }
    let says = |verdict| words.iter().any(|word| is_label(word) && usual_verdict(word) == Some(verdict));
    if says(Verdict::Safe) && says(Verdict::Violation) {
        let mut labels: Vec<Label> = Vec::new();
        for word in &words {
            let Some(verdict) = usual_verdict(word).filter(|_| is_label(word)) else {
                return Some(Offer::Unknown(unique(&words)));
            };
            if labels.iter().all(|label| label.text != *word) {
                labels.push(Label { text: (*word).to_owned(), verdict });
            }
        }
        return Some(Offer::Labels(labels));
    }
    let strange = words.len() > 1 && words.iter().all(|word| shouted(word) || is_digit(word));
    if strange && asked_for(&sentence[..run.start]) {
        return Some(Offer::Unknown(unique(&words)));
    }
    // `Answer with one word: Yes or No`
    let alone = run.words.len() > 1
        && strong
        && sentence[..run.start].trim_end_matches(MARKS).ends_with(':')
        && sentence[run.end..].trim_matches(MARKS).trim_matches('.').is_empty();
    alone.then(|| Offer::Unknown(unique(&run.words)))
}

/// Quotes and marks of Markdown around a word.
const MARKS: [char; 10] = [' ', '`', '"', '\'', '*', '“', '”', '‘', '’', '_'];

/// Reports whether a text ends in a request for the words after it.
fn asked_for(before: &str) -> bool {
    let before = before.trim_end_matches(MARKS);
    let last = before.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let leads = [
        "return", "respond", "reply", "answer", "output", "with", "either", "only", "just", "word", "words", "as",
        "of", "exactly", "label", "labels", "digit", "number", "one",
    ];
    before.ends_with([':', '(']) || leads.contains(&last.as_str())
}

fn unique(words: &[&str]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for word in words {
        if !unique.iter().any(|other| other == word) {
            unique.push((*word).to_owned());
        }
    }
    unique
}

/// Words that are offered side by side, and their place in the sentence.
#[derive(Debug, Default)]
struct Run<'a> {
    words: Vec<&'a str>,
    start: usize,
    end: usize,
    /// True if only a comma separates the last word.
    loose: bool,
}

/// Returns runs of words with only `or`, commas, slashes and bars between them. Quotes and remarks in parentheses may
/// occur inside a run.
fn choices(line: &str) -> Vec<Run<'_>> {
    let mut runs = vec![Run::default()];
    let (mut joined, mut comma) = (false, false);
    let mut at = 0;
    while let Some(char) = line[at..].chars().next() {
        let rest = &line[at..];
        let length = rest.find(|char: char| !(char.is_alphanumeric() || "_-#".contains(char))).unwrap_or(rest.len());
        let Some(run) = runs.last_mut() else { return runs };
        if length > 0 {
            let word = &rest[..length];
            if word.eq_ignore_ascii_case("or") && !run.words.is_empty() {
                (joined, comma) = (true, false);
            } else if joined || run.words.is_empty() {
                if run.words.is_empty() {
                    run.start = at;
                }
                run.words.push(word);
                (run.end, run.loose) = (at + length, comma);
                (joined, comma) = (false, false);
            } else {
                runs.push(Run { words: vec![word], start: at, end: at + length, loose: false });
            }
            at += length;
            continue;
        }
        at += char.len_utf8();
        match char {
            ',' if !run.words.is_empty() && !joined => (joined, comma) = (true, true),
            ',' if !run.words.is_empty() => {}
            '/' | '|' if !run.words.is_empty() => (joined, comma) = (true, false),
            '(' if !run.words.is_empty() && !joined => match line[at..line.floor_char_boundary(at + NEAR)]
                .split_once(')')
            {
                // A remark on the word before it, unless it offers a choice of its own.
                Some((remark, _)) if choices(remark).iter().all(|run| run.words.len() < 2) => at += remark.len() + 1,
                _ => runs.push(Run::default()),
            },
            ' ' | '\t' | '\r' | '`' | '"' | '\'' | '*' | '“' | '”' | '‘' | '’' => {}
            _ => {
                runs.push(Run::default());
                (joined, comma) = (false, false);
            }
        }
    }
    runs.retain(|run| !run.words.is_empty());
    runs
}
