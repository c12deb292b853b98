//! Certificates: the verdicts that may be acted on without a person, with a bound on their errors.
//!
//! A certificate has two thresholds on the calibrated probability. Each was tested on rows that took no part in its
//! choice, so with confidence 1 − delta at most a share alpha of the automatic verdicts is wrong on each side. Source:
//! fixed-sequence testing, as in Learn then Test (Angelopoulos and others, 2021), with Clopper and Pearson's bound. A
//! certificate holds only under the terms for which it was issued.

mod issue;
mod read;
mod risk;
mod thresholds;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::map::CalibrationMap;
use super::reliability::Reliability;
use super::setup::EvaluationSetup;
use super::terms::Terms;
use crate::policy::Verdict;
pub(crate) use issue::missing_class;
pub use issue::{NoCertificate, least, possible};
pub use read::CertificateError;
pub use risk::{Never, Risk, Side};

/// The version of the format. The first version had no terms.
const VERSION: u32 = 2;

/// The thresholds beyond which a verdict may be acted on without a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The version of the format. Its key in the JSON identifies a certificate.
    #[serde(rename = "certificate")]
    form: u32,
    /// The evaluation that it was issued for. It holds under these terms only.
    pub about: EvaluationSetup,
    /// The map from P(violation) to the calibrated probability.
    pub map: CalibrationMap,
    /// The accepted share of errors among automatic verdicts, on each side. Between 0 and 0.5.
    pub alpha: f64,
    /// The probability that a side has more errors than `alpha` after all. Between 0 and 0.5.
    pub delta: f64,
    /// Safe without a person if the calibrated probability is at most this. `None` if safe is never automatic.
    pub low: Option<f64>,
    /// A violation without a person if the calibrated probability is at least this. `None` if never automatic.
    pub high: Option<f64>,
    /// The numbers of rows that the map was fitted to, and that tested the thresholds.
    pub rows: [u64; 2],
    /// The share of the testing rows that is decided automatically, from 0 to 1.
    pub automatic: f64,
    /// The numbers of testing rows that should be a violation, and of the others.
    pub classes: [u64; 2],
    /// The numbers of testing rows decided automatically, and of the wrong ones: for violations, then for safe.
    pub sides: [(u64, u64); 2],
    /// The errors and the testing rows at the surest threshold of a side that is never automatic: for violations, then
    /// for safe.
    #[serde(default)]
    pub failed: [Option<(u64, u64)>; 2],
    /// The reliability of probabilities on the testing rows, before the map and after.
    pub calibration: [Reliability; 2],
}

/// The answer to the question: may a verdict be acted on without a person?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The verdict may be acted on.
    Auto,
    /// A person must look.
    Review,
}

impl Certificate {
    /// Names each term that differs from those of the certificate. Returns `None` if it holds.
    #[must_use]
    pub fn unlike(&self, terms: &Terms) -> Option<String> {
        self.about.unlike(terms)
    }

    /// Returns the calibrated probability, and the verdict that may be acted on there. `None` if a person must look.
    #[must_use]
    pub fn decide(&self, probability: f64) -> (f64, Option<Verdict>) {
        let calibrated = self.map.apply(probability);
        let verdict = if self.high.is_some_and(|high| calibrated >= high) {
            Some(Verdict::Violation)
        } else if self.low.is_some_and(|low| calibrated <= low) {
            Some(Verdict::Safe)
        } else {
            None
        };
        (calibrated, verdict)
    }

    /// Counts the rows that would be called a violation automatically and the wrong ones among them, then the same for
    /// safe. Each row is the correct answer and P(violation).
    #[must_use]
    pub fn errors(&self, rows: &[(bool, f64)]) -> [(u64, u64); 2] {
        let mut counts = [(0, 0); 2];
        for &(violation, probability) in rows {
            match self.decide(probability).1 {
                Some(Verdict::Violation) => counts[0] = (counts[0].0 + 1, counts[0].1 + u64::from(!violation)),
                Some(_) => counts[1] = (counts[1].0 + 1, counts[1].1 + u64::from(violation)),
                None => {}
            }
        }
        counts
    }
}
