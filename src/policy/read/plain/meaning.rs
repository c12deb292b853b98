//! The meaning that a text gives to its labels.
//!
//! The one idea: a label is read together with the words that belong to it. They come after it (`0 = safe`,
//! `return 0 if …`), before it (`if …, return 0`, `## SAFE (0)`), or in brackets. If two readings disagree, the label
//! has no meaning.

use super::offer::is_digit;
use super::sentences::block_and_line_sentences;
use crate::policy::Verdict;
use crate::policy::read::polarity::{Polarity, is_one, remark_polarity};

/// Every statement of a text about one label.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Lines, from 0, on which it means a violation.
    pub violation: Vec<usize>,
    /// Lines on which it means safe content.
    pub safe: Vec<usize>,
    /// Lines that define it in words that are not understood.
    pub unclear: Vec<usize>,
}

impl Meaning {
    /// Returns the meaning, if the text gives exactly one.
    pub fn verdict(&self) -> Option<Verdict> {
        match (self.violation.is_empty(), self.safe.is_empty()) {
            (false, true) => Some(Verdict::Violation),
            (true, false) => Some(Verdict::Safe),
            _ => None,
        }
    }

    /// Returns a line that contradicts this verdict.
    pub fn against(&self, verdict: Verdict) -> Option<usize> {
        match verdict.opposite() {
            Verdict::Violation => self.violation.first().copied(),
            Verdict::Safe => self.safe.first().copied(),
            Verdict::Review => None,
        }
    }
}

/// Returns the meaning of each of these labels, in their order.
pub(super) fn meanings(text: &str, labels: &[&str]) -> Vec<Meaning> {
    /// The most mentions to read. A text with more is longer than a context, and counts as not understood.
    const MOST: usize = 4_000;
    let mut meanings = vec![Meaning::default(); labels.len()];
    let mut read = 0;
    for sentence in block_and_line_sentences(text) {
        for (label, reading) in readings(&sentence.text, labels, MOST) {
            let meaning = &mut meanings[label];
            read += 1;
            if read >= MOST {
                meaning.unclear.push(sentence.line);
                return meanings;
            }
            match reading {
                Reading::Polarity(Polarity::Means(Verdict::Safe)) => meaning.safe.push(sentence.line),
                Reading::Polarity(Polarity::Means(_)) => meaning.violation.push(sentence.line),
                Reading::Undefined => meaning.unclear.push(sentence.line),
                Reading::Polarity(Polarity::Silent | Polarity::Unclear) => {}
            }
        }
    }
    meanings
}

/// The statement of one mention about its label.
enum Reading {
    Polarity(Polarity),
    /// A definition in words that are not understood.
    Undefined,
}

/// A label in a sentence.
struct Mention {
    label: usize,
    start: usize,
    end: usize,
    /// True if it is alone in brackets, perhaps after `label:`.
    bracketed: bool,
}

fn readings(sentence: &str, labels: &[&str], most: usize) -> Vec<(usize, Reading)> {
    let mentions = mentions(sentence, labels, most);
    let in_run = in_run(sentence, &mentions);
    // The end of the words that belong to the previous mention, and whether that one still lacks a meaning.
    let (mut used, mut open) = (0, false);
    let mut readings = Vec::new();
    for (index, mention) in mentions.iter().enumerate() {
        let next = mentions.get(index + 1).map_or(sentence.len(), |next| next.start);
        let before = &sentence[used.min(mention.start)..mention.start];
        let after = &sentence[mention.end..next];
        used = mention.end;
        let place = Around { before, after, bracketed: mention.bracketed };
        let was_open = std::mem::take(&mut open);
        let reading = match (place.remark(), in_run[index]) {
            _ if is_denied(before) => Some(Reading::Undefined),
            (Some(remark), _) => {
                used = next;
                Some(defined(remark))
            }
            (None, true) => None,
            (None, _) if place.defines_behind() => {
                used = next;
                Some(defined(after))
            }
            (None, _) if place.defines_before() => {
                open = remark_polarity(before) == Polarity::Silent;
                Some(defined(before))
            }
            (None, _) => match place.either() {
                // The words in between could belong to the previous mention.
                Polarity::Means(_) if was_open && remark_polarity(before) != Polarity::Silent => {
                    Some(Reading::Undefined)
                }
                polarity => {
                    open = polarity == Polarity::Silent;
                    Some(Reading::Polarity(polarity))
                }
            },
        };
        readings.extend(reading.map(|reading| (mention.label, reading)));
    }
    readings
}

