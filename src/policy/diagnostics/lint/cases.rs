//! Examples: enough of them, from both sides, near the boundary, and without contradictions.

use std::collections::{HashMap, HashSet};

use super::collector::Collector;
use super::finding::Level;
use super::rule::LintRule;
use crate::policy::Verdict;
use crate::policy::read::document::{Document, ExamplePart};

/// The least examples; fewer teach little.
const FEWEST: usize = 4;
/// The most examples; more cost tokens in every prompt.
const MOST: usize = 10;

pub(super) fn check(findings: &mut Collector<'_>, file: &Document) {
    let examples = &file.examples;
    let verdict = |example: &ExamplePart| {
        let code = example.category.as_ref().map(|code| code.value.trim());
        let category = file.categories.value.iter().find(|category| Some(category.code.value.trim()) == code);
        category.map_or(Verdict::Safe, |category| category.verdict)
    };
    let span = examples.first().map_or(file.id.span, |example| example.text.span);
    match examples.len() {
        0..FEWEST => {
            let message = format!("{} examples, where at least {FEWEST} help", examples.len());
            findings
                .add(LintRule::FewExamples, Level::Warning, span, message)
                .with_hint("add short cases near the boundary, in pairs");
        }
        FEWEST..=MOST => {}
        count => {
            findings
                .add(LintRule::ManyExamples, Level::Note, span, format_args!("{count} examples"))
                .with_hint(format!("each costs tokens of every prompt: more than {MOST} seldom help"));
        }
    }
    let safe = examples.iter().filter(|example| verdict(example) == Verdict::Safe).count();
    if !examples.is_empty() && (safe == 0 || safe == examples.len()) {
        let side = if safe == 0 { "a violation" } else { "safe" };
        findings
            .add(LintRule::OneSidedExamples, Level::Warning, span, format_args!("every example is {side}"))
            .with_hint("show the other side too: a model leans to the side that it is shown");
    } else if examples.len() >= FEWEST && separates_words(examples) && !has_near_miss(examples, verdict) {
        findings
            .add(LintRule::NoNearMiss, Level::Note, span, "no example is close to one of the other side")
            .with_hint("show pairs that differ only in the deciding point: an offer, and a report of the offer");
    }

    let mut seen: HashMap<String, (Option<&str>, usize)> = HashMap::new();
    for example in examples {
        let code =
            example.category.as_ref().map(|code| code.value.trim()).filter(|_| verdict(example) != Verdict::Safe);
        let words = words(&example.text.value).join(" ");
        if let Some((other, line)) = seen.get(&words) {
            let (level, message) = if *other == code {
                (Level::Warning, format!("the same words as on line {line}"))
            } else {
                (Level::Error, format!("the same words as on line {line}, with another answer"))
            };
            let rule = if *other == code { LintRule::RepeatedExample } else { LintRule::ContradictingExamples };
            findings.add(rule, level, example.text.span, message).with_hint("keep one of them");
        } else {
            seen.insert(words, (code, example.text.span.line));
        }
        if example.why.is_none() {
            findings
                .add(LintRule::ExampleWithoutWhy, Level::Note, example.text.span, "the example has no reason")
                .with_hint("add `why:`, a sentence that names the deciding point; it is shown as the rationale");
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Reports whether the script of the examples separates words. Chinese, Japanese, Thai and others do not, so words of
/// theirs cannot be compared.
fn separates_words(examples: &[ExamplePart]) -> bool {
    let unseparated = |char| matches!(char, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{9fff}');
    !examples.iter().any(|example| example.text.value.contains(unseparated))
}

/// Reports whether two examples of different sides share a word of at least four letters.
fn has_near_miss(examples: &[ExamplePart], verdict: impl Fn(&ExamplePart) -> Verdict) -> bool {
    let topics: Vec<(Verdict, HashSet<String>)> = examples
        .iter()
        .map(|example| {
            (verdict(example), words(&example.text.value).into_iter().filter(|word| word.chars().count() > 3).collect())
        })
        .collect();
    topics.iter().any(|(one, left)| topics.iter().any(|(other, right)| one != other && !left.is_disjoint(right)))
}
