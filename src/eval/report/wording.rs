//! Wording that several reports share.

use crate::eval::evaluation::Evaluation;
use crate::eval::metrics::{Figure, NAMES};
use crate::eval::mistakes::Counts;
use crate::label::config::threshold as threshold_of;
use crate::text::{cut, harmless};

/// The most errors and flips that a text lists.
pub(super) const LISTED: usize = 50;

/// Returns the title of a figure in a table.
pub(super) fn title(name: &'static str) -> &'static str {
    match name {
        "f1" => "F1",
        "mcc" => "MCC",
        "pr_auc" => "PR-AUC",
        other => other,
    }
}

/// Returns a figure with its interval.
pub(super) fn with_interval(figure: Option<Figure>) -> String {
    figure
        .map_or_else(|| "–".to_owned(), |figure| format!("{:.3} ({:.3}–{:.3})", figure.value, figure.low, figure.high))
}

/// Counts the rows that the figures leave out, for the end of a sentence.
pub(super) fn left_out(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    let undecided: u64 = evaluation.undecided.values().sum();
    if undecided > 0 {
        let reasons: Vec<String> =
            evaluation.undecided.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        text.push_str(&format!(", {undecided} more undecided ({})", reasons.join(", ")));
    }
    if evaluation.unknown > 0 {
        text.push_str(&format!(", {} of unknown answer left out", evaluation.unknown));
    }
    if evaluation.repeated > 0 {
        text.push_str(&format!(", {} repeated ones left out", evaluation.repeated));
    }
    text
}

/// Counts the flips that a list leaves out.
pub(super) fn more(flips: usize) -> String {
    if flips > LISTED { format!("\nand {} more\n", flips - LISTED) } else { String::new() }
}

/// Returns the counts and figures of several evaluations: the name of each, and its value in every evaluation.
pub(super) fn figures_of_all(evaluations: &[Evaluation]) -> Vec<(&'static str, Vec<String>)> {
    let counts: Vec<Counts> = evaluations.iter().map(|evaluation| Counts::of(&evaluation.rows)).collect();
    let count = |of: fn(&Counts) -> u64| counts.iter().map(|counts| of(counts).to_string()).collect::<Vec<_>>();
    let mut rows = vec![
        ("right", count(|counts| counts.right)),
        ("missed", count(|counts| counts.missed)),
        ("false alarms", count(|counts| counts.false_alarms)),
    ];
    if counts.iter().any(|counts| counts.review + counts.undecided > 0) {
        rows.push(("no verdict", count(|counts| counts.review + counts.undecided)));
    }
    for name in NAMES {
        let figure = |evaluation: &Evaluation| with_interval(evaluation.scores.named(name));
        rows.push((title(name), evaluations.iter().map(figure).collect()));
    }
    rows
}

/// Returns the threshold of an evaluation in words.
pub(super) fn threshold(evaluation: &Evaluation) -> String {
    let threshold = threshold_of(&evaluation.about.terms);
    threshold.map_or_else(|| "the likelier answer decides".to_owned(), |threshold| format!("threshold {threshold}"))
}

/// Counts violations: `1 violation`, `24 violations`.
pub(super) fn violations(count: u64) -> String {
    format!("{count} violation{}", if count == 1 { "" } else { "s" })
}

/// Returns a probability in three digits. A tiny one is not called 0, and a large one is not called 1.
pub(super) fn probability(value: f64) -> String {
    match value {
        value if value < 0.001 => "< 0.001".to_owned(),
        value if value > 0.999 => "> 0.999".to_owned(),
        value => format!("{value:.3}"),
    }
}

/// Returns the place of a row for the column `row`: without that word, unless the input's name comes first.
pub(super) fn below_row(place: &str) -> &str {
    place.trim_start_matches("row ")
}

/// Shortens a text to one line.
pub(super) fn on_one_line(text: &str) -> String {
    const LONGEST: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&harmless(&line), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_short_line_and_a_tiny_probability_is_not_zero() {
        assert_eq!(on_one_line(" a\n\tb  c "), "a b c");
        assert_eq!(on_one_line(&"x".repeat(101)), format!("{}…", "x".repeat(100)));
        assert_eq!([0.0, 1e-9, 0.25, 1.0].map(probability), ["< 0.001", "< 0.001", "0.250", "> 0.999"]);
    }
}