/// Reports whether the text forbids the label after these words: `never return`, `not`.
fn is_denied(before: &str) -> bool {
    let clause = before.rsplit([',', ';', ':', '.', '(', '—', '|']).next().unwrap_or(before).to_lowercase();
    let words: Vec<&str> = clause
        .split(|char: char| !(char.is_alphanumeric() || "'’".contains(char)))
        .filter(|word| !word.is_empty())
        .collect();
    let last = words.iter().rev().find(|word| !is_one(BETWEEN, word));
    last.is_some_and(|word| {
        is_one("not never avoid no cannot opposite instead than", word)
            || word.ends_with("n't")
            || word.ends_with("n’t")
    })
}

/// Words that can occur between a denial and the label that it denies.
const BETWEEN: &str = "return returns returned returning answer output respond reply say give given use used label labelled \
    labeled mark marked set choose write print classify classified assign assigned put score be ever a an the it this as \
    with get gets received receive of to";

fn defined(words: &str) -> Reading {
    match remark_polarity(words) {
        Polarity::Unclear => Reading::Undefined,
        polarity => Reading::Polarity(polarity),
    }
}

/// The words on both sides of a mention.
struct Around<'a> {
    before: &'a str,
    after: &'a str,
    bracketed: bool,
}

/// Marks around a label that carry no meaning.
const MARKS: [char; 12] = [' ', '\t', '`', '"', '\'', '*', '“', '”', '‘', '’', '_', '|'];

/// Words that lead from a label to its meaning.
const LEADS: &str = "if when where whenever for means mean meaning indicates denotes signifies represents stands is only to \
    should must corresponds refers in on";

/// Words that lead to the meaning after a comma. `if` is not one: its clause may lead to the next label.
const CLAUSES: &str = "meaning which i.e. indicating denoting signifying representing";

impl Around<'_> {
    /// Returns a remark in brackets right after the label: `0 (safe)`.
    fn remark(&self) -> Option<&str> {
        let inside = self.after.trim_start_matches(MARKS).strip_prefix(['(', '['])?;
        (!self.bracketed).then(|| inside.split([')', ']']).next().unwrap_or(inside))
    }

    /// Reports whether the meaning follows: `0 = safe`, `0 if it is safe`.
    fn defines_behind(&self) -> bool {
        // `0, meaning that it is safe`
        let clause = self.after.trim_start_matches(MARKS).strip_prefix(',').map(str::trim_start);
        if clause.is_some_and(|clause| is_one(CLAUSES, clause.split(' ').next().unwrap_or_default())) {
            return true;
        }
        let after = self.after.trim_start_matches(')').trim_start_matches(MARKS).trim_start_matches(')');
        let after = after.trim_start_matches(MARKS);
        let first = after.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
        let sign = ["=", ":", "->", "→", "–", "—", "- "].iter().any(|sign| after.starts_with(sign));
        sign && after.chars().any(char::is_alphabetic) || is_one(LEADS, &first)
    }

    /// Reports whether the meaning comes before the label: `safe = 0`, `SAFE (0)`.
    fn defines_before(&self) -> bool {
        let before = self.before.trim_end_matches(MARKS);
        let nothing_behind = !self.after.chars().any(char::is_alphabetic);
        ["=", ":", "->", "→", "=>", "–", "—", " -"].iter().any(|sign| before.ends_with(sign))
            || (self.bracketed && nothing_behind)
    }

    /// Returns the meaning if no sign shows its side. Both sides must agree, or one must be silent.
    fn either(&self) -> Polarity {
        let after = self.after.trim_start_matches([')', ']']).trim_start_matches(MARKS);
        let first = after.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
        // Another clause begins here.
        let breaks =
            after.starts_with([',', ';', '.', ')']) || ["and", "or", "otherwise", "else", "but"].contains(&&*first);
        let behind = if breaks { Polarity::Silent } else { remark_polarity(self.after) };
        match (remark_polarity(self.before), behind) {
            (Polarity::Silent, polarity) | (polarity, Polarity::Silent) => polarity,
            (one, other) if one == other => one,
            _ => Polarity::Unclear,
        }
    }
}

