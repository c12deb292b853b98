//! The report as Markdown, for a pull request.

use std::collections::BTreeMap;

use super::wording::{LISTED, left_out, more, title, with_interval};
use crate::eval::comparison::Comparison;
use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::evaluation::Evaluation;
use crate::eval::gate::Gate;
use crate::eval::metrics::{Metrics, NAMES};
use crate::text::harmless;

/// Returns the report as Markdown.
#[must_use]
pub fn markdown(evaluation: &Evaluation) -> String {
    let Evaluation { about, scores, with_undecided, .. } = evaluation;
    let mut text = format!(
        "## {} on {}\n\n{}, effort {}: {} rows, {} of them violations{}.\n\n",
        code(&about.policy[0]),
        code(&about.golden),
        code(&about.model[0]),
        about.effort,
        scores.rows,
        scores.violations,
        entities(&left_out(evaluation))
    );
    if let Some(gate) = &evaluation.gate {
        text.push_str(&gate_result(gate));
    }
    if let Some(comparison) = &evaluation.comparison {
        text.push_str(&against_baseline(comparison));
    }
    text.push_str("| figure | value (95 %) | undecided counted as wrong |\n|---|---|---|\n");
    for name in NAMES {
        let strict = with_undecided.named(name).map_or("–".to_owned(), |figure| format!("{:.3}", figure.value));
        text.push_str(&format!("| {} | {} | {strict} |\n", title(name), with_interval(scores.named(name))));
    }
    if let Some(calibration) = &evaluation.calibration {
        text.push_str(&format!("\nCalibration: Brier {:.4}, ECE {:.4}.\n", calibration.brier, calibration.ece));
    }
    text.push_str(&parts("category", &evaluation.categories, |scores| scores.violations));
    text.push_str(&parts("slice", &evaluation.slices, |scores| scores.rows));
    text.push_str(&errors(&evaluation.rows));
    text
}

fn gate_result(gate: &Gate) -> String {
    let checks = gate.checks.iter().map(|check| {
        let failed = if check.passed { "" } else { "**failed**: " };
        format!("- {failed}{check}\n")
    });
    let result = if gate.passed { "passed" } else { "failed" };
    format!("**Gate {result}.**\n\n{}\n", checks.collect::<String>())
}

/// Returns a table of the figures of categories or slices. Empty if there are no rows.
fn parts(of: &str, parts: &BTreeMap<String, Metrics>, rows: fn(&Metrics) -> u64) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| {of} | rows | precision | recall | F1 |\n|---|---|---|---|---|\n");
    for (name, scores) in parts {
        let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1].map(with_interval);
        text.push_str(&format!("| {} | {} | {precision} | {recall} | {f1} |\n", code(name), rows(scores)));
    }
    text
}

/// Returns a table of the rows with a wrong answer, or nothing if all are right.
fn errors(rows: &[EvaluatedRow]) -> String {
    let wrong: Vec<&EvaluatedRow> = rows.iter().filter(|row| row.is_wrong()).collect();
    if wrong.is_empty() {
        return String::new();
    }
    let mut text = format!("\n<details><summary>{} errors</summary>\n\n", wrong.len());
    text.push_str("| row | text | expected | said | P |\n|---|---|---|---|---|\n");
    for row in wrong.iter().take(LISTED) {
        let probability = row.probability.map_or("–".to_owned(), |probability| format!("{probability:.3}"));
        let [body, expected, answer] = [&row.text, &row.expected.to_string(), &row.answer()].map(|text| code(text));
        text.push_str(&format!("| {} | {body} | {expected} | {answer} | {probability} |\n", row.number));
    }
    text.push_str("\n</details>\n");
    text
}

fn against_baseline(comparison: &Comparison) -> String {
    let Comparison { names: [one, _], rows, both, first, second, neither, p_value, terms, flips } = comparison;
    let mut text = format!(
        "Against the baseline {}, on the {rows} rows of both: {second} mended, {first} broken, {both} still right, \
         {neither} still wrong; McNemar p = {p_value:.4}.\n\n",
        code(one)
    );
    if !terms.is_empty() {
        text.push_str(&format!("Made under other terms: {}.\n\n", code(&terms.join("; "))));
    }
    if !flips.is_empty() {
        text.push_str("| row | text | expected | before | now | |\n|---|---|---|---|---|---|\n");
        for flip in flips.iter().take(LISTED) {
            let [body, expected, before, now] =
                [&flip.text, &flip.expected, &flip.first, &flip.second].map(|text| code(text));
            let (number, direction) = (flip.number, flip.direction());
            text.push_str(&format!("| {number} | {body} | {expected} | {before} | {now} | {direction} |\n"));
        }
        text.push_str(&more(flips.len()));
        text.push('\n');
    }
    text
}

/// Writes an untrusted text as Markdown code, in which nothing is a link, an image, a mention or markup.
/// Characters that could form one are also written as entities, for programs that read Markdown differently.
fn code(text: &str) -> String {
    const LONGEST: usize = 160;
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("<code>{}{more}</code>", entities(&cut))
}

/// Writes characters that could form markup as entities.
fn entities(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in harmless(text).chars() {
        match character {
            ' ' | ',' | ';' | '-' | '+' | '=' | '?' | '%' | '/' => safe.push(character),
            // `www.` alone makes a link. An address needs a colon or an `@`, and both become entities.
            '.' if !safe.to_lowercase().ends_with("www") => safe.push('.'),
            _ if character.is_ascii_punctuation() => safe.push_str(&format!("&#{};", u32::from(character))),
            _ => safe.push(character),
        }
    }
    safe
}
