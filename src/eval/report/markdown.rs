//! The report as Markdown, for a pull request.

use super::ladder;
use super::wording::{
    LISTED, below_row, figures_of_all, left_out, more, probability, threshold, title, violations, with_interval,
};
use crate::eval::comparison::Comparison;
use crate::eval::evaluation::Evaluation;
use crate::eval::gate::Gate;
use crate::eval::metrics::{Metrics, NAMES};
use crate::eval::mistakes::{Counts, worst};
use crate::eval::thresholds::{AtThreshold, thresholds};
use crate::text::{cut, harmless};

/// Returns the report of the evaluations of a golden set as Markdown.
#[must_use]
pub fn markdown(evaluations: &[Evaluation]) -> String {
    let mut text = String::new();
    if let [first, others @ ..] = evaluations
        && !others.is_empty()
    {
        text.push_str(&side_by_side(evaluations));
        for other in others {
            let comparison = Comparison::of_policies(first, other);
            let [before, now] = comparison.names.each_ref().map(|name| code(name));
            text.push_str(&compared(&format!("{now} against {before}"), &comparison));
        }
    }
    text + &evaluations.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Returns a table of the figures, with a column for each policy.
fn side_by_side(evaluations: &[Evaluation]) -> String {
    let names: Vec<String> = evaluations.iter().map(|evaluation| code(&evaluation.about.policy[0])).collect();
    let mut text = format!("| figure | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (name, cells) in figures_of_all(evaluations) {
        text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    text.push('\n');
    text
}

/// Returns the report of one policy.
fn one(evaluation: &Evaluation) -> String {
    let Evaluation { about, scores, with_undecided, date, .. } = evaluation;
    let date = date.as_ref().map_or(String::new(), |date| format!(", {}", entities(date)));
    let mut text = format!(
        "## {} on {}\n\n{}, effort {}, {}{date}: {} rows, {}{}.\n\n{}.\n\n",
        code(&about.policy[0]),
        code(&about.golden),
        code(&about.model[0]),
        about.effort,
        threshold(evaluation),
        scores.rows,
        violations(scores.violations),
        entities(&left_out(evaluation)),
        Counts::of(&evaluation.rows),
    );
    if let Some(labels) = &evaluation.labels {
        text.push_str(&format!("{}.\n\n", entities(labels)));
    }
    if let Some(gate) = &evaluation.gate {
        text.push_str(&gate_result(gate));
    }
    if let Some(comparison) = &evaluation.comparison {
        text.push_str(&compared(&format!("Against the baseline {}", code(&comparison.names[0])), comparison));
    }
    text.push_str("| figure | value (95 %) | undecided counted as wrong |\n|---|---|---|\n");
    for name in NAMES {
        let strict = with_undecided.named(name).map_or("–".to_owned(), |figure| format!("{:.3}", figure.value));
        text.push_str(&format!("| {} | {} | {strict} |\n", title(name), with_interval(scores.named(name))));
    }
    if let Some(calibration) = &evaluation.calibration {
        text.push_str(&format!("\nCalibration: Brier {:.4}, ECE {:.4}.\n", calibration.brier, calibration.ece));
    }
    let categories = evaluation.categories.iter().map(|(category, scores)| (evaluation.titled(category), scores));
    text.push_str(&parts("category", categories, |scores| scores.violations));
    let slices = evaluation.slices_in_order().into_iter().map(|(name, scores)| (name.clone(), scores));
    text.push_str(&parts("slice", slices, |scores| scores.rows));
    if let Some(figures) = &evaluation.ladder {
        text.push_str(&ladder::markdown(figures));
    }
    text.push_str(&other_thresholds(evaluation));
    text.push_str(&errors(evaluation));
    text
}

/// Returns a table of the figures that other thresholds would give. Empty without probabilities.
fn other_thresholds(evaluation: &Evaluation) -> String {
    let all = thresholds(&evaluation.rows);
    if all.is_empty() {
        return String::new();
    }
    let mut text = "\n<details><summary>Other thresholds</summary>\n\n\
        | threshold | precision | recall | F1 | missed | false alarms |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for AtThreshold { threshold, precision, recall, f1, missed, false_alarms, best } in all {
        let best = if best { " (highest F1)" } else { "" };
        let figures = format!("{precision:.3} | {recall:.3} | {f1:.3} | {missed} | {false_alarms}");
        text.push_str(&format!("| {threshold}{best} | {figures} |\n"));
    }
    text.push_str("\n</details>\n");
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
fn parts<'run>(of: &str, parts: impl Iterator<Item = (String, &'run Metrics)>, rows: fn(&Metrics) -> u64) -> String {
    let mut text = String::new();
    for (name, scores) in parts {
        let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1].map(with_interval);
        text.push_str(&format!("| {} | {} | {precision} | {recall} | {f1} |\n", code(&name), rows(scores)));
    }
    if text.is_empty() {
        return text;
    }
    format!("\n| {of} | rows | precision | recall | F1 |\n|---|---|---|---|---|\n{text}")
}

/// Returns a table of the rows with a wrong answer, the surest mistakes first. Empty if all are right.
fn errors(evaluation: &Evaluation) -> String {
    let wrong = worst(&evaluation.rows);
    if wrong.is_empty() {
        return String::new();
    }
    let count = if wrong.len() == 1 { "1 error".to_owned() } else { format!("{} errors", wrong.len()) };
    let mut text = format!("\n<details><summary>{count}, the surest first</summary>\n\n");
    text.push_str("| row | text | expected | given | P(violation) |\n|---|---|---|---|---|\n");
    for row in wrong.iter().take(LISTED) {
        let value = row.probability.map_or("–".to_owned(), |value| entities(&probability(value)));
        let [body, expected, answer] = [&row.text, &row.expected.to_string(), &row.answer()].map(|text| code(text));
        text.push_str(&format!("| {} | {body} | {expected} | {answer} | {value} |\n", place(&row.place())));
    }
    text.push_str("\n</details>\n");
    text
}

/// Returns a comparison under a heading.
fn compared(heading: &str, comparison: &Comparison) -> String {
    let Comparison { rows, both, first, second, neither, p_value, terms, flips, .. } = comparison;
    let mut text = format!(
        "{heading}, on {rows} shared rows: {second} fixed, {first} broken, {both} still right, {neither} still wrong; \
         p = {p_value:.4} (McNemar's exact test).\n\n",
    );
    if !terms.is_empty() {
        text.push_str(&format!("Made under other terms: {}.\n\n", code(&terms.join("; "))));
    }
    if !flips.is_empty() {
        text.push_str("| row | text | expected | before | now | |\n|---|---|---|---|---|---|\n");
        for flip in flips.iter().take(LISTED) {
            let [body, expected, before, now] =
                [&flip.text, &flip.expected, &flip.first, &flip.second].map(|text| code(text));
            let (number, direction) = (place(&flip.place()), flip.direction());
            text.push_str(&format!("| {number} | {body} | {expected} | {before} | {now} | {direction} |\n"));
        }
        text.push_str(&more(flips.len()));
        text.push('\n');
    }
    text
}

/// Writes the place of a row in the column `row`.
fn place(place: &str) -> String {
    entities(below_row(place))
}

/// Writes an untrusted text as Markdown code, in which nothing is a link, an image, a mention or markup.
/// Characters that could form one are also written as entities, for programs that read Markdown differently.
fn code(text: &str) -> String {
    const LONGEST: usize = 160;
    format!("<code>{}</code>", entities(&cut(text, LONGEST)))
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
