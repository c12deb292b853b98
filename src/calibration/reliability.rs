//! Reliability: the agreement of probabilities with outcomes.
//!
//! Of all texts with P(violation) 0.7, seven in ten should be violations.

use serde::{Deserialize, Serialize};

/// The agreement of probabilities with outcomes on some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Brier score: the mean squared difference of probability and outcome, from 0 (best) to 1.
    pub brier: f64,
    /// Expected calibration error: the mean difference of the bins weighted by rows, from 0 (best) to 1.
    pub ece: f64,
    /// The bins of the reliability curve, from the lowest probability. Bins without rows are left out.
    pub bins: Vec<Bin>,
}

/// A bin of the reliability curve: the rows with similar probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    // The names are those in the JSON of evaluations and certificates.
    /// The number of rows, at least 1.
    pub rows: u64,
    /// The mean probability.
    pub said: f64,
    /// The share of violations.
    pub was: f64,
}

/// The number of bins, of equal width.
const BINS: usize = 10;

impl Reliability {
    /// Compares probabilities with outcomes. Each row is the correct answer (true for a violation) and P(violation).
    /// Returns `None` without rows.
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
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a bin's number"
            )]
            let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
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
