//! The precision-recall curve.

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
