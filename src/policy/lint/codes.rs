//! Categories: their codes, severities, and the rules about rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Findings, Level, Place, texts};
use crate::policy::file::{CategoryPart, Document};
use crate::policy::phrase::quoted;
use crate::policy::{Policy, Severity, Verdict};

pub(super) fn check(findings: &mut Findings<'_>, file: &Document, policy: &Policy) {
    let categories = &file.categories.value;
    let of = |verdict| categories.iter().filter(move |category| category.verdict == verdict);
    if of(Verdict::Safe).next().is_none() {
        findings
            .add("no-allowed-category", Level::Warning, file.categories.place, "no category says what is allowed")
            .hint("name what looks like a violation and is none: it is what keeps false alarms away");
    }
    if of(Verdict::Violation).count() > 1 && file.precedence.is_empty() {
        findings
            .add(
                "no-precedence",
                Level::Warning,
                file.categories.place,
                "nothing says which rule wins where several apply",
            )
            .hint("add `precedence:`, such as: If several rules apply, the highest number decides");
    }
    if file.ambiguity.is_empty() {
        findings
            .add("no-ambiguity", Level::Warning, file.id.place, "nothing says what to do in doubt")
            .hint("add `ambiguity:`, such as: If no rule is met in full, the post is safe");
    }
    if file.escalation.is_empty() {
        let critical = categories.iter().any(|category| category.severity == Some(Severity::Critical));
        let level = if critical { Level::Warning } else { Level::Note };
        findings
            .add("no-escalation", level, file.id.place, "nothing says what goes to people")
            .hint("add `escalation:`, and who gets the worst");
    }
    for category in of(Verdict::Violation).filter(|category| category.severity.is_none()) {
        findings
            .add("no-severity", Level::Note, category.code.place, format_args!("{} has no severity", code(category)))
            .hint("low, medium, high or critical");
    }
    prefixes(findings, categories);
    order(findings, categories);
    repeats(findings, categories);
    references(findings, file);
    definitions(findings, file, policy);
    if let Some(source) = &file.source
        && let (Some(url), None) = (&source.url, &source.licence)
    {
        findings
            .add("no-licence", Level::Note, url.place, "the source is named, and its licence is not")
            .hint("add `licence:`, or nobody knows whether the policy may be passed on");
    }
}

fn code(category: &CategoryPart) -> String {
    quoted(category.code.value.trim())
}

/// An answer names a category by its code, which the model writes token by token.
fn prefixes(findings: &mut Findings<'_>, categories: &[CategoryPart]) {
    for long in categories {
        let whole = long.code.value.trim();
        let short = categories.iter().find(|other| {
            let other = other.code.value.trim();
            other.len() < whole.len() && whole.starts_with(other)
        });
        if let Some(short) = short {
            findings
                .add(
                    "code-prefix",
                    Level::Warning,
                    long.code.place,
                    format_args!("{} begins as {} does", code(long), code(short)),
                )
                .hint("a model that has begun the one slips into the other: give both a letter or number of their own");
        }
        if !whole.is_ascii() {
            findings
                .add("code-script", Level::Warning, long.code.place, format_args!("{} is not plain ASCII", code(long)))
                .hint("use letters and digits that every keyboard has");
        }
    }
}

/// The letters before a code's first number, and the number.
fn parts(code: &str) -> Option<(&str, u32)> {
    let at = code.find(|char: char| char.is_ascii_digit())?;
    let digits = code[at..].split(|char: char| !char.is_ascii_digit()).next()?;
    Some((&code[..at], digits.parse().ok()?))
}

