//! The report as text, for a terminal.

use std::fmt::Write;

use super::ladder;
use super::wording::{
    LISTED, figures_of_all, left_out, more, on_one_line, probability, title, violations, with_interval,
};
use crate::eval::comparison::{Comparison, Flip};
use crate::eval::evaluated_row::EvaluatedRow;
use crate::eval::evaluation::Evaluation;
use crate::eval::gate::{Check, Gate};
use crate::eval::metrics::{Metrics, NAMES};
use crate::eval::mistakes::{Counts, Mistake, worst};
use crate::text::{cut, harmless};

/// Returns the figures of an evaluation as text.
#[must_use]
pub fn text(evaluation: &Evaluation) -> String {
    let Evaluation { about, scores, with_undecided, .. } = evaluation;
    let mut text = format!(
        "{} on {}: {} rows, {}{}\n  {}\n",
        about.policy[0],
        about.golden,
        scores.rows,
        violations(scores.violations),
        left_out(evaluation),
        Counts::of(&evaluation.rows),
    );
    for name in NAMES {
        let strict = with_undecided.named(name).filter(|_| !evaluation.undecided.is_empty());
        let strict = strict.map_or(String::new(), |figure| format!("  {:.3} with undecided as wrong", figure.value));
        let _ = writeln!(text, "  {:<12} {}{strict}", title(name), with_interval(scores.named(name)));
    }
    if let Some(calibration) = &evaluation.calibration {
        let _ = writeln!(text, "  {:<12} {:.4}\n  {:<12} {:.4}", "Brier", calibration.brier, "ECE", calibration.ece);
    }
    for (code, scores) in &evaluation.categories {
        let title = evaluation.titles.get(code).map_or(String::new(), |title| format!("  {}", short(title)));
        text.push_str(&part(code, scores, &title));
    }
    for (slice, scores) in evaluation.slices_in_order() {
        text.push_str(&part(slice, scores, ""));
    }
    if let Some(figures) = &evaluation.ladder {
        text.push_str(&ladder::text(figures));
    }
    if evaluation.seconds > 0.0 {
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = scores.rows as f64 / evaluation.seconds.max(1e-9);
        let _ = writeln!(text, "  {} tokens, {:.1} s, {rate:.1} rows/s", evaluation.tokens, evaluation.seconds);
    }
    text
}

/// Returns a line with the figures of a category or a slice.
fn part(name: &str, scores: &Metrics, title: &str) -> String {
    let (f1, name) = (with_interval(scores.f1), short(name));
    format!("  {name:<12} F1 {f1}, {} rows, {} expected{title}\n", scores.rows, scores.violations)
}

/// Shortens the name of a category or a slice, which may be a whole text.
fn short(name: &str) -> String {
    const LONGEST: usize = 40;
    cut(&harmless(name), LONGEST)
}

/// Returns the figures of several evaluations as a table with a column for each. They are of the same golden set.
#[must_use]
pub fn side_by_side(evaluations: &[Evaluation]) -> String {
    let Some(first) = evaluations.first() else { return String::new() };
    let names = evaluations.iter().map(|evaluation| short(&evaluation.about.policy[0])).collect();
    let rows: Vec<(&str, Vec<String>)> = std::iter::once(("", names)).chain(figures_of_all(evaluations)).collect();
    let wide = |at: usize| rows.iter().map(|(_, cells)| cells[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..evaluations.len()).map(wide).collect();
    let mut text = format!("{}: {} rows, {}\n", first.about.golden, first.rows.len(), violations(first.classes()[0]));
    for (name, cells) in &rows {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}"));
        let line = format!("  {name:<12}{}", cells.collect::<String>());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Returns the surest mistakes of an evaluation, at most `most`: expected and given answer, and the text. Empty without
/// mistakes.
#[must_use]
pub fn mistakes(evaluation: &Evaluation, most: usize) -> String {
    let wrong = worst(&evaluation.rows);
    if wrong.is_empty() || most == 0 {
        return String::new();
    }
    let shown = wrong.len().min(most);
    let count = if shown < wrong.len() { format!("{shown} of {} errors", wrong.len()) } else { "errors".to_owned() };
    let mut text = format!("{count} of {}, the surest first\n", evaluation.about.policy[0]);
    for row in wrong.into_iter().take(most) {
        text.push_str(&mistake(evaluation, row));
    }
    text
}

fn mistake(evaluation: &Evaluation, row: &EvaluatedRow) -> String {
    let kind = Mistake::of(row).map_or("", Mistake::word);
    let probability = row.probability.map_or(String::new(), |value| format!(", P(violation) {}", probability(value)));
    let code = |verdict: String, category: &Option<String>| match category {
        Some(code) => format!("{verdict} {}", short(&evaluation.titled(code))),
        None => verdict,
    };
    let expected = code(row.expected.verdict.to_string(), &row.expected.category);
    let given = row.verdict.map_or_else(|| row.answer(), |verdict| code(verdict.to_string(), &row.category));
    let id = row.id.as_ref().map_or(String::new(), |id| format!(" (id {})", short(id)));
    format!(
        "  {}{id}  {kind}{probability}; expected {expected}, given {given}\n    {}\n",
        row.place(),
        on_one_line(&row.text)
    )
}

/// Returns a comparison as text: the counts, the terms that differ, and the flips with their texts.
#[must_use]
pub fn comparison(comparison: &Comparison) -> String {
    let Comparison { names: [one, other], rows, both, first, second, neither, p_value, terms, flips } = comparison;
    let against = if other == "now" { format!("against the baseline {one}") } else { format!("{other} against {one}") };
    let mut text = format!(
        "{against} ({rows} shared rows): {second} fixed, {first} broken, {both} still right, {neither} still wrong; \
         p = {p_value:.2}\n"
    );
    text.extend(terms.iter().map(|term| format!("  made under another {term}\n")));
    for flip in flips.iter().take(LISTED) {
        let Flip { first, second, expected, text: body, .. } = flip;
        let direction = flip.direction();
        let _ = writeln!(
            text,
            "  {}  {first} -> {second} ({direction}; expected {expected})\n    {}",
            flip.place(),
            on_one_line(body)
        );
    }
    text.push_str(&more(flips.len()));
    text
}

/// Returns a gate's result as lines of text: one for each failed check, or a single one if all passed.
#[must_use]
pub fn gate(gate: &Gate) -> Vec<String> {
    if !gate.passed {
        return gate.checks.iter().filter(|check| !check.passed).map(|check| format!("error: {check}")).collect();
    }
    let floors: Vec<&Check> = gate.checks.iter().filter(|check| check.before.is_none()).collect();
    let mut results: Vec<String> = floors.iter().map(ToString::to_string).collect();
    if floors.len() < gate.checks.len() {
        results.push("no figure fell too far below the baseline".to_owned());
    }
    vec![format!("gate passed: {}", results.join("; "))]
}
