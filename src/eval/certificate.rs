//! Certificates: which verdicts may be acted on without a person, and how sure that is.
//!
//! The one idea: one half of the rows fits a map and proposes thresholds, from the surest to looser ones; the other half, which has
//! seen none of it, tests them in that order and stops at the first that fails. So with the confidence that was asked for no
//! threshold that stands lets more errors through than was asked for. Source: fixed sequence testing, as in Learn then
//! Test (Angelopoulos and others, 2021), with Clopper and Pearson's bound.

use serde::{Deserialize, Serialize};

use super::calibration::{Map, Method, Reliability};
use super::interval::{Random, upper_bound};

/// What may be decided automatically.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The policy's id, its digest; the model's name, its digest; the template's; the effort. It holds for these alone.
    pub about: super::About,
    /// From what is said to what is believed.
    pub map: Map,
    /// The share of errors that is accepted among what is decided automatically, on each side.
    pub alpha: f64,
    /// The chance that a side has more errors than that after all.
    pub delta: f64,
    /// Safe without a person if what is believed is this or less.
    pub low: Option<f64>,
    /// A violation without a person if it is this or more.
    pub high: Option<f64>,
    /// Rows that the map was fitted to, and rows that tested the thresholds.
    pub rows: [u64; 2],
    /// Share of the testing rows that is decided automatically.
    pub automatic: f64,
    /// How far probabilities could be believed on the testing rows, before the map and after.
    pub calibration: [Reliability; 2],
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The verdict may be acted on.
    Auto,
    /// A person must look.
    Review,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// There are too few rows.
    #[error(
        "{have} labelled rows with a probability are too few: at least {need} are needed, half of them to fit and {side} on one side of a threshold to test it"
    )]
    TooFew {
        /// Rows that there are.
        have: u64,
        /// Rows that are needed.
        need: u64,
        /// Rows that one test needs.
        side: u64,
    },
    /// No threshold holds.
    #[error(
        "no threshold lets few enough errors through: at the surest {errors} of {rows} are wrong\nhint: accept more errors with --alpha, or improve the policy"
    )]
    Wrong {
        /// Errors.
        errors: u64,
        /// Of so many rows.
        rows: u64,
    },
}

/// Rows that are needed beyond the strictest threshold, if none of them is wrong.
#[must_use]
pub fn least(alpha: f64, delta: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
    let least = ((delta / 2.0).ln() / (1.0 - alpha).ln()).ceil() as u64;
    least
}

impl Certificate {
    /// Issues a certificate from what was said and what was.
    ///
    /// # Errors
    ///
    /// [`NoCertificate`].
    pub fn issue(
        about: super::About,
        rows: &[(bool, f64)],
        method: Method,
        alpha: f64,
        delta: f64,
        seed: u64,
    ) -> Result<Self, NoCertificate> {
        let side = least(alpha, delta);
        // Half to fit, and of the other half at least so many beyond a threshold.
        let (have, need) = (rows.len() as u64, 4 * side);
        if have < need {
            return Err(NoCertificate::TooFew { have, need, side });
        }
        let mut mixed = rows.to_vec();
        Random::new(seed).shuffle(&mut mixed);
        let (fitting, testing) = mixed.split_at(mixed.len() / 2);
        let map = Map::fit(method, fitting);
        let believed = |rows: &[(bool, f64)]| -> Vec<(bool, f64)> {
            rows.iter().map(|(was, said)| (*was, map.apply(*said))).collect()
        };
        let (fitted, tested) = (believed(fitting), believed(testing));
        let turned =
            |rows: &[(bool, f64)]| -> Vec<(bool, f64)> { rows.iter().map(|(was, said)| (!was, 1.0 - said)).collect() };
        let high = threshold(&fitted, &tested, alpha, delta / 2.0, side);
        let low = threshold(&turned(&fitted), &turned(&tested), alpha, delta / 2.0, side);
        let (high, low) = match (high, low) {
            (Err((errors, rows)), Err(_)) => return Err(NoCertificate::Wrong { errors, rows }),
            (high, low) => (high.ok(), low.ok().map(|low| 1.0 - low)),
        };
        let reliability = |rows: &[(bool, f64)]| {
            Reliability::of(rows).unwrap_or(Reliability { brier: 0.0, ece: 0.0, bins: Vec::new() })
        };
        let mut certificate = Self {
            about,
            map,
            alpha,
            delta,
            low,
            high,
            rows: [fitting.len() as u64, testing.len() as u64],
            automatic: 0.0,
            calibration: [reliability(testing), reliability(&tested)],
        };
        let automatic = testing.iter().filter(|(_, said)| certificate.decide(*said).1 == Decision::Auto).count();
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let share = automatic as f64 / testing.len() as f64;
        certificate.automatic = share;
        Ok(certificate)
    }

    /// What is believed of a probability, and who decides.
    #[must_use]
    pub fn decide(&self, probability: f64) -> (f64, Decision) {
        let believed = self.map.apply(probability);
        let automatic = self.high.is_some_and(|high| believed >= high) || self.low.is_some_and(|low| believed <= low);
        (believed, if automatic { Decision::Auto } else { Decision::Review })
    }

