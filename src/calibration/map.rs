//! Calibration maps, which make probabilities agree better with outcomes.
//!
//! A map never reverses the order of two texts, so it changes no ranking. An isotonic map may make two texts equal.

use serde::{Deserialize, Serialize};

/// A map from P(violation) to the calibrated probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "method")]
pub enum CalibrationMap {
    /// Divides the logit by a temperature and adds a bias.
    Temperature {
        /// The divisor, above 0. Above 1 it moves probabilities towards 0.5.
        temperature: f64,
        /// The addend. Above 0 it makes violations more probable.
        bias: f64,
    },
    /// Steps that never fall.
    Isotonic {
        /// The probability at which each step begins, ascending.
        from: Vec<f64>,
        /// The calibrated probability of each step.
        value: Vec<f64>,
    },
}

/// The method by which a map is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitMethod {
    /// Fits two numbers: needs few rows.
    Temperature,
    /// Fits a step function: needs many rows.
    Isotonic,
}

/// The reason why a map that was read from a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The temperature or the bias is impossible.
    #[error("its map needs a temperature above 0 and a bias, both finite")]
    Temperature,
    /// The lists of an isotonic map are empty or of different lengths.
    #[error("its map needs as many values as steps, and one at least")]
    Lengths,
    /// A number is no probability.
    #[error("its map holds a number outside 0 to 1")]
    Range,
    /// The steps fall, or two begin at one place.
    #[error("the steps of its map do not rise")]
    Falling,
}

/// The least distance of a probability from 0 and from 1: logits of certain ones would be infinite.
const EDGE: f64 = 1e-12;

fn logit(probability: f64) -> f64 {
    let inside = probability.clamp(EDGE, 1.0 - EDGE);
    (inside / (1.0 - inside)).ln()
}

