//! Intervals and bounds of figures.
//!
//! The same rows always give the same interval, as the generator and its seed are fixed.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// An interval of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The number of resamples of the bootstrap. With 1,000, an interval of 95 % is stable in its second digit.
pub const RESAMPLES: usize = 1000;

/// Returns the intervals of 95 % of several figures by the percentile bootstrap over `rows` rows.
///
/// `figures` gets the number of times that each row was drawn. Resamples on which a figure is not defined do not count.
/// Both bounds are NaN if no resample counts.
#[must_use]
pub fn bootstrap<const N: usize>(rows: usize, mut figures: impl FnMut(&[u32]) -> [Option<f64>; N]) -> [Interval; N] {
    let mut random = Random::new(SEED);
    let mut weights = vec![0; rows];
    let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        weights.fill(0);
        for _ in 0..rows {
            weights[random.below(rows)] += 1;
        }
        for (values, figure) in values.iter_mut().zip(figures(&weights)) {
            values.extend(figure);
        }
    }
    values.map(|mut values| {
        values.sort_by(f64::total_cmp);
        Interval { low: percentile(&values, 0.025), high: percentile(&values, 0.975) }
    })
}

const SEED: u64 = 1729;

/// Returns a percentile of sorted values, with linear interpolation between neighbors as in numpy.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    #[allow(clippy::cast_precision_loss, reason = "at most RESAMPLES")]
    let place = share * last as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

/// Returns the probability of at most `successes` successes in `trials` trials, each with probability `chance`.
#[must_use]
pub fn binomial(successes: u64, trials: u64, chance: f64) -> f64 {
    if chance <= 0.0 || successes >= trials {
        return 1.0;
    }
    if chance >= 1.0 {
        return 0.0;
    }
    // In logarithms, as the first terms may underflow where the sum does not.
    let odds = (chance / (1.0 - chance)).ln();
    #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
    let mut term = trials as f64 * (1.0 - chance).ln();
    let mut sum = term.exp();
    for done in 0..successes {
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let step = ((trials - done) as f64 / (done + 1) as f64).ln();
        term += step + odds;
        sum += term.exp();
    }
    sum.min(1.0)
}

/// Returns Clopper and Pearson's upper bound of a rate. The rate is above it with probability `doubt` at most.
///
/// The bound is the rate at which `successes` successes or fewer have probability `doubt`.
#[must_use]
pub fn upper_bound(successes: u64, trials: u64, doubt: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..100 {
        let middle: f64 = f64::midpoint(low, high);
        // No number lies between the two any more.
        if middle <= low || middle >= high {
            break;
        }
        if binomial(successes, trials, middle) > doubt {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_scipy() {
        // scipy.stats.beta.ppf(1 - doubt, successes + 1, trials - successes)
        for (successes, trials, doubt, expect) in [
            (0, 59, 0.05, 0.049_507_609_888_226_93),
            (3, 100, 0.05, 0.075_710_793_749_830_04),
            (50, 100, 0.025, 0.601_678_870_496_699),
            (900, 1000, 0.01, 0.920_943_362_090_592_1),
        ] {
            let bound = upper_bound(successes, trials, doubt);
            assert!((bound - expect).abs() < 1e-9, "{successes} of {trials}: {bound}");
        }
        assert!((upper_bound(7, 7, 0.05) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn percentiles_lie_between_neighbors() {
        assert!((percentile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-12);
        assert!((percentile(&[1.0], 0.3) - 1.0).abs() < 1e-12);
        assert!(percentile(&[], 0.3).is_nan());
    }
}
