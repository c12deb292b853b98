//! The two thresholds of a certificate, one for each side.
//!
//! The fitting rows alone fix the order of the tests, and the testing rows only pass or fail them. So every threshold
//! that passes before the first failure holds at the same confidence.

use crate::calibration::interval::upper_bound;

/// The threshold of each side.
#[derive(Debug)]
pub(super) struct Thresholds {
    /// The threshold from which a text is a violation.
    pub high: Option<f64>,
    /// The threshold up to which a text is safe.
    pub low: Option<f64>,
    /// The errors and the rows at the surest threshold of a side without one.
    pub failed: [Option<(u64, u64)>; 2],
}

/// Returns the threshold from which a text is a violation, and the one up to which it is safe. At least one of them is
/// `Some`. Each row is the correct answer and the calibrated probability.
///
/// # Errors
///
/// The errors and the rows at the surest threshold, if no threshold holds.
pub(super) fn both(
    fitted: &[(bool, f64)],
    tested: &[(bool, f64)],
    alpha: f64,
    delta: f64,
    side: u64,
) -> Result<Thresholds, (u64, u64)> {
    let turned = |rows: &[(bool, f64)]| -> Vec<(bool, f64)> {
        rows.iter().map(|(violation, probability)| (!violation, -probability)).collect()
    };
    // Each side takes half of the risk, so both hold together with confidence 1 − delta.
    let high = thresholds(fitted, tested, alpha, delta / 2.0, side);
    let low = thresholds(&turned(fitted), &turned(tested), alpha, delta / 2.0, side);
    if let (Err(wrong), Err(_)) = (&high, &low) {
        return Err(*wrong);
    }
    let failed = [high.as_ref().err().copied(), low.as_ref().err().copied()];
    // No side reaches past the middle, so a probable violation never passes as safe.
    let high: Vec<f64> = high.unwrap_or_default().into_iter().filter(|high| *high >= 0.5).collect();
    let low = low.unwrap_or_default().into_iter().map(|low| -low);
    let low: Vec<f64> = low.filter(|low| *low <= 0.5).collect();
    if high.is_empty() && low.is_empty() {
        let errors = tested.iter().filter(|(violation, calibrated)| *violation != (*calibrated >= 0.5)).count() as u64;
        return Err((errors, tested.len() as u64));
    }
    let (high, low) = apart(&high, &low, fitted);
    Ok(Thresholds { high, low, failed })
}

/// Returns the thresholds at which few enough rows are wrong, from the surest to the loosest.
/// They hold together, as each was tested only after the one before it held.
/// If even the surest fails, returns its errors and its rows.
fn thresholds(
    fitted: &[(bool, f64)],
    tested: &[(bool, f64)],
    alpha: f64,
    doubt: f64,
    least: u64,
) -> Result<Vec<f64>, (u64, u64)> {
    /// The most thresholds that are tested.
    const STEPS: usize = 40;
    let beyond = |rows: &[(bool, f64)], threshold: f64| {
        let beyond = rows.iter().filter(|(_, calibrated)| *calibrated >= threshold);
        beyond.fold((0, 0), |(errors, rows), (violation, _)| (errors + u64::from(!violation), rows + 1))
    };
    let mut places: Vec<f64> = fitted.iter().map(|(_, calibrated)| *calibrated).collect();
    places.sort_by(|one, other| other.total_cmp(one));
    places.dedup();
    let step = places.len().div_ceil(STEPS).max(1);
    // A test on fewer rows always fails.
    let places: Vec<f64> =
        places.into_iter().step_by(step).filter(|threshold| beyond(fitted, *threshold).1 >= least).collect();
    // The threshold with the lowest bound on the fitting rows comes first, then looser ones.
    let bound = |threshold: &f64| {
        let (errors, rows) = beyond(fitted, *threshold);
        upper_bound(errors, rows, doubt)
    };
    let bounds: Vec<f64> = places.iter().map(bound).collect();
    // Of equal bounds the first is taken, which is the strictest threshold.
    let surest = (0..places.len()).min_by(|one, other| bounds[*one].total_cmp(&bounds[*other]));
    let Some(surest) = surest else { return Err(beyond(tested, f64::NEG_INFINITY)) };
    let holds = |threshold: &&f64| {
        let (errors, rows) = beyond(tested, **threshold);
        upper_bound(errors, rows, doubt) <= alpha
    };
    let held: Vec<f64> = places[surest..].iter().take_while(holds).copied().collect();
    if held.is_empty() { Err(beyond(tested, places[surest])) } else { Ok(held) }
}

/// Returns the pair of thresholds, one of each side, that decides most of the fitting rows. The two sides never
/// overlap. Every given threshold holds already, so the choice costs no confidence.
fn apart(high: &[f64], low: &[f64], fitted: &[(bool, f64)]) -> (Option<f64>, Option<f64>) {
    let sides = |thresholds: &[f64]| -> Vec<Option<f64>> {
        std::iter::once(None).chain(thresholds.iter().copied().map(Some)).collect()
    };
    let pairs = sides(high).into_iter().flat_map(|high| sides(low).into_iter().map(move |low| (high, low)));
    let apart = pairs.filter(|pair| !matches!(pair, (Some(high), Some(low)) if low >= high));
    let decided = |(high, low): &(Option<f64>, Option<f64>)| {
        let is =
            |calibrated: f64| high.is_some_and(|high| calibrated >= high) || low.is_some_and(|low| calibrated <= low);
        let rows = fitted.iter().filter(|(_, calibrated)| is(*calibrated)).count();
        // Among equals, a pair with a threshold on each side wins.
        (rows, u8::from(high.is_some()) + u8::from(low.is_some()))
    };
    apart.max_by_key(decided).unwrap_or_default()
}
