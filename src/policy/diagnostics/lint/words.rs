//! Words and characters that weaken a policy.

use super::collector::{Collector, find_word, rule_texts};
use super::finding::Level;
use super::hidden::{Found, Hidden, hidden};
use super::rule::LintRule;
use crate::harmony::Control;
use crate::hint::{Hint, Setting};
use crate::policy::diagnostics::report::Span;
use crate::policy::read::document::Document;

/// Words that leave open when a rule applies.
const VAGUE: [&str; 10] = [
    "generally",
    "usually",
    "normally",
    "often",
    "typically",
    "mostly",
    "etc",
    "and so on",
    "as appropriate",
    "and the like",
];

/// Words with a meaning that depends on the date.
const TIME: [&str; 6] = ["today", "currently", "recently", "nowadays", "tomorrow", "this year"];

/// Marks of a text that the author meant to replace. In small letters, `todo` is a word of other languages.
const UNFINISHED: [&str; 7] = ["TODO", "Todo:", "todo:", "TBD", "FIXME", "XXX", "Lorem ipsum"];

/// Finds invisible characters and control tokens in the source, in any notation.
pub(super) fn check_source(findings: &mut Collector<'_>) {
    for (index, line) in findings.lines().enumerate() {
        let start = findings.byte_of_line(index + 1);
        for Found { at, index: before, char, kind } in hidden(line) {
            // A byte order mark belongs to the encoding.
            if start + at == 0 {
                continue;
            }
            let span = Span { line: index + 1, column: before + 1, width: 1 };
            let message = format_args!("an invisible character, U+{:04X}", u32::from(char));
            let finding = findings.add(LintRule::InvisibleCharacter, Level::Warning, span, message);
            match kind {
                Hidden::Stray => finding
                    .with_hint("the model reads it, and an editor does not show it: delete it")
                    .add_fix(start + at, start + at + char.len_utf8(), ""),
                Hidden::Turning => {
                    finding.with_hint(
                        "it changes the order in which letters are shown: delete it unless the script needs it",
                    );
                }
            }
        }
        for control in Control::ALL {
            if let Some(at) = line.find(control.name()) {
                let span =
                    Span { line: index + 1, column: line[..at].chars().count() + 1, width: control.name().len() };
                findings
                    .add(LintRule::ControlToken, Level::Note, span, "text that spells a control token of harmony")
                    .with_hint(
                        "the model reads it as text and never as a token; describe it in words unless it is an example",
                    );
            }
        }
    }
}

/// Checks the words of the rules of a policy in parts.
pub(super) fn check_texts(findings: &mut Collector<'_>, file: &Document) {
    for text in rule_texts(file) {
        let lower = text.value.to_lowercase();
        for word in VAGUE.iter().filter(|word| find_word(&lower, word).is_some()) {
            let span = findings.find_for(LintRule::VagueWord, text.span, word);
            findings
                .add(
                    LintRule::VagueWord,
                    Level::Warning,
                    span,
                    format_args!("`{word}` leaves open when the rule applies"),
                )
                .with_hint("state when it applies and when it does not");
        }
        for word in TIME.iter().filter(|word| find_word(&lower, word).is_some()) {
            let span = findings.find_for(LintRule::TimeWord, text.span, word);
            findings
                .add(
                    LintRule::TimeWord,
                    Level::Warning,
                    span,
                    format_args!("`{word}` has another meaning on another day"),
                )
                .with_hint("the model does not know the date: name a time, or leave it out");
        }
        for word in UNFINISHED.iter().filter(|word| find_word(&text.value, word).is_some()) {
            let span = findings.find_for(LintRule::Unfinished, text.span, &word.to_lowercase());
            findings
                .add(LintRule::Unfinished, Level::Warning, span, "this text is not finished")
                .with_hint("replace it");
        }
        if let Some(words) = ["reasoning: low", "reasoning: medium", "reasoning: high", "think step by step"]
            .iter()
            .find(|words| lower.contains(*words))
        {
            let span = findings.find(text.span, words);
            findings
                .add(
                    LintRule::EffortWord,
                    Level::Warning,
                    span,
                    "the policy's text does not set the length of the reasoning",
                )
                .with_hint(Hint::new("use `effort:` in the policy, or ").setting(Setting::Effort));
        }
        let count = text.value.split_whitespace().count();
        if count > LONGEST {
            findings
                .add(LintRule::LongRule, Level::Note, text.span, format_args!("a rule of {count} words"))
                .with_hint(format!("split it: a model follows rules of at most {LONGEST} words more reliably"));
        }
    }
}

/// The most words of a rule.
const LONGEST: usize = 50;
