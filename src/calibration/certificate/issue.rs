//! Issuing a certificate from rows whose answer is known.
//!
//! One half of the rows fits a map and proposes thresholds, from the surest to looser ones. The other half tests them in
//! that order and stops at the first failure.

use super::thresholds::{self, Thresholds};
use super::{Certificate, VERSION};
use crate::calibration::map::{CalibrationMap, FitMethod};
use crate::calibration::reliability::Reliability;
use crate::calibration::setup::EvaluationSetup;
use crate::hint::{Hint, Hints, Setting};
use crate::random::Random;

/// The reason why no certificate is issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// There are too few rows.
    #[error(
        "{have} labelled rows with a probability are too few: at least {need} are needed, half of them to fit and {side} on one side of a threshold to test it"
    )]
    TooFew {
        /// The number of rows.
        have: u64,
        /// The least number of rows for a certificate.
        need: u64,
        /// The least number of rows for one test.
        side: u64,
    },
    /// One class is missing.
    #[error("{whose} rows hold no {lacking}: a certificate needs both violations and other texts")]
    OneClass {
        /// The rows that lack the class: all, or one half.
        whose: &'static str,
        /// The class that is missing.
        lacking: &'static str,
    },
    /// Every threshold lets too many errors through.
    #[error("no threshold lets few enough errors through: at the surest {errors} of {rows} are wrong")]
    Wrong {
        /// Errors at the surest threshold.
        errors: u64,
        /// Rows beyond the surest threshold.
        rows: u64,
    },
}

impl Hints for NoCertificate {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::TooFew { .. } => Vec::new(),
            Self::OneClass { .. } => vec![Hint::new("label more texts, or check the labels")],
            Self::Wrong { .. } => {
                vec![Hint::new("accept more errors with ").setting(Setting::Alpha).text(", or improve the policy")]
            }
        }
    }
}

/// Returns the least number of rows beyond a threshold that can pass its test: enough if none of them is wrong.
#[must_use]
pub fn least(alpha: f64, delta: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
    let least = ((delta / 2.0).ln() / (1.0 - alpha).ln()).ceil() as u64;
    least
}

/// Checks before a run that these numbers of violations and of other texts are enough for a certificate.
///
/// # Errors
///
/// [`NoCertificate::OneClass`] and [`NoCertificate::TooFew`].
pub fn possible(classes: [u64; 2], alpha: f64, delta: f64) -> Result<(), NoCertificate> {
    if let Some(lacking) = missing_class(classes) {
        return Err(NoCertificate::OneClass { whose: "the", lacking });
    }
    let side = least(alpha, delta);
    // Half of the rows fit the map. In the other half, at least `side` rows must lie beyond a threshold.
    let (have, need) = (classes[0] + classes[1], 4 * side);
    if have < need { Err(NoCertificate::TooFew { have, need, side }) } else { Ok(()) }
}

/// Returns the class that these numbers of violations and of other texts lack, in words.
pub(crate) fn missing_class([violations, others]: [u64; 2]) -> Option<&'static str> {
    match (violations, others) {
        (0, 0) => Some("rows"),
        (0, _) => Some("violations"),
        (_, 0) => Some("texts that are no violation"),
        _ => None,
    }
}

fn classes(rows: &[(bool, f64)]) -> [u64; 2] {
    let violations = rows.iter().filter(|(violation, _)| *violation).count() as u64;
    [violations, rows.len() as u64 - violations]
}

impl Certificate {
    /// Issues a certificate from rows: the correct answer (true for a violation) and P(violation).
    ///
    /// `alpha` is the accepted share of errors and `delta` the accepted risk, both between 0 and 0.5. `seed` selects the
    /// half of the rows that fits the map.
    ///
    /// # Errors
    ///
    /// [`NoCertificate`] if there are too few rows, if a class is missing, or if every threshold fails.
    pub fn issue(
        about: EvaluationSetup,
        rows: &[(bool, f64)],
        method: FitMethod,
        alpha: f64,
        delta: f64,
        seed: u64,
    ) -> Result<Self, NoCertificate> {
        possible(classes(rows), alpha, delta)?;
        let side = least(alpha, delta);
        let mut mixed = rows.to_vec();
        Random::new(seed).shuffle(&mut mixed);
        let (fitting, testing) = mixed.split_at(mixed.len() / 2);
        for (whose, rows) in [("the fitting", fitting), ("the testing", testing)] {
            if let Some(lacking) = missing_class(classes(rows)) {
                return Err(NoCertificate::OneClass { whose, lacking });
            }
        }
        let map = CalibrationMap::fit(method, fitting);
        let calibrated = |rows: &[(bool, f64)]| -> Vec<(bool, f64)> {
            rows.iter().map(|(violation, probability)| (*violation, map.apply(*probability))).collect()
        };
        let (fitted, tested) = (calibrated(fitting), calibrated(testing));
        let Thresholds { high, low, failed } = thresholds::both(&fitted, &tested, alpha, delta, side)
            .map_err(|(errors, rows)| NoCertificate::Wrong { errors, rows })?;
        let reliability = |rows: &[(bool, f64)]| {
            Reliability::of(rows).unwrap_or(Reliability { brier: 0.0, ece: 0.0, bins: Vec::new() })
        };
        let mut certificate = Self {
            form: VERSION,
            about,
            map,
            alpha,
            delta,
            low,
            high,
            rows: [fitting.len() as u64, testing.len() as u64],
            automatic: 0.0,
            classes: classes(testing),
            sides: [(0, 0); 2],
            failed,
            calibration: [reliability(testing), reliability(&tested)],
        };
        certificate.sides = certificate.errors(testing);
        let automatic: u64 = certificate.sides.iter().map(|(rows, _)| rows).sum();
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let share = automatic as f64 / testing.len() as f64;
        certificate.automatic = share;
        Ok(certificate)
    }
}