    /// How many of these rows would be called a violation automatically, and how many of them are none; and the same of
    /// what would be called safe.
    #[must_use]
    pub fn errors(&self, rows: &[(bool, f64)]) -> [(u64, u64); 2] {
        let mut counts = [(0, 0); 2];
        for &(was, said) in rows {
            let believed = self.map.apply(said);
            if self.high.is_some_and(|high| believed >= high) {
                counts[0] = (counts[0].0 + 1, counts[0].1 + u64::from(!was));
            } else if self.low.is_some_and(|low| believed <= low) {
                counts[1] = (counts[1].0 + 1, counts[1].1 + u64::from(was));
            }
        }
        counts
    }
}

/// The loosest threshold from which on few enough are wrong, or how it stands with the one that was tried first.
fn threshold(
    fitted: &[(bool, f64)],
    tested: &[(bool, f64)],
    alpha: f64,
    doubt: f64,
    least: u64,
) -> Result<f64, (u64, u64)> {
    /// Thresholds that are looked at, at most.
    const STEPS: usize = 40;
    let beyond = |rows: &[(bool, f64)], threshold: f64| {
        let beyond = rows.iter().filter(|(_, believed)| *believed >= threshold);
        beyond.fold((0, 0), |(errors, rows), (was, _)| (errors + u64::from(!was), rows + 1))
    };
    let mut places: Vec<f64> = fitted.iter().map(|(_, believed)| *believed).collect();
    places.sort_by(|one, other| other.total_cmp(one));
    places.dedup();
    let step = places.len().div_ceil(STEPS).max(1);
    // A test on fewer rows fails whatever they are.
    let places: Vec<f64> =
        places.into_iter().step_by(step).filter(|threshold| beyond(fitted, *threshold).1 >= least).collect();
    // The one that the fitting rows are surest of is tried first, then looser ones. The order is the fitting rows' alone.
    let doubtful = |threshold: &f64| {
        let (errors, rows) = beyond(fitted, *threshold);
        upper_bound(errors, rows, doubt)
    };
    let surest = (0..places.len()).min_by(|one, other| doubtful(&places[*one]).total_cmp(&doubtful(&places[*other])));
    let Some(surest) = surest else { return Err(beyond(tested, f64::NEG_INFINITY)) };
    let holds = |threshold: &&f64| {
        let (errors, rows) = beyond(tested, **threshold);
        upper_bound(errors, rows, doubt) <= alpha
    };
    places[surest..].iter().take_while(holds).last().copied().ok_or_else(|| beyond(tested, places[surest]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose probability is a quarter too bold.
    fn rows(count: usize, seed: u64) -> Vec<(bool, f64)> {
        let mut random = Random::new(seed);
        #[allow(clippy::cast_precision_loss)]
        let mut unit = move || random.bits() as f64 / u64::MAX as f64;
        (0..count)
            .map(|_| {
                let truth = unit();
                let bold = if truth > 0.5 { truth.powf(0.5) } else { truth.powi(2) };
                (unit() < truth, bold)
            })
            .collect()
    }

    #[test]
    fn a_certificate_keeps_its_promise_as_often_as_it_says() {
        let (alpha, delta, trials) = (0.2, 0.1, 200);
        // So many rows to look at that their share is the rate itself.
        let truth = rows(40_000, 1);
        let (mut broken, mut issued) = (0_u32, 0_u32);
        for seed in 0..trials {
            let certificate = Certificate::issue(
                super::super::About::default(),
                &rows(1200, seed + 2),
                Method::Temperature,
                alpha,
                delta,
                seed,
            );
            let Ok(certificate) = certificate else { continue };
            issued += 1;
            #[allow(clippy::cast_precision_loss)]
            let breaks = certificate.errors(&truth).iter().any(|(all, wrong)| *wrong as f64 > alpha * *all as f64);
            broken += u32::from(breaks);
        }
        assert!(issued > 150, "{issued}");
        let issued = f64::from(issued);
        let (rate, most) = (f64::from(broken) / issued, delta + 2.0 * (delta * (1.0 - delta) / issued).sqrt());
        assert!(rate <= most, "{broken} of {issued} broke their promise");
    }

    #[test]
    fn too_few_rows_are_refused_with_how_many_are_needed() {
        assert_eq!(least(0.05, 0.1), 59);
        let few = Certificate::issue(super::super::About::default(), &rows(100, 1), Method::Temperature, 0.05, 0.1, 0);
        assert_eq!(few, Err(NoCertificate::TooFew { have: 100, need: 236, side: 59 }));
        let hopeless: Vec<(bool, f64)> = (0..1000).map(|row| (row % 2 == 0, f64::from(row % 7) / 7.0)).collect();
        let wrong = Certificate::issue(super::super::About::default(), &hopeless, Method::Temperature, 0.05, 0.1, 0);
        assert!(matches!(wrong, Err(NoCertificate::Wrong { .. })), "{wrong:?}");
    }
}