/// Marks the mentions that are only offered in a choice: `0 or 1`.
fn in_run(sentence: &str, mentions: &[Mention]) -> Vec<bool> {
    let joined = |one: &Mention, other: &Mention| {
        let between = &sentence[one.end..other.start];
        between
            .split(|char: char| !char.is_alphanumeric())
            .all(|word| word.is_empty() || ["or", "and"].contains(&word.to_lowercase().as_str()))
            && !between.contains(['=', ':', '(', '.', ';', '→', '>'])
            && one.label != other.label
    };
    let links: Vec<bool> = mentions.windows(2).map(|pair| joined(&pair[0], &pair[1])).collect();
    (0..mentions.len())
        .map(|index| (index > 0 && links[index - 1]) || links.get(index).copied().unwrap_or(false))
        .collect()
}

/// Words before a number that is not a label: `rule 1`, `at least 1`.
const COUNTED_BEFORE: &str = "least most than rule rules section sections step example examples part chapter figure page version \
    article item within point paragraph appendix table";

/// Units after a number that is not a label: `1 day`.
const COUNTED_BEHIND: &str = "day days hour hours week weeks month months year years minute minutes link links";

fn mentions(sentence: &str, labels: &[&str], most: usize) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut at = 0;
    let is_word = |char: char| char.is_alphanumeric() || "_-#".contains(char);
    while at < sentence.len() && mentions.len() <= most {
        let Some(char) = sentence[at..].chars().next() else { break };
        if !is_word(char) {
            at += char.len_utf8();
            continue;
        }
        let length = sentence[at..].find(|char| !is_word(char)).unwrap_or(sentence.len() - at);
        let (start, end) = (at, at + length);
        at = end;
        let word = sentence[start..end].trim_end_matches('-');
        let end = start + word.len();
        let Some(label) = labels.iter().position(|label| *label == word) else { continue };
        let (before, after) = (&sentence[..start], &sentence[end..]);
        if stands_for_itself(word, before, after) {
            let bracketed = is_bracketed(before, after);
            mentions.push(Mention { label, start, end, bracketed });
        }
    }
    mentions
}

/// Reports whether a word spelt like a label is one, rather than a number or an ordinary word.
fn stands_for_itself(word: &str, before: &str, after: &str) -> bool {
    let last = before.trim_end().rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let next = after.trim_start().split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    if is_digit(word) {
        let decimal = |char: Option<char>, further: Option<char>| {
            char.is_some_and(|char| ".,:".contains(char)) && further.is_some_and(|char| char.is_ascii_digit())
        };
        let (mut back, mut forth) = (before.chars().rev(), after.chars());
        let part_of_number = decimal(back.next(), back.next()) || decimal(forth.next(), forth.next());
        let numbering = before.trim().is_empty() && after.starts_with(['.', ')']);
        let sign = before.ends_with(['$', '€', '£', '+', '.', '§']) || after.starts_with(['%', '+', '°']);
        return !part_of_number
            && !numbering
            && !sign
            && !is_one(COUNTED_BEFORE, &last)
            && !is_one(COUNTED_BEHIND, &next);
    }
    let shouted = !word.chars().any(char::is_lowercase);
    let marked = before.ends_with(['`', '"', '\'', '*', '“']) && after.starts_with(['`', '"', '\'', '*', '”']);
    let begins = before.chars().all(|char| !char.is_alphanumeric())
        && ["=", ":", " - ", " – ", " — ", " ="].iter().any(|sign| after.starts_with(sign));
    shouted || marked || begins
}

fn is_bracketed(before: &str, after: &str) -> bool {
    /// The distance in bytes within which an opening bracket counts.
    const NEAR: usize = 40;
    let closed = after.trim_start_matches(MARKS).starts_with([')', ']']);
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR))..];
    let open = near.rfind(['(', '[']).map(|at| &near[at + 1..]);
    closed
        && open.is_some_and(|inside| {
            let words = inside.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
            ["", "label", "answer", "output", "score", "value", "return", "code"].contains(&words.as_str())
        })
}
