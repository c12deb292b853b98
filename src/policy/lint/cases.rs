//! Examples: enough of them, from both sides, near the boundary, and none that contradicts another.

use std::collections::{HashMap, HashSet};

use super::{Findings, Level};
use crate::policy::Verdict;
use crate::policy::file::{Document, ExamplePart};

/// Fewer teach little; more are paid for in every prompt.
const FEWEST: usize = 4;
const MOST: usize = 10;

pub(super) fn check(findings: &mut Findings<'_>, file: &Document) {
    let examples = &file.examples;
    let verdict = |example: &ExamplePart| {
        let code = example.category.as_ref().map(|code| code.value.trim());
        let category = file.categories.value.iter().find(|category| Some(category.code.value.trim()) == code);
        category.map_or(Verdict::Safe, |category| category.verdict)
    };
    let place = examples.first().map_or(file.id.place, |example| example.text.place);
    match examples.len() {
        0..FEWEST => {
            let message = format!("{} examples, where at least {FEWEST} help", examples.len());
            findings
                .add("few-examples", Level::Warning, place, message)
                .hint("add short cases near the boundary, in pairs");
        }
        FEWEST..=MOST => {}
        count => {
            findings
                .add("many-examples", Level::Note, place, format_args!("{count} examples"))
                .hint(format!("each costs tokens of every prompt: more than {MOST} seldom help"));
        }
    }
    let safe = examples.iter().filter(|example| verdict(example) == Verdict::Safe).count();
    if !examples.is_empty() && (safe == 0 || safe == examples.len()) {
        let side = if safe == 0 { "a violation" } else { "safe" };
        findings
            .add("one-sided-examples", Level::Warning, place, format_args!("every example is {side}"))
            .hint("show the other side too: a model leans to what it is shown");
    } else if examples.len() >= FEWEST && !has_near_miss(examples, verdict) {
        findings
            .add("no-near-miss", Level::Note, place, "no example is close to one of the other side")
            .hint("show pairs that differ in what decides: the offer, and somebody who reports the offer");
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
            let rule = if *other == code { "repeated-example" } else { "contradicting-examples" };
            findings.add(rule, level, example.text.place, message).hint("keep one of them");
        } else {
            seen.insert(words, (code, example.text.place.line));
        }
        if example.why.is_none() {
            findings
                .add("example-without-why", Level::Note, example.text.place, "the example does not say why")
                .hint("add `why:`, a sentence that names what decides; it stands as the rationale");
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether two examples of different sides share what they speak of.
fn has_near_miss(examples: &[ExamplePart], verdict: impl Fn(&ExamplePart) -> Verdict) -> bool {
    let topics: Vec<(Verdict, HashSet<String>)> = examples
        .iter()
        .map(|example| {
            (verdict(example), words(&example.text.value).into_iter().filter(|word| word.chars().count() > 3).collect())
        })
        .collect();
    topics.iter().any(|(one, left)| topics.iter().any(|(other, right)| one != other && !left.is_disjoint(right)))
}
