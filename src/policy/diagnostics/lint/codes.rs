//! Categories: their codes and severities, and the order between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::collector::{Collector, rule_texts};
use super::finding::Level;
use super::rule::LintRule;
use crate::policy::diagnostics::quoting::quoted;
use crate::policy::diagnostics::report::Span;
use crate::policy::read::document::{CategoryPart, Document};
use crate::policy::{Policy, Severity, Verdict};

pub(super) fn check(findings: &mut Collector<'_>, file: &Document, policy: &Policy) {
    let categories = &file.categories.value;
    let of = |verdict| categories.iter().filter(move |category| category.verdict == verdict);
    if of(Verdict::Safe).next().is_none() {
        findings
            .add(LintRule::NoAllowedCategory, Level::Warning, file.categories.span, "no category is safe")
            .with_hint("name content that looks like a violation and is allowed: this prevents false alarms");
    }
    if of(Verdict::Violation).count() > 1 && file.precedence.is_empty() {
        findings
            .add(
                LintRule::NoPrecedence,
                Level::Warning,
                file.categories.span,
                "the policy does not state which rule wins where several apply",
            )
            .with_hint("add `precedence:`, such as: If several rules apply, the highest number decides");
    }
    if file.ambiguity.is_empty() {
        findings
            .add(LintRule::NoAmbiguity, Level::Warning, file.id.span, "the policy has no guidance for doubt")
            .with_hint("add `ambiguity:`, such as: If no rule is met in full, the post is safe");
    }
    if file.escalation.is_empty() {
        let critical = categories.iter().any(|category| category.severity == Some(Severity::Critical));
        let level = if critical { Level::Warning } else { Level::Note };
        findings
            .add(LintRule::NoEscalation, level, file.id.span, "the policy does not name the cases that people decide")
            .with_hint("add `escalation:`, with the people for the worst cases");
    }
    for category in of(Verdict::Violation).filter(|category| category.severity.is_none()) {
        findings
            .add(
                LintRule::NoSeverity,
                Level::Note,
                category.code.span,
                format_args!("{} has no severity", code(category)),
            )
            .with_hint("low, medium, high or critical");
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
            .add(LintRule::NoLicence, Level::Note, url.span, "the source is named without its license")
            .with_hint("add `licence:`, so that others know how they may use the policy");
    }
}

fn code(category: &CategoryPart) -> String {
    quoted(category.code.value.trim())
}

/// Finds codes that begin with another code: the model writes a code token by token.
fn prefixes(findings: &mut Collector<'_>, categories: &[CategoryPart]) {
    for long in categories {
        let whole = long.code.value.trim();
        let short = categories.iter().find(|other| {
            let other = other.code.value.trim();
            other.len() < whole.len() && whole.starts_with(other)
        });
        if let Some(short) = short {
            findings
                .add(
                    LintRule::CodePrefix,
                    Level::Warning,
                    long.code.span,
                    format_args!("{} begins as {} does", code(long), code(short)),
                )
                .with_hint(
                    "a model that has begun one of them slips into the other: give each its own letter or number",
                );
        }
    }
}

/// Returns the letters before a code's first number, and the number.
fn letters_and_number(code: &str) -> Option<(&str, u32)> {
    let at = code.find(|char: char| char.is_ascii_digit())?;
    let digits = code[at..].split(|char: char| !char.is_ascii_digit()).next()?;
    Some((&code[..at], digits.parse().ok()?))
}

