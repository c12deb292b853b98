//! Wording that several reports share.

use crate::eval::evaluation::Evaluation;
use crate::eval::metrics::Figure;

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
