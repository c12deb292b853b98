//! Placeholders that another program, or the author, should have filled in.
//!
//! The one idea: the model reads a placeholder literally, so each is reported with its line. Nothing is expanded or
//! repaired here.

use super::collector::{Collector, rule_texts};
use super::finding::Level;
use super::rule::LintRule;
use crate::policy::diagnostics::quoting::quoted;
use crate::policy::diagnostics::report::Span;
use crate::policy::read::document::Document;
use crate::policy::read::polarity::is_one;

const RULE: LintRule = LintRule::Placeholder;

/// Checks a plain text, line by line.
pub(super) fn check_plain(findings: &mut Collector<'_>) {
    for (index, line) in findings.lines().enumerate() {
        for (at, sign) in signs(line) {
            // Only the first on a line needs its column.
            let before = if findings.has(RULE, index + 1) { 0 } else { line[..at].chars().count() };
            let span = Span { line: index + 1, column: before + 1, width: sign.chars().count() };
            add(findings, span, sign);
        }
    }
}

/// Checks a policy in parts: its rules, and examples that only describe a post.
pub(super) fn check_parts(findings: &mut Collector<'_>, file: &Document) {
    let titles = file.categories.value.iter().map(|category| &category.title);
    for text in rule_texts(file).chain([&file.title, &file.summary]).chain(titles) {
        for (_, sign) in signs(&text.value) {
            let span = findings.find_for(RULE, text.span, &sign.to_lowercase());
            add(findings, span, sign);
        }
    }
    for example in &file.examples {
        let text = example.text.value.trim();
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
        // `policy new` writes such examples: `[A post that does this: Asks readers for money]`.
        if inside.contains(": ") || asks(inside, '[') {
            findings
                .add(RULE, Level::Warning, example.text.span, "the example is a description in brackets")
                .with_hint("the model reads the brackets as a post: replace them by a real case");
        }
    }
}

fn add(findings: &mut Collector<'_>, span: Span, sign: &str) {
    findings
        .add(RULE, Level::Warning, span, format_args!("{} is a placeholder to be filled in", quoted(sign)))
        .with_hint("nothing fills it in, and the model reads it literally: replace it, or delete it");
}

/// First words of a placeholder in brackets.
const ASKING: &str =
    "insert add your fill todo tbd replace input content text message post comment name here enter specify describe";

/// Finds the placeholders of a text, each with its first byte.
fn signs(text: &str) -> Vec<(usize, &str)> {
    let mut signs = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find(['{', '$', '%', '[', '<']) {
        let start = at + next;
        match length(&text[start..]) {
            Some(length) if !text[..start].ends_with(|char: char| char.is_ascii_digit()) => {
                signs.push((start, &text[start..start + length]));
                at = start + length;
            }
            _ => at = start + 1,
        }
    }
    signs
}

/// Returns the bytes of a placeholder at the start of a text.
fn length(text: &str) -> Option<usize> {
    /// The most bytes of a placeholder.
    const LONGEST: usize = 120;
    let near = &text[..text.floor_char_boundary(LONGEST)];
    let up_to = |close: &str| near.find(close).map(|at| at + close.len());
    if near.starts_with("{{") {
        return up_to("}}");
    }
    if near.starts_with("{%") {
        return up_to("%}");
    }
    if let Some(rest) = near.strip_prefix("${").or_else(|| near.strip_prefix('{')) {
        let inside = rest.split('}').next().filter(|inside| is_name(inside) && inside.len() < rest.len())?;
        return Some(near.len() - rest.len() + inside.len() + 1);
    }
    if let Some(rest) = near.strip_prefix('%') {
        let name = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).filter(|(name, _)| is_name(name));
        let behind = name.map_or(rest, |(_, behind)| behind);
        let after = behind.strip_prefix(['s', 'd'])?;
        return (!after.starts_with(char::is_alphanumeric)).then_some(near.len() - after.len());
    }
    let (open, close) = if near.starts_with('[') { ('[', ']') } else { ('<', '>') };
    let inside = near.strip_prefix(open)?.split(close).next()?;
    let behind = near.get(inside.len() + 1..)?.strip_prefix(close)?;
    // A bracket before `(` is a link of Markdown.
    (!behind.starts_with('(') && asks(inside, open)).then_some(inside.len() + 2)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char))
}

/// Recognizes `INSERT rules here`, `Violation 1`, `YOUR COMPANY`.
fn asks(inside: &str, open: char) -> bool {
    let words: Vec<&str> = inside.split_whitespace().collect();
    let Some(first) = words.first() else { return false };
    let lower = first.trim_end_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
    let asking = is_one(ASKING, &lower);
    let shouted = inside.chars().filter(|char| char.is_alphabetic()).count() > 3
        && !inside.chars().any(char::is_lowercase)
        && inside.chars().all(|char| char.is_alphanumeric() || " _-/".contains(char));
    let numbered = words.len() > 1
        && first.starts_with(char::is_uppercase)
        && words.last().is_some_and(|last| last.len() < 3 && last.bytes().all(|byte| byte.is_ascii_digit()));
    // `<b>` is a tag, and `<|end|>` a control token.
    if open == '<' { asking && words.len() > 1 } else { asking || shouted || numbered }
}

#[cfg(test)]
mod tests {
    use super::signs;

    #[test]
    fn placeholders_of_other_programs_are_found() {
        for (text, expected) in [
            ("User input: {input}", vec!["{input}"]),
            ("{{ shared_definitions }} and {{x}}", vec!["{{ shared_definitions }}", "{{x}}"]),
            ("{% if x %}a{% endif %}", vec!["{% if x %}", "{% endif %}"]),
            ("${grade} and %s and %(name)s, %d.", vec!["${grade}", "%s", "%(name)s", "%d"]),
            (
                "[Violation 1] [INSERT rules here] [Insert name]",
                vec!["[Violation 1]", "[INSERT rules here]", "[Insert name]"],
            ),
            ("[YOUR COMPANY] [input] <insert rules>", vec!["[YOUR COMPANY]", "[input]", "<insert rules>"]),
            ("Content: [INPUT]", vec!["[INPUT]"]),
            ("{\"violation\": 1} {} {a b} { x", vec![]),
            ("100% sure, 5%s, 20 % so, $5, a<b, <b>bold</b>, <|end|>", vec![]),
            ("50%–60%, 20 %ü, 5 %", vec![]),
            ("[a link](https://example.org) [1] [sic] [he said] [GV1] [see TV1]", vec![]),
            ("[NAMES](x)", vec![]),
        ] {
            let found: Vec<&str> = signs(text).into_iter().map(|(_, sign)| sign).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