fn order(findings: &mut Collector<'_>, categories: &[CategoryPart]) {
    let mut families: BTreeMap<&str, BTreeMap<u32, (Option<Severity>, Span)>> = BTreeMap::new();
    for category in categories {
        if let Some((letters, number)) = letters_and_number(category.code.value.trim()) {
            let severity = category.severity.filter(|_| category.verdict == Verdict::Violation);
            let worst = families.entry(letters).or_default().entry(number).or_insert((severity, category.code.span));
            worst.0 = worst.0.max(severity);
        }
    }
    for (letters, numbers) in families {
        let mut before: Option<(u32, Option<Severity>)> = None;
        for (number, (severity, span)) in numbers {
            if let Some((last, worst)) = before {
                if number > last + 1 {
                    let message = format!("the codes skip from {letters}{last} to {letters}{number}");
                    findings
                        .add(LintRule::CodeGap, Level::Note, span, message)
                        .with_hint("a model may answer with a missing one: number them without gaps");
                }
                if let (Some(worst), Some(here)) = (worst, severity)
                    && here < worst
                {
                    let message = format!("{letters}{number} is less severe than {letters}{last}");
                    findings
                        .add(LintRule::SeverityOrder, Level::Warning, span, message)
                        .with_hint("let numbers rise with severity, so that the highest number can decide");
                }
            }
            before = Some((number, severity.max(before.and_then(|(_, worst)| worst))));
        }
    }
}

fn repeats(findings: &mut Collector<'_>, categories: &[CategoryPart]) {
    let mut seen: HashMap<String, String> = HashMap::new();
    for category in categories {
        for criterion in &category.criteria {
            let words = criterion.value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(first) = seen.get(&words) {
                findings
                    .add(
                        LintRule::RepeatedRule,
                        Level::Warning,
                        criterion.span,
                        format_args!("{first} has the same criterion"),
                    )
                    .with_hint("keep it in one category: the model cannot choose between two codes for one rule");
            } else {
                seen.insert(words, code(category));
            }
        }
    }
}

/// Finds codes in rules that no category has.
fn references(findings: &mut Collector<'_>, file: &Document) {
    let codes: BTreeSet<&str> = file.categories.value.iter().map(|category| category.code.value.trim()).collect();
    for text in file.precedence.iter().chain(&file.ambiguity).chain(&file.escalation) {
        for word in unknown_codes(&text.value, &codes) {
            let span = findings.find(text.span, &word.to_lowercase());
            findings
                .add(
                    LintRule::UnknownCode,
                    Level::Error,
                    span,
                    format_args!("no category has the code {}", quoted(word)),
                )
                .with_hint("name a code of a category, or the beginning of several codes");
        }
    }
}

/// Returns words that look like these codes, but are neither a code nor the beginning of one.
pub(in crate::policy) fn unknown_codes<'a>(text: &'a str, codes: &BTreeSet<&str>) -> Vec<&'a str> {
    let families: BTreeSet<&str> =
        codes.iter().filter_map(|code| letters_and_number(code)).map(|(letters, _)| letters).collect();
    text.split(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-')))
        .map(|word| word.trim_end_matches(['.', '-']))
        .filter(|word| {
            letters_and_number(word).is_some_and(|(letters, _)| !letters.is_empty() && families.contains(letters))
        })
        .filter(|word| !codes.iter().any(|code| code.starts_with(word)))
        .collect()
}

fn definitions(findings: &mut Collector<'_>, file: &Document, policy: &Policy) {
    for (term, _) in &file.definitions.0 {
        let wanted = stem(&term.value);
        let titles = policy.categories().iter().map(|category| category.title.as_str());
        let used = rule_texts(file)
            .filter(|text| {
                !file
                    .definitions
                    .0
                    .iter()
                    .any(|(other, meaning)| other.value == term.value && meaning.span == text.span)
            })
            .map(|text| text.value.as_str())
            .chain(titles)
            .any(|text| text.to_lowercase().contains(&wanted));
        if !used {
            findings
                .add(
                    LintRule::UnusedDefinition,
                    Level::Note,
                    term.span,
                    format_args!("no rule uses {}", quoted(term.value.trim())),
                )
                .with_hint("each definition costs tokens of every prompt: use it or leave it out");
        }
    }
}

/// Returns a term without its endings, so that `posting` finds `posted`. The endings of other languages are not known, so
/// the first two thirds of a term with other letters count.
fn stem(term: &str) -> String {
    let lower = term.trim().to_lowercase();
    if !lower.is_ascii() {
        let count = lower.chars().count();
        return lower.chars().take((count * 2).div_ceil(3)).collect();
    }
    let cut = lower.trim_end_matches("ing").trim_end_matches("ed").trim_end_matches(['s', 'e', 'y']);
    if cut.len() >= 3 { cut.to_owned() } else { lower }
}
