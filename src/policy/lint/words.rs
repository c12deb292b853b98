//! Words and characters that a policy is better without.

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
const UNFINISHED: [&str; 7] = ["todo", "tbd", "fixme", "xxx", "lorem ipsum", "[input]", "{{content}}"];

/// Whatever the source is: what nobody sees, and what is no text.
pub(super) fn of_source(findings: &mut Findings<'_>) {
    let source = findings.source;
    let mut start = 0;
    for (index, line) in source.split_inclusive('\n').enumerate() {
        for (column, (at, char)) in line.char_indices().enumerate() {
            // A byte order mark belongs to the encoding.
            if invisible(char) && start + at > 0 {
                let place = Place { line: index + 1, column: column + 1, width: 1 };
                let message = format!("an invisible character, U+{:04X}", u32::from(char));
                let finding = findings.add("invisible-character", Level::Warning, place, message);
                finding.hint("the model reads it, and nobody who edits the policy sees it: delete it");
                finding.fix(start + at, start + at + char.len_utf8(), "");
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
        start += line.len();
    }
}

fn invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Of a policy in parts: the rules' own words.
pub(super) fn of_texts(findings: &mut Findings<'_>, file: &Document) {
    for text in texts(file) {
        let lower = text.value.to_lowercase();
        for word in VAGUE.iter().filter(|word| word_in(&lower, word).is_some()) {
            let place = findings.find(text.place, word);
            findings
                .add("vague-word", Level::Warning, place, format_args!("`{word}` leaves open when the rule applies"))
                .hint("say when it does and when it does not");
        }
        for word in TIME.iter().filter(|word| word_in(&lower, word).is_some()) {
            let place = findings.find(text.place, word);
            findings
                .add("time-word", Level::Warning, place, format_args!("`{word}` means another thing on another day"))
                .hint("the model is not told the date: name a time, or leave it out");
        }
        for word in UNFINISHED.iter().filter(|word| lower.contains(*word)) {
            let place = findings.find(text.place, word);
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
