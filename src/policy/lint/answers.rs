//! How a reply is asked for. A policy in parts has that written for it; a plain text must say it itself.

use super::{Findings, Level, Place};
use crate::policy::file::Document;
use crate::policy::phrase::quoted;
use crate::policy::{Form, Policy};

/// Labels of a contract.
pub(super) fn of_labels(findings: &mut Findings<'_>, file: &Document, policy: &Policy) {
    let Some(labels) = &file.contract.labels else { return };
    for (label, _) in &labels.value.0 {
        let lower = label.value.to_lowercase();
        let begun = policy.contract.labels.iter().find(|other| {
            let other = other.text.to_lowercase();
            other.len() < lower.len() && lower.starts_with(&other)
        });
        if let Some(short) = begun {
            let message = format!("{} begins as {} does", quoted(&label.value), quoted(&short.text));
            findings
                .add("label-prefix", Level::Warning, label.place, message)
                .hint("a model that has begun the one slips into the other: choose words that part at once");
        }
        if !label.value.is_ascii() {
            findings
                .add(
                    "label-script",
                    Level::Warning,
                    label.place,
                    format_args!("{} is not plain ASCII", quoted(&label.value)),
                )
                .hint("a model may answer with a letter that looks the same: use plain ones");
        }
        if label.value.split_whitespace().count() > 1 && policy.contract.form == Form::Label {
            findings
                .add("long-label", Level::Note, label.place, format_args!("{} is several words", quoted(&label.value)))
                .hint("one word, better one token, is what a model writes most surely");
        }
    }
}

/// What a plain text says of its answer.
pub(super) fn of_plain(findings: &mut Findings<'_>) {
    let lines: Vec<&str> = findings.source.lines().collect();
    trailing(findings, &lines);
    // The next checks look for English words, and would report them missing in any other language.
    if !is_english(findings.source) {
        return;
    }
    let asks = |line: &&str| {
        let lower = line.to_lowercase();
        let verb =
            ["return", "answer", "respond", "reply", "output", "classify"].iter().any(|verb| lower.contains(verb));
        verb && ["exactly", "only", " or ", "one of", "either"].iter().any(|word| lower.contains(word))
    };
    let asked: Vec<usize> = lines.iter().enumerate().filter(|(_, line)| asks(line)).map(|(index, _)| index).collect();
    let whole = |index: usize| Place { line: index + 1, column: 1, width: lines[index].chars().count().max(1) };
    if let (Some(first), Some(last)) = (asked.first(), asked.last())
        && lines.len() >= SHORT
    {
        if *first > lines.len() / 2 {
            findings
                .add("answer-not-at-top", Level::Warning, whole(*first), "how to answer is said only near the end")
                .hint("say it near the top, in the instructions, too");
        } else if *last < lines.len() / 2 {
            findings
                .add("answer-not-at-bottom", Level::Warning, whole(*last), "how to answer is said only near the top")
                .hint("say it again near the end, before the examples");
        }
    }
    let lower = findings.source.to_lowercase();
    let forbids = ["explanation", "nothing else", "no punctuation", "no other text", "only the label", "without any"];
    if !forbids.iter().any(|words| lower.contains(words)) {
        let place = asked.first().map_or(Place::default(), |first| whole(*first));
        findings
            .add(
                "no-explanation-wording",
                Level::Warning,
                place,
                "nothing says that the answer comes without explanation",
            )
            .hint("add: Do not include any explanation or punctuation in the final answer");
    }
    let allowed = ["allowed", "permitted", "not a violation", "does not violate", "safe", "exceptions", "valid"];
    if !allowed.iter().any(|words| lower.contains(words)) {
        findings
            .add("no-allowed-section", Level::Warning, Place::default(), "nothing says what is allowed")
            .hint("name what looks like a violation and is none");
    }
}

/// Reports whether at least one word in twenty is a common English one.
fn is_english(text: &str) -> bool {
    let common = ["the", "of", "to", "is", "are", "and", "not", "if", "that", "any", "with", "for", "or", "do", "word"];
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let known = words.iter().filter(|word| common.contains(&word.trim_matches(|char: char| !char.is_alphanumeric())));
    known.count() * 20 >= words.len()
}

/// Lines of a text that is so short that its top is its bottom.
const SHORT: usize = 12;

/// What would stand around the content, were it part of this text.
fn trailing(findings: &mut Findings<'_>, lines: &[&str]) {
    let Some(last) = lines.iter().rposition(|line| !line.trim().is_empty()) else { return };
    for index in (last.saturating_sub(1)..=last).rev() {
        let line = lines[index].trim();
        let opens = ["answer", "label", "classification", "output", "verdict"].iter().any(|word| {
            line.to_lowercase().strip_prefix(word).is_some_and(|rest| rest.ends_with(':') && rest.len() < 40)
        });
        let slot = line.to_lowercase().starts_with("content:") && (line.contains('[') || line.contains('{'));
        if opens || slot {
            let place = Place { line: index + 1, column: 1, width: lines[index].chars().count().max(1) };
            let (from, to) = (findings.byte_of_line(index + 1), findings.byte_of_line(index + 2));
            let finding =
                findings.add("trailing-answer", Level::Warning, place, "the text ends as a form to be filled in");
            finding.hint("the content comes in a message of its own, and replies echo such a line: delete it");
            finding.fix(from, to, "");
        }
    }
}
