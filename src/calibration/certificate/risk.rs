//! The meaning of a certificate for the texts of its set: the reason why a side is never automatic, and the share of a
//! class that may slip through.

use super::Certificate;
use super::issue::least;

/// A side of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Texts that are called violations automatically.
    Violation,
    /// Texts that are called safe automatically.
    Safe,
}

/// The reason why a side is never automatic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {
    /// The set has too few texts of the class, even if every answer were right.
    TooFew {
        /// The texts of the class in both halves together, as the testing half suggests.
        have: u64,
        /// The least number in both halves together.
        need: u64,
    },
    /// Too many answers are wrong at the surest threshold.
    Wrong {
        /// The wrong answers.
        errors: u64,
        /// The testing rows beyond the threshold.
        rows: u64,
    },
    /// Thresholds hold on the wrong side of 0.5 alone, or the other side decides more rows there.
    Other,
}

/// The share of the rarer class that the accepted errors of a side may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Risk {
    /// The side.
    pub side: Side,
    /// The share of the testing rows that the side decides wrongly at most, in the long run.
    pub wrong: f64,
    /// The share of the class that would be decided wrongly, from 0 to 1.
    pub of_class: f64,
    /// The share of the class among all testing rows.
    pub class: f64,
    /// An accepted share of errors at which a tenth of the class is at risk.
    pub alpha: f64,
}

/// The share of a class that is too large to be decided wrongly without a remark.
const NOTABLE: f64 = 0.2;

/// The share of a class that the proposed alpha leaves at risk.
const MODERATE: f64 = 0.1;

impl Certificate {
    /// Returns the reason why a side is never automatic. `None` if it has a threshold.
    #[must_use]
    pub fn never(&self, side: Side) -> Option<Never> {
        let (threshold, at) = match side {
            Side::Violation => (self.high, 0),
            Side::Safe => (self.low, 1),
        };
        if threshold.is_some() {
            return None;
        }
        let need = least(self.alpha, self.delta);
        let testing = self.classes[at];
        Some(match self.failed[at] {
            // A test that passes needs this many right rows in the testing half.
            _ if testing < need => Never::TooFew { have: self.both(testing), need: 2 * need },
            Some((errors, rows)) if errors > 0 && rows < self.rows[1] => Never::Wrong { errors, rows },
            _ => Never::Other,
        })
    }

    /// Estimates a count over both halves from one over the testing half.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows of an evaluation"
    )]
    fn both(&self, testing: u64) -> u64 {
        let all = (self.rows[0] + self.rows[1]) as f64;
        (testing as f64 * all / self.rows[1].max(1) as f64).round() as u64
    }

    /// Returns the risk of a side for the class that it must not contain, if that is notable.
    ///
    /// A certificate bounds the errors among the texts that a side decides. If the class is rare, few errors among many
    /// texts are a large part of it.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
    pub fn risk(&self, side: Side) -> Option<Risk> {
        let (threshold, decided, class) = match side {
            Side::Violation => (self.high, self.sides[0].0, self.classes[1]),
            Side::Safe => (self.low, self.sides[1].0, self.classes[0]),
        };
        threshold?;
        let rows = self.rows[1].max(1) as f64;
        let (decided, class) = (decided as f64 / rows, class as f64 / rows);
        if class <= 0.0 || decided <= 0.0 {
            return None;
        }
        let wrong = self.alpha * decided;
        let of_class = (wrong / class).min(1.0);
        (of_class > NOTABLE).then(|| Risk { side, wrong, of_class, class, alpha: short(MODERATE * class / decided) })
    }
}

/// Rounds a share down to one digit and a half: 0.012 to 0.01, and 0.018 to 0.015.
fn short(share: f64) -> f64 {
    let unit = 10_f64.powf(share.log10().floor());
    let halves = (share / unit * 2.0).floor() / 2.0;
    (halves * unit * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::map::CalibrationMap;
    use crate::calibration::reliability::Reliability;
    use crate::calibration::setup::EvaluationSetup;

    fn certificate(classes: [u64; 2], sides: [(u64, u64); 2], low: Option<f64>, high: Option<f64>) -> Certificate {
        let reliability = Reliability { brier: 0.0, ece: 0.0, bins: Vec::new() };
        let testing = classes[0] + classes[1];
        Certificate {
            form: super::super::VERSION,
            about: EvaluationSetup::default(),
            map: CalibrationMap::Temperature { temperature: 1.0, bias: 0.0 },
            alpha: 0.05,
            delta: 0.1,
            low,
            high,
            rows: [testing, testing],
            automatic: 0.0,
            classes,
            sides,
            failed: [None, None],
            calibration: [reliability.clone(), reliability],
        }
    }

    #[test]
    fn a_rare_class_may_slip_through_a_side_that_keeps_its_promise() {
        let rare = certificate([22, 178], [(0, 0), (182, 5)], Some(0.94), None);
        let risk = rare.risk(Side::Safe).unwrap();
        // 5 % of the 91 % that are kept are 4.55 % of all rows, and violations are 11 %.
        assert!((risk.wrong - 0.0455).abs() < 1e-9 && (risk.of_class - 0.0455 / 0.11).abs() < 1e-9, "{risk:?}");
        assert!((risk.alpha - 0.01).abs() < 1e-9, "{risk:?}");
        assert_eq!(rare.never(Side::Violation), Some(Never::TooFew { have: 44, need: 118 }));
        assert_eq!((rare.never(Side::Safe), rare.risk(Side::Violation)), (None, None));
        let even = certificate([100, 100], [(90, 2), (90, 2)], Some(0.4), Some(0.6));
        assert_eq!((even.risk(Side::Safe), even.risk(Side::Violation)), (None, None));
        let mut wrong = certificate([100, 100], [(0, 0), (90, 2)], Some(0.4), None);
        wrong.failed[0] = Some((9, 70));
        assert_eq!(wrong.never(Side::Violation), Some(Never::Wrong { errors: 9, rows: 70 }));
    }

    #[test]
    fn a_proposed_alpha_is_short_and_no_larger() {
        for (share, expect) in [(0.012, 0.01), (0.018, 0.015), (0.0349, 0.03), (0.1, 0.1), (0.000_76, 0.000_75)] {
            assert!((short(share) - expect).abs() < 1e-12, "{share}: {}", short(share));
        }
    }
}
