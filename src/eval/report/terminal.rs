//! The report as text, for a terminal.

use super::wording::{LISTED, left_out, more, title, with_interval};
use crate::eval::comparison::Comparison;
use crate::eval::evaluation::Evaluation;
use crate::eval::gate::{Check, Gate};
use crate::eval::metrics::NAMES;
use crate::text::harmless;

/// Returns the figures of an evaluation as text.
#[must_use]
pub fn text(evaluation: &Evaluation) -> String {
    let Evaluation { about, scores, with_undecided, .. } = evaluation;
    let mut text = format!(
        "{} on {}: {} rows, {} of them violations{}\n",
        about.policy[0],
        about.golden,
        scores.rows,
        scores.violations,
        left_out(evaluation)
    );
    for name in NAMES {
        let strict = with_undecided.named(name).filter(|_| !evaluation.undecided.is_empty());
        let strict = strict.map_or(String::new(), |figure| format!("  {:.3} with undecided as wrong", figure.value));
        text.push_str(&format!("  {:<12} {}{strict}\n", title(name), with_interval(scores.named(name))));
    }
    if let Some(calibration) = &evaluation.calibration {
        text.push_str(&format!("  {:<12} {:.4}\n  {:<12} {:.4}\n", "Brier", calibration.brier, "ECE", calibration.ece));
    }
    for table in [&evaluation.categories, &evaluation.slices] {
        for (name, scores) in table {
            let (f1, name) = (with_interval(scores.f1), short(name));
            text.push_str(&format!("  {name:<12} F1 {f1}, {} rows, {} expected\n", scores.rows, scores.violations));
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = scores.rows as f64 / evaluation.seconds.max(1e-9);
    text.push_str(&format!("  {} tokens, {:.1} s, {rate:.1} rows/s\n", evaluation.tokens, evaluation.seconds));
    text
}

/// Shortens the name of a category or a slice, which may be a whole text.
fn short(name: &str) -> String {
    const LONGEST: usize = 40;
    let more = if name.chars().count() > LONGEST { "…" } else { "" };
    format!("{}{more}", harmless(name).chars().take(LONGEST).collect::<String>())
}

/// Returns a comparison as text: the counts, the terms that differ, and the flips.
#[must_use]
pub fn comparison(comparison: &Comparison) -> String {
    let Comparison { names: [one, other], rows, both, first, second, neither, p_value, terms, flips } = comparison;
    let mut text = format!(
        "{one} and {other}: {rows} rows of both; both right {both}, only {one} {first}, only {other} {second}, neither {neither}; \
         McNemar p = {p_value:.4}\n"
    );
    text.extend(terms.iter().map(|term| format!("  made under another {term}\n")));
    for flip in flips.iter().take(LISTED) {
        let (number, direction) = (flip.number, flip.direction());
        text.push_str(&format!(
            "  row {number}: {} -> {} ({direction}; expected {})\n",
            flip.first, flip.second, flip.expected
        ));
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
