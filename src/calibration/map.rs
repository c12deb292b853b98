//! How far a probability can be believed, and a map that makes it more so.
//!
//! The one idea: of all texts of which P(violation) is said to be 0.7, seven in ten should be violations. A map keeps the
//! order of the texts (isotonic: but for ties), so that it changes no ranking.

use serde::{Deserialize, Serialize};

/// How probabilities compare with what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean of the squared differences.
    pub brier: f64,
    /// Expected calibration error: the bins' differences, weighted by their rows.
    pub ece: f64,
    /// The bins of the reliability curve, those without rows left out.
    pub bins: Vec<Bin>,
}

/// One bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Rows.
    pub rows: u64,
    /// Mean of what was said.
    pub said: f64,
    /// Share of violations.
    pub was: f64,
}

/// Bins, of equal width.
const BINS: usize = 10;

impl Reliability {
    /// What is said, and what was. None without rows.
    #[must_use]
    pub fn of(rows: &[(bool, f64)]) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let mut sums = [(0_u64, 0.0, 0.0); BINS];
        let mut squares = 0.0;
        for &(violation, probability) in rows {
            let was = f64::from(u8::from(violation));
            squares += (probability - was).powi(2);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bin's number")]
            let bin = ((probability * 10.0) as usize).min(BINS - 1);
            sums[bin] = (sums[bin].0 + 1, sums[bin].1 + probability, sums[bin].2 + was);
        }
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let (all, count) = (rows.len() as f64, |rows: u64| rows as f64);
        let bins: Vec<Bin> = sums
            .into_iter()
            .filter(|(rows, ..)| *rows > 0)
            .map(|(rows, said, was)| Bin { rows, said: said / count(rows), was: was / count(rows) })
            .collect();
        let ece = bins.iter().map(|bin| count(bin.rows) / all * (bin.said - bin.was).abs()).sum();
        Some(Self { brier: squares / all, ece, bins })
    }
}

/// A map from what is said to what is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "method")]
pub enum Map {
    /// The logit, divided by a temperature and moved by a bias.
    Temperature {
        /// Above 1 it makes modest.
        temperature: f64,
        /// Above 0 it makes violations likelier.
        bias: f64,
    },
    /// Steps that never fall: from each probability on, what is believed.
    Isotonic {
        /// From here on,
        from: Vec<f64>,
        /// that much.
        value: Vec<f64>,
    },
}

/// How a map is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Two numbers: needs few rows.
    Temperature,
    /// As many steps as the rows ask for: needs many.
    Isotonic,
}

/// Probabilities are never taken for certain.
const EDGE: f64 = 1e-12;

fn logit(probability: f64) -> f64 {
    let inside = probability.clamp(EDGE, 1.0 - EDGE);
    (inside / (1.0 - inside)).ln()
}

fn logistic(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

impl Map {
    /// Fits a map to what was said and what was.
    #[must_use]
    pub fn fit(method: Method, rows: &[(bool, f64)]) -> Self {
        match method {
            Method::Temperature => temperature(rows),
            Method::Isotonic => isotonic(rows),
        }
    }

    /// Checks a map that was read from a file: it must turn probabilities into probabilities and keep their order.
    ///
    /// # Errors
    ///
    /// When no fit gives such a map. The message says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let is_share = |value: &f64| (0.0..=1.0).contains(value);
        match self {
            Self::Temperature { temperature, bias } => {
                if !(temperature.is_finite() && *temperature > 0.0 && bias.is_finite()) {
                    return Err("its map needs a temperature above 0 and a bias, both finite".to_owned());
                }
            }
            Self::Isotonic { from, value } => {
                if from.is_empty() || from.len() != value.len() {
                    return Err("its map needs as many values as steps, and one at least".to_owned());
                }
                if !from.iter().chain(value).all(is_share) {
                    return Err("its map holds a number outside 0 to 1".to_owned());
                }
                let rises = from.windows(2).all(|pair| pair[0] < pair[1]);
                if !rises || value.windows(2).any(|pair| pair[0] > pair[1]) {
                    return Err("the steps of its map do not rise".to_owned());
                }
            }
        }
        Ok(())
    }

    /// What is believed of a probability.
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

/// Platt's fit, by Newton's method: the likelihood of both numbers is concave. A light pull towards the identity keeps them
/// finite where all rows are told apart, and smoothed targets where one kind is missing.
fn temperature(rows: &[(bool, f64)]) -> Map {
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
        // A long step may leave where Newton's picture is true.
        let scale = (1.0 / (step[0].abs().max(step[1].abs()))).min(1.0);
        slope = (slope - scale * step[0]).max(1e-3);
        bias -= scale * step[1];
        if step[0].abs().max(step[1].abs()) < 1e-10 {
            break;
        }
    }
    Map::Temperature { temperature: 1.0 / slope, bias }
}

