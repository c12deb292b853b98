//! Words and characters that a policy is better without.

use super::hidden::{Found, Hidden, hidden};
use super::{Findings, Level, Place, texts, word_in};
use crate::harmony::Control;
use crate::policy::file::Document;

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

/// Words that mean another thing on another day.
const TIME: [&str; 6] = ["today", "currently", "recently", "nowadays", "tomorrow", "this year"];

/// What an author meant to replace.
const UNFINISHED: [&str; 5] = ["todo", "tbd", "fixme", "xxx", "lorem ipsum"];

/// Whatever the source is: what nobody sees, and what is no text.
pub(super) fn of_source(findings: &mut Findings<'_>) {
    for (index, line) in findings.lines().enumerate() {
        let start = findings.byte_of_line(index + 1);
        for Found { at, index: before, char, kind } in hidden(line) {
            // A byte order mark belongs to the encoding.
            if start + at == 0 {
                continue;
            }
            let place = Place { line: index + 1, column: before + 1, width: 1 };
            let message = format_args!("an invisible character, U+{:04X}", u32::from(char));
            let finding = findings.add("invisible-character", Level::Warning, place, message);
            match kind {
                Hidden::Stray => finding
                    .hint("the model reads it, and nobody who edits the policy sees it: delete it")
                    .fix(start + at, start + at + char.len_utf8(), ""),
                Hidden::Turning => {
                    finding.hint("it turns the order of letters that are read: delete it unless the script needs it");
                }
            }
        }
        for control in Control::ALL {
            if let Some(at) = line.find(control.name()) {
                let place =
                    Place { line: index + 1, column: line[..at].chars().count() + 1, width: control.name().len() };
                findings
                    .add("control-token", Level::Note, place, "text that spells a control token of harmony")
                    .hint("it is read as text and never becomes one; say it in words if it is no example");
            }
        }
    }
}

/// Of a policy in parts: the rules' own words.
pub(super) fn of_texts(findings: &mut Findings<'_>, file: &Document) {
    for text in texts(file) {
        let lower = text.value.to_lowercase();
        for word in VAGUE.iter().filter(|word| word_in(&lower, word).is_some()) {
            let place = findings.place_of("vague-word", text.place, word);
            findings
                .add("vague-word", Level::Warning, place, format_args!("`{word}` leaves open when the rule applies"))
                .hint("say when it does and when it does not");
        }
        for word in TIME.iter().filter(|word| word_in(&lower, word).is_some()) {
            let place = findings.place_of("time-word", text.place, word);
            findings
                .add("time-word", Level::Warning, place, format_args!("`{word}` means another thing on another day"))
                .hint("the model is not told the date: name a time, or leave it out");
        }
        for word in UNFINISHED.iter().filter(|word| lower.contains(*word)) {
            let place = findings.place_of("unfinished", text.place, word);
            findings.add("unfinished", Level::Warning, place, "this was to be replaced").hint("write what is meant");
        }
        if let Some(words) = ["reasoning: low", "reasoning: medium", "reasoning: high", "think step by step"]
            .iter()
            .find(|words| lower.contains(*words))
        {
            let place = findings.find(text.place, words);
            findings
                .add("effort-word", Level::Warning, place, "the policy's text does not set how long the model reasons")
                .hint("that is what `effort:` and --effort are for");
        }
        let count = text.value.split_whitespace().count();
        if count > LONGEST {
            findings
                .add("long-rule", Level::Note, text.place, format_args!("a rule of {count} words"))
                .hint(format!("split it: a model follows rules of up to {LONGEST} words more surely"));
        }
    }
}

/// Words of a rule.
const LONGEST: usize = 50;
