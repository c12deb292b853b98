//! The points of the curves: precision against recall, and reliability.

use crate::calibration::reliability::Bin;
use crate::eval::evaluated_row::{EvaluatedRow, probabilities};

/// The most points of a curve: more cannot be seen.
const POINTS: usize = 200;

/// Returns recall and precision at each threshold, from the strictest. Empty without a violation.
pub(super) fn precision_recall(rows: &[EvaluatedRow]) -> Vec<[f64; 2]> {
    let mut rows = probabilities(rows);
    rows.sort_by(|one, other| other.1.total_cmp(&one.1));
    let violations = rows.iter().filter(|(violation, _)| *violation).count();
    if violations == 0 {
        return Vec::new();
    }
    let (mut found, mut points) = (0, Vec::new());
    for (called, (violation, probability)) in rows.iter().enumerate() {
        found += usize::from(*violation);
        #[allow(clippy::float_cmp, reason = "equal probabilities are one threshold")]
        let is_last_of_threshold = rows.get(called + 1).is_none_or(|next| next.1 != *probability);
        if is_last_of_threshold {
            #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
            points.push([found as f64 / violations as f64, found as f64 / (called + 1) as f64]);
        }
    }
    let step = points.len().div_ceil(POINTS).max(1);
    // The steps may leave out the last point, where the curve reaches full recall.
    let last = points.last().copied();
    let mut points: Vec<[f64; 2]> = points.into_iter().step_by(step).collect();
    if let Some(last) = last
        && points.last() != Some(&last)
    {
        points.push(last);
    }
    points
}

/// Merges neighboring bins until each has enough rows to show a share: ten, or a tenth of all if that is less.
pub(super) fn merged(bins: &[Bin]) -> Vec<Bin> {
    let all: u64 = bins.iter().map(|bin| bin.rows).sum();
    let enough = (all / 10).clamp(1, 10);
    let mut merged: Vec<Bin> = Vec::new();
    for bin in bins {
        match merged.last_mut() {
            Some(last) if last.rows < enough => *last = joined(last, bin),
            _ => merged.push(*bin),
        }
    }
    // The last bin has no neighbor behind it.
    if merged.len() > 1
        && let Some(last) = merged.pop_if(|last| last.rows < enough)
        && let Some(before) = merged.last_mut()
    {
        *before = joined(before, &last);
    }
    merged
}

#[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
fn joined(one: &Bin, other: &Bin) -> Bin {
    let rows = one.rows + other.rows;
    let mean = |of: fn(&Bin) -> f64| (of(one) * one.rows as f64 + of(other) * other.rows as f64) / rows as f64;
    Bin { rows, said: mean(|bin| bin.said), was: mean(|bin| bin.was) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_bins_are_merged_and_no_row_is_lost() {
        let bin = |rows, said, was| Bin { rows, said, was };
        let bins = [
            bin(40, 0.05, 0.0),
            bin(1, 0.2, 1.0),
            bin(1, 0.3, 0.0),
            bin(2, 0.5, 0.5),
            bin(50, 0.9, 0.9),
            bin(2, 0.95, 1.0),
        ];
        let merged = merged(&bins);
        assert_eq!(merged.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [40, 56]);
        #[allow(clippy::cast_precision_loss, reason = "few rows")]
        let violations = |bins: &[Bin]| bins.iter().map(|bin| bin.was * bin.rows as f64).sum::<f64>();
        assert!((violations(&bins) - violations(&merged)).abs() < 1e-9);
        assert_eq!(super::merged(&bins[1..3]).len(), 2, "few rows have small bins");
    }
}
