//! The figures that other thresholds on P(violation) would give, on rows that are judged already.

use serde::Serialize;

use super::evaluated_row::{EvaluatedRow, probabilities};
use super::metrics::Confusion;

/// The figures at a threshold: a text is a violation if its probability is at least the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// The threshold, from 0 to 1.
    pub threshold: f64,
    /// Share of violations among the rows that are called violations. 0 if there are no such rows.
    pub precision: f64,
    /// Share of the violations that are called violations.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Violations that are not found.
    pub missed: u64,
    /// Other texts that are called violations.
    pub false_alarms: u64,
    /// True for the threshold with the highest F1 of all.
    pub best: bool,
}

/// The thresholds that a table shows.
const SHOWN: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// Returns the figures at usual thresholds and at the best one, from the lowest. Empty without probabilities of both
/// classes.
#[must_use]
pub fn thresholds(rows: &[EvaluatedRow]) -> Vec<AtThreshold> {
    let rows = probabilities(rows);
    if rows.iter().all(|(violation, _)| *violation) || !rows.iter().any(|(violation, _)| *violation) {
        return Vec::new();
    }
    let best = best(&rows);
    let mut shown: Vec<f64> = SHOWN.into_iter().chain([best]).collect();
    shown.sort_by(f64::total_cmp);
    shown.dedup_by(|one, other| (*one - *other).abs() < 1e-9);
    let is_best = |threshold: f64| (threshold - best).abs() < 1e-9;
    shown.into_iter().map(|threshold| at(&rows, threshold, is_best(threshold))).collect()
}

/// Returns the figures at a threshold. Each row is the correct answer and P(violation).
fn at(rows: &[(bool, f64)], threshold: f64, best: bool) -> AtThreshold {
    let counts = rows.iter().fold(Confusion::default(), |counts, (violation, probability)| {
        counts.with(*violation, *probability >= threshold, 1.0)
    });
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of rows")]
    let [missed, false_alarms] = [counts.false_negative as u64, counts.false_positive as u64];
    let (precision, recall, f1) = (counts.precision(), counts.recall(), counts.f1());
    AtThreshold { threshold, precision, recall, f1, missed, false_alarms, best }
}

/// Returns the threshold with the highest F1, in the middle between two probabilities and with few digits.
fn best(rows: &[(bool, f64)]) -> f64 {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
    let violations = sorted.iter().filter(|(violation, _)| *violation).count();
    let (mut found, mut best) = (0, (0.0, 0.5));
    for (at, (violation, probability)) in sorted.iter().enumerate() {
        found += usize::from(*violation);
        let below = sorted.get(at + 1).map_or(0.0, |next| next.1);
        if below >= *probability {
            continue;
        }
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let f1 = 2.0 * found as f64 / (at + 1 + violations) as f64;
        let threshold = rounded(below, *probability);
        // A threshold in the far tail says nothing about other texts.
        if f1 > best.0 && (0.001..=0.999).contains(&threshold) {
            best = (f1, threshold);
        }
    }
    best.1
}

/// Returns the number with the fewest digits above `low` and not above `high`.
fn rounded(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    let short = (1..=8).map(|digits| {
        let unit = 10_f64.powi(digits);
        (middle * unit).round() / unit
    });
    short.into_iter().find(|number| *number > low && *number <= high).unwrap_or(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_threshold_is_between_two_probabilities_and_short() {
        let rows = [(true, 0.93), (true, 0.81), (false, 0.42), (false, 0.1)];
        assert!((best(&rows) - 0.6).abs() < 1e-9, "{}", best(&rows));
        let at = at(&rows, 0.9, false);
        assert_eq!((at.missed, at.false_alarms), (1, 0));
        assert!((at.precision - 1.0).abs() < 1e-12 && (at.recall - 0.5).abs() < 1e-12);
        assert!((rounded(0.123_41, 0.123_42) - 0.123_42).abs() < 1e-9);
        assert!((rounded(0.0, 0.000_3) - 0.000_1).abs() < 1e-9);
    }
}