fn order(findings: &mut Findings<'_>, categories: &[CategoryPart]) {
    let mut families: BTreeMap<&str, BTreeMap<u32, (Option<Severity>, Place)>> = BTreeMap::new();
    for category in categories {
        if let Some((letters, number)) = parts(category.code.value.trim()) {
            let severity = category.severity.filter(|_| category.verdict == Verdict::Violation);
            let known = families.entry(letters).or_default().entry(number).or_insert((severity, category.code.place));
            known.0 = known.0.max(severity);
        }
    }
    for (letters, numbers) in families {
        let mut before: Option<(u32, Option<Severity>)> = None;
        for (number, (severity, place)) in numbers {
            if let Some((last, worst)) = before {
                if number > last + 1 {
                    let message = format!("the codes go from {letters}{last} to {letters}{number}");
                    findings
                        .add("code-gap", Level::Note, place, message)
                        .hint("a model may answer with the one that is missing: number them without gaps");
                }
                if let (Some(worst), Some(here)) = (worst, severity)
                    && here < worst
                {
                    let message = format!("{letters}{number} is less severe than {letters}{last}");
                    findings
                        .add("severity-order", Level::Warning, place, message)
                        .hint("let numbers rise with severity, so that the highest number can decide");
                }
            }
            before = Some((number, severity.max(before.and_then(|(_, worst)| worst))));
        }
    }
}

fn repeats(findings: &mut Findings<'_>, categories: &[CategoryPart]) {
    let mut seen: HashMap<String, String> = HashMap::new();
    for category in categories {
        for criterion in &category.criteria {
            let words = criterion.value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(first) = seen.get(&words) {
                findings
                    .add("repeated-rule", Level::Warning, criterion.place, format_args!("{first} says the same"))
                    .hint("keep it where it belongs: the same rule under two codes cannot be decided");
            } else {
                seen.insert(words, code(category));
            }
        }
    }
}

/// Codes that rules speak of and that there are not.
fn references(findings: &mut Findings<'_>, file: &Document) {
    let codes: BTreeSet<&str> = file.categories.value.iter().map(|category| category.code.value.trim()).collect();
    for text in file.precedence.iter().chain(&file.ambiguity).chain(&file.escalation) {
        for word in unknown_codes(&text.value, &codes) {
            let place = findings.find(text.place, &word.to_lowercase());
            findings
                .add("unknown-code", Level::Error, place, format_args!("no category has the code {}", quoted(word)))
                .hint("name a code that there is, or the beginning of several");
        }
    }
}

/// Returns words that look like these codes, but are neither a code nor the beginning of one.
pub(in crate::policy) fn unknown_codes<'a>(text: &'a str, codes: &BTreeSet<&str>) -> Vec<&'a str> {
    let families: BTreeSet<&str> = codes.iter().filter_map(|code| parts(code)).map(|(letters, _)| letters).collect();
    text.split(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-')))
        .map(|word| word.trim_end_matches(['.', '-']))
        .filter(|word| parts(word).is_some_and(|(letters, _)| !letters.is_empty() && families.contains(letters)))
        .filter(|word| !codes.iter().any(|code| code.starts_with(word)))
        .collect()
}

fn definitions(findings: &mut Findings<'_>, file: &Document, policy: &Policy) {
    for (term, _) in &file.definitions.0 {
        let wanted = stem(&term.value);
        let titles = policy.categories().iter().map(|category| category.title.as_str());
        let used = texts(file)
            .filter(|text| {
                !file
                    .definitions
                    .0
                    .iter()
                    .any(|(other, meaning)| other.value == term.value && meaning.place == text.place)
            })
            .map(|text| text.value.as_str())
            .chain(titles)
            .any(|text| text.to_lowercase().contains(&wanted));
        if !used {
            findings
                .add(
                    "unused-definition",
                    Level::Note,
                    term.place,
                    format_args!("no rule uses {}", quoted(term.value.trim())),
                )
                .hint("each definition costs tokens of every prompt: use it or leave it out");
        }
    }
}

/// A term without what inflects it.
fn stem(term: &str) -> String {
    let lower = term.trim().to_lowercase();
    let cut = lower.trim_end_matches("ing").trim_end_matches("ed").trim_end_matches(['s', 'e', 'y']);
    if cut.len() >= 3 { cut.to_owned() } else { lower }
}