fn logistic(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

impl CalibrationMap {
    /// Fits a map to rows: the correct answer (true for a violation) and P(violation).
    #[must_use]
    pub fn fit(method: FitMethod, rows: &[(bool, f64)]) -> Self {
        match method {
            FitMethod::Temperature => temperature(rows),
            FitMethod::Isotonic => isotonic(rows),
        }
    }

    /// Checks a map that was read from a file: it must turn probabilities into probabilities and keep their order.
    ///
    /// # Errors
    ///
    /// [`MapError`] if no fit can give such a map.
    pub fn check(&self) -> Result<(), MapError> {
        let is_share = |value: &f64| (0.0..=1.0).contains(value);
        match self {
            Self::Temperature { temperature, bias } => {
                if !(temperature.is_finite() && *temperature > 0.0 && bias.is_finite()) {
                    return Err(MapError::Temperature);
                }
            }
            Self::Isotonic { from, value } => {
                if from.is_empty() || from.len() != value.len() {
                    return Err(MapError::Lengths);
                }
                if !from.iter().chain(value).all(is_share) {
                    return Err(MapError::Range);
                }
                let rises = from.windows(2).all(|pair| pair[0] < pair[1]);
                if !rises || value.windows(2).any(|pair| pair[0] > pair[1]) {
                    return Err(MapError::Falling);
                }
            }
        }
        Ok(())
    }

    /// Returns the calibrated probability.
    #[must_use]
    pub fn apply(&self, probability: f64) -> f64 {
        match self {
            Self::Temperature { temperature, bias } => logistic(logit(probability) / temperature + bias),
            Self::Isotonic { from, value } => {
                let at = from.partition_point(|from| *from <= probability).saturating_sub(1);
                value.get(at).copied().unwrap_or(probability)
            }
        }
    }
}

/// Fits Platt's two numbers by Newton's method, as their likelihood is concave.
///
/// Rows that a threshold separates perfectly would make the numbers infinite. A weak pull towards the identity keeps
/// them finite then, and smoothed targets do if one class is missing.
fn temperature(rows: &[(bool, f64)]) -> CalibrationMap {
    const PULL: f64 = 1e-3;
    let positives = rows.iter().filter(|(violation, _)| *violation).count();
    #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
    let (high, low) =
        ((positives as f64 + 1.0) / (positives as f64 + 2.0), 1.0 / ((rows.len() - positives) as f64 + 2.0));
    let (mut slope, mut bias) = (1.0_f64, 0.0_f64);
    for _ in 0..100 {
        let (mut gradient, mut curvature) = ([PULL * (slope - 1.0), PULL * bias], [PULL, 0.0, PULL]);
        for &(violation, probability) in rows {
            let (x, target) = (logit(probability), if violation { high } else { low });
            let p = logistic(slope * x + bias);
            let weight = p * (1.0 - p);
            gradient = [gradient[0] + (p - target) * x, gradient[1] + (p - target)];
            curvature = [curvature[0] + weight * x * x, curvature[1] + weight * x, curvature[2] + weight];
        }
        let scale = curvature[0] * curvature[2] - curvature[1] * curvature[1];
        if scale.abs() < f64::MIN_POSITIVE {
            break;
        }
        let step = [
            (gradient[0] * curvature[2] - gradient[1] * curvature[1]) / scale,
            (gradient[1] * curvature[0] - gradient[0] * curvature[1]) / scale,
        ];
        // A long step may leave the region in which the quadratic approximation is good.
        let scale = (1.0 / (step[0].abs().max(step[1].abs()))).min(1.0);
        // A slope below 0 would reverse the order of texts.
        slope = (slope - scale * step[0]).max(1e-3);
        bias -= scale * step[1];
        if step[0].abs().max(step[1].abs()) < 1e-10 {
            break;
        }
    }
    CalibrationMap::Temperature { temperature: 1.0 / slope, bias }
}

/// Fits steps by pooling adjacent violators.
fn isotonic(rows: &[(bool, f64)]) -> CalibrationMap {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|one, other| one.1.total_cmp(&other.1));
    // Each block: the probability at which it begins, the sum of its outcomes and its weight.
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
    for (violation, probability) in sorted {
        let was = f64::from(u8::from(violation));
        #[allow(clippy::float_cmp, reason = "equal probabilities are one step")]
        match blocks.last_mut() {
            Some(last) if last.0 == probability => (last.1, last.2) = (last.1 + was, last.2 + 1.0),
            _ => blocks.push((probability, was, 1.0)),
        }
        while let [.., before, last] = blocks.as_mut_slice()
            && before.1 / before.2 >= last.1 / last.2
        {
            (before.1, before.2) = (before.1 + last.1, before.2 + last.2);
            blocks.pop();
        }
    }
    CalibrationMap::Isotonic {
        from: blocks.iter().map(|block| block.0).collect(),
        value: blocks.iter().map(|block| block.1 / block.2).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::reliability::Reliability;
    use super::*;
    use crate::random::Random;

    /// Returns rows whose true logit is a third of the logit of their probability, plus a half.
    fn overconfident(count: usize) -> Vec<(bool, f64)> {
        let mut random = Random::new(5);
        #[allow(clippy::cast_precision_loss)]
        let mut unit = move || random.bits() as f64 / u64::MAX as f64;
        (0..count)
            .map(|_| {
                let given = (unit() - 0.5) * 12.0;
                (unit() < logistic(given / 3.0 + 0.5), logistic(given))
            })
            .collect()
    }

    #[test]
    fn a_temperature_is_found_and_makes_probabilities_believable() {
        let rows = overconfident(4000);
        let map = CalibrationMap::fit(FitMethod::Temperature, &rows);
        let CalibrationMap::Temperature { temperature, bias } = map else { panic!("{map:?}") };
        assert!((temperature - 3.0).abs() < 0.3 && (bias - 0.5).abs() < 0.15, "{temperature} {bias}");
        let ece = |map: &dyn Fn(f64) -> f64| {
            Reliability::of(&rows.iter().map(|(was, given)| (*was, map(*given))).collect::<Vec<_>>()).unwrap().ece
        };
        let (before, after) = (ece(&|p| p), ece(&|p| map.apply(p)));
        assert!(after < 0.03 && before > 4.0 * after, "{before} {after}");
        let steps = CalibrationMap::fit(FitMethod::Isotonic, &rows);
        assert!(ece(&|p| steps.apply(p)) < 0.02);
    }

    #[test]
    fn no_map_turns_the_order_around_or_leaves_the_numbers() {
        let separated: Vec<(bool, f64)> = (0..40).map(|row| (row >= 20, f64::from(row) / 39.0)).collect();
        for rows in [&[][..], &[(true, 1.0)], &[(true, 0.0), (false, 1.0)], &separated, &overconfident(50)] {
            for method in [FitMethod::Temperature, FitMethod::Isotonic] {
                let map = CalibrationMap::fit(method, rows);
                let values: Vec<f64> = (0..=100).map(|p| map.apply(f64::from(p) / 100.0)).collect();
                assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{map:?} {values:?}");
                assert!(values.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{map:?}");
            }
        }
    }

    #[test]
    fn a_map_that_no_fit_gives_is_refused() {
        let steps =
            |from: &[f64], value: &[f64]| CalibrationMap::Isotonic { from: from.to_vec(), value: value.to_vec() };
        for map in [
            CalibrationMap::Temperature { temperature: 0.0, bias: 0.0 },
            CalibrationMap::Temperature { temperature: -1.0, bias: 0.0 },
            CalibrationMap::Temperature { temperature: f64::NAN, bias: 0.0 },
            CalibrationMap::Temperature { temperature: 1.0, bias: f64::INFINITY },
            steps(&[], &[]),
            steps(&[0.0], &[0.1, 0.2]),
            steps(&[0.0, 0.5], &[0.1, 7.0]),
            steps(&[0.0, 0.5], &[0.1, f64::NAN]),
            steps(&[0.0, 0.5], &[0.9, 0.1]),
            steps(&[0.5, 0.5], &[0.1, 0.9]),
            steps(&[0.5, 0.1], &[0.1, 0.9]),
        ] {
            assert!(map.check().is_err(), "{map:?}");
        }
    }

    #[test]
    fn every_fitted_map_passes_its_own_check() {
        for method in [FitMethod::Temperature, FitMethod::Isotonic] {
            for count in [2, 3, 50, 400] {
                assert_eq!(CalibrationMap::fit(method, &overconfident(count)).check(), Ok(()), "{method:?} {count}");
            }
        }
    }

    #[test]
    fn a_map_is_read_as_it_is_written() {
        for map in [
            CalibrationMap::Temperature { temperature: 1.5, bias: -0.25 },
            CalibrationMap::Isotonic { from: vec![0.0, 0.5], value: vec![0.1, 0.9] },
        ] {
            assert_eq!(serde_json::from_str::<CalibrationMap>(&serde_json::to_string(&map).unwrap()).unwrap(), map);
            assert_eq!(map.check(), Ok(()));
        }
        assert_eq!(Reliability::of(&[]), None);
    }
}