/// Pool adjacent violators.
fn isotonic(rows: &[(bool, f64)]) -> Map {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|one, other| one.1.total_cmp(&other.1));
    // Of each block: where it begins, its sum and its weight.
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
    Map::Isotonic {
        from: blocks.iter().map(|block| block.0).collect(),
        value: blocks.iter().map(|block| block.1 / block.2).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::Random;
    use super::*;

    /// Rows whose true logit is the said one over 3, plus a half.
    fn overconfident(count: usize) -> Vec<(bool, f64)> {
        let mut random = Random::new(5);
        #[allow(clippy::cast_precision_loss)]
        let mut unit = move || random.bits() as f64 / u64::MAX as f64;
        (0..count)
            .map(|_| {
                let said = (unit() - 0.5) * 12.0;
                (unit() < logistic(said / 3.0 + 0.5), logistic(said))
            })
            .collect()
    }

    #[test]
    fn a_temperature_is_found_and_makes_probabilities_believable() {
        let rows = overconfident(4000);
        let map = Map::fit(Method::Temperature, &rows);
        let Map::Temperature { temperature, bias } = map else { panic!("{map:?}") };
        assert!((temperature - 3.0).abs() < 0.3 && (bias - 0.5).abs() < 0.15, "{temperature} {bias}");
        let ece = |map: &dyn Fn(f64) -> f64| {
            Reliability::of(&rows.iter().map(|(was, said)| (*was, map(*said))).collect::<Vec<_>>()).unwrap().ece
        };
        let (before, after) = (ece(&|p| p), ece(&|p| map.apply(p)));
        assert!(after < 0.03 && before > 4.0 * after, "{before} {after}");
        let steps = Map::fit(Method::Isotonic, &rows);
        assert!(ece(&|p| steps.apply(p)) < 0.02);
    }

    #[test]
    fn no_map_turns_the_order_around_or_leaves_the_numbers() {
        let separated: Vec<(bool, f64)> = (0..40).map(|row| (row >= 20, f64::from(row) / 39.0)).collect();
        for rows in [&[][..], &[(true, 1.0)], &[(true, 0.0), (false, 1.0)], &separated, &overconfident(50)] {
            for method in [Method::Temperature, Method::Isotonic] {
                let map = Map::fit(method, rows);
                let values: Vec<f64> = (0..=100).map(|p| map.apply(f64::from(p) / 100.0)).collect();
                assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{map:?} {values:?}");
                assert!(values.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{map:?}");
            }
        }
    }

    #[test]
    fn a_map_that_no_fit_gives_is_refused() {
        let steps = |from: &[f64], value: &[f64]| Map::Isotonic { from: from.to_vec(), value: value.to_vec() };
        for map in [
            Map::Temperature { temperature: 0.0, bias: 0.0 },
            Map::Temperature { temperature: -1.0, bias: 0.0 },
            Map::Temperature { temperature: f64::NAN, bias: 0.0 },
            Map::Temperature { temperature: 1.0, bias: f64::INFINITY },
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
        for method in [Method::Temperature, Method::Isotonic] {
            for count in [2, 3, 50, 400] {
                assert_eq!(Map::fit(method, &overconfident(count)).check(), Ok(()), "{method:?} {count}");
            }
        }
    }

    #[test]
    fn a_map_is_read_as_it_is_written() {
        for map in [
            Map::Temperature { temperature: 1.5, bias: -0.25 },
            Map::Isotonic { from: vec![0.0, 0.5], value: vec![0.1, 0.9] },
        ] {
            assert_eq!(serde_json::from_str::<Map>(&serde_json::to_string(&map).unwrap()).unwrap(), map);
            assert_eq!(map.check(), Ok(()));
        }
        assert_eq!(Reliability::of(&[]), None);
    }
}
