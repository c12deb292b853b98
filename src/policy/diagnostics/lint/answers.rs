//! The request for an answer. A policy in parts gets it from its contract; a plain text must state it itself.

use super::collector::Collector;
use super::finding::Level;
use super::rule::LintRule;
use crate::policy::diagnostics::quoting::quoted;
use crate::policy::diagnostics::report::Span;
use crate::policy::read::document::Document;
use crate::policy::{Form, Policy};

/// Checks the labels of a contract.
pub(super) fn check_labels(findings: &mut Collector<'_>, file: &Document, policy: &Policy) {
    let Some(labels) = &file.contract.labels else { return };
    for (label, _) in &labels.value.0 {
        let lower = label.value.to_lowercase();
        let beginning = policy.contract.labels.iter().find(|other| {
            let other = other.text.to_lowercase();
            other.len() < lower.len() && lower.starts_with(&other)
        });
        if let Some(short) = beginning {
            let message = format!("{} begins as {} does", quoted(&label.value), quoted(&short.text));
            findings.add(LintRule::LabelPrefix, Level::Warning, label.span, message).with_hint(
                "a model that has begun one of them slips into the other: choose words with different beginnings",
            );
        }
        if !label.value.is_ascii() {
            findings
                .add(
                    LintRule::LabelScript,
                    Level::Warning,
                    label.span,
                    format_args!("{} is not plain ASCII", quoted(&label.value)),
                )
                .with_hint("a model may answer with a letter that looks the same: use plain ones");
        }
        if label.value.split_whitespace().count() > 1 && policy.contract.form == Form::Label {
            findings
                .add(
                    LintRule::LongLabel,
                    Level::Note,
                    label.span,
                    format_args!("{} is several words", quoted(&label.value)),
                )
                .with_hint("a model writes one word, better one token, most reliably");
        }
    }
}

/// Checks the request for an answer in a plain text.
pub(super) fn check_plain(findings: &mut Collector<'_>) {
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
    let whole = |index: usize| Span { line: index + 1, column: 1, width: lines[index].chars().count().max(1) };
    if let (Some(first), Some(last)) = (asked.first(), asked.last())
        && lines.len() >= SHORT
    {
        if *first > lines.len() / 2 {
            findings
                .add(
                    LintRule::AnswerNotAtTop,
                    Level::Warning,
                    whole(*first),
                    "the way to answer is stated only near the end",
                )
                .with_hint("state it near the top, in the instructions, too");
        } else if *last < lines.len() / 2 {
            findings
                .add(
                    LintRule::AnswerNotAtBottom,
                    Level::Warning,
                    whole(*last),
                    "the way to answer is stated only near the top",
                )
                .with_hint("state it again near the end, before the examples");
        }
    }
    let lower = findings.source.to_lowercase();
    let forbids = ["explanation", "nothing else", "no punctuation", "no other text", "only the label", "without any"];
    if !forbids.iter().any(|words| lower.contains(words)) {
        let span = asked.first().map_or(Span::default(), |first| whole(*first));
        findings
            .add(LintRule::NoExplanationWording, Level::Warning, span, "nothing forbids an explanation in the answer")
            .with_hint("add: Do not include any explanation or punctuation in the final answer");
    }
    let allowed = ["allowed", "permitted", "not a violation", "does not violate", "safe", "exceptions", "valid"];
    if !allowed.iter().any(|words| lower.contains(words)) {
        findings
            .add(
                LintRule::NoAllowedSection,
                Level::Warning,
                Span::default(),
                "the text does not mention allowed content",
            )
            .with_hint("name content that looks like a violation and is allowed");
    }
}

/// Reports whether at least one word in twenty is a common English one.
fn is_english(text: &str) -> bool {
    let common = ["the", "of", "to", "is", "are", "and", "not", "if", "that", "any", "with", "for", "or", "do", "word"];
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let known = words.iter().filter(|word| common.contains(&word.trim_matches(|char: char| !char.is_alphanumeric())));
    known.count() * 20 >= words.len()
}

/// The least lines of a text with a top and a bottom.
const SHORT: usize = 12;

/// Finds lines at the end that expect the content or the answer after them.
fn trailing(findings: &mut Collector<'_>, lines: &[&str]) {
    let Some(last) = lines.iter().rposition(|line| !line.trim().is_empty()) else { return };
    for index in (last.saturating_sub(1)..=last).rev() {
        let line = lines[index].trim();
        let opens = ["answer", "label", "classification", "output", "verdict"].iter().any(|word| {
            line.to_lowercase().strip_prefix(word).is_some_and(|rest| rest.ends_with(':') && rest.len() < 40)
        });
        let slot = line.to_lowercase().starts_with("content:") && (line.contains('[') || line.contains('{'));
        if opens || slot {
            let span = Span { line: index + 1, column: 1, width: lines[index].chars().count().max(1) };
            let (from, to) = (findings.byte_of_line(index + 1), findings.byte_of_line(index + 2));
            let finding =
                findings.add(LintRule::TrailingAnswer, Level::Warning, span, "the text ends as a form to be filled in");
            finding.with_hint("the content comes in a message of its own, and replies repeat such a line: delete it");
            finding.add_fix(from, to, "");
        }
    }
}
