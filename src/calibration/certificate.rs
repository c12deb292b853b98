//! Certificates: which verdicts may be acted on without a person, and how sure that is.
//!
//! The one idea: one half of the rows fits a map and proposes thresholds, from the surest to looser ones; the other half, which has
//! seen none of it, tests them in that order and stops at the first that fails. So with the confidence that was asked for no
//! threshold that stands lets more errors through than was asked for. Source: fixed sequence testing, as in Learn then
//! Test (Angelopoulos and others, 2021), with Clopper and Pearson's bound. A certificate holds only under the terms
//! that it was issued for.

mod thresholds;

use serde::{Deserialize, Serialize};

use super::interval::Random;
use super::map::{Map, Method, Reliability};
use super::provenance::{About, Terms};
use crate::text::json_place;

/// What may be decided automatically.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The version of the format. Its key in the JSON identifies a certificate.
    #[serde(rename = "certificate")]
    form: u32,
    /// The evaluation that it was issued for. It holds under these terms only.
    pub about: About,
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
    /// Testing rows that should be a violation, and those that should not.
    pub classes: [u64; 2],
    /// Testing rows decided automatically, and the wrong ones among them: for violations, then for safe.
    pub sides: [(u64, u64); 2],
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
    /// One class is missing.
    #[error(
        "{whose} rows hold no {what}: a certificate needs both violations and texts that are none\nhint: label more texts, or check the labels"
    )]
    OneClass {
        /// The rows that lack it: all, or one half.
        whose: &'static str,
        /// The class that is missing.
        what: &'static str,
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

/// The version of a certificate's format. The first version had no terms.
const VERSION: u32 = 2;

/// Checks before the run that these counts of violations and others are enough for a certificate.
///
/// # Errors
///
/// [`NoCertificate::OneClass`] and [`NoCertificate::TooFew`].
pub fn possible(classes: [u64; 2], alpha: f64, delta: f64) -> Result<(), NoCertificate> {
    if let Some(what) = lacks(classes) {
        return Err(NoCertificate::OneClass { whose: "the", what });
    }
    let side = least(alpha, delta);
    // Half of the rows fit the map. In the other half, at least `side` rows must lie beyond a threshold.
    let (have, need) = (classes[0] + classes[1], 4 * side);
    if have < need { Err(NoCertificate::TooFew { have, need, side }) } else { Ok(()) }
}

/// Returns the class that these counts of violations and others lack.
pub(crate) fn lacks([violations, others]: [u64; 2]) -> Option<&'static str> {
    match (violations, others) {
        (0, 0) => Some("rows"),
        (0, _) => Some("violations"),
        (_, 0) => Some("texts that are no violation"),
        _ => None,
    }
}

fn classes(rows: &[(bool, f64)]) -> [u64; 2] {
    let violations = rows.iter().filter(|(was, _)| *was).count() as u64;
    [violations, rows.len() as u64 - violations]
}

impl Certificate {
    /// Issues a certificate from what was said and what was.
    ///
    /// # Errors
    ///
    /// [`NoCertificate`].
    pub fn issue(
        about: About,
        rows: &[(bool, f64)],
        method: Method,
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
            lacks(classes(rows)).map_or(Ok(()), |what| Err(NoCertificate::OneClass { whose, what }))?;
        }
        let map = Map::fit(method, fitting);
        let believed = |rows: &[(bool, f64)]| -> Vec<(bool, f64)> {
            rows.iter().map(|(was, said)| (*was, map.apply(*said))).collect()
        };
        let (fitted, tested) = (believed(fitting), believed(testing));
        let (high, low) = thresholds::both(&fitted, &tested, alpha, delta, side)
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
            calibration: [reliability(testing), reliability(&tested)],
        };
        certificate.sides = certificate.errors(testing);
        let automatic: u64 = certificate.sides.iter().map(|(rows, _)| rows).sum();
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let share = automatic as f64 / testing.len() as f64;
        certificate.automatic = share;
        Ok(certificate)
    }

    /// Reads a certificate from its JSON, and refuses values that no certificate can hold.
    ///
    /// # Errors
    ///
    /// When it is no certificate or one of an earlier version, or holds an impossible number. The message says which.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| format!("it is no certificate ({})", json_place(&error)))?;
        let has = |name: &str| value.get(name).is_some();
        match value.get("certificate").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            None if has("map") && has("alpha") && has("about") => {
                return Err("it is a certificate of an earlier version, which does not say under which terms it holds\nhint: issue it again with magistrate calibrate".to_owned());
            }
            None => return Err("it is no certificate, which magistrate calibrate issues".to_owned()),
            Some(version) => {
                return Err(format!("it is a certificate of version {version}, and {VERSION} is read here"));
            }
        }
        let certificate: Self = serde_json::from_value(value)
            .map_err(|_| "it is a damaged certificate: a field is missing or no number".to_owned())?;
        certificate.map.check()?;
        let Self { alpha, delta, low, high, about, .. } = &certificate;
        if about.terms.0.is_empty() {
            return Err("it does not say under which terms it holds".to_owned());
        }
        for (name, share) in [("alpha", alpha), ("delta", delta)] {
            if !(*share > 0.0 && *share < 0.5) {
                return Err(format!("its {name} is not between 0 and 0.5"));
            }
        }
        for (name, threshold) in [("low", low), ("high", high)] {
            if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
                return Err(format!("its threshold `{name}` is outside 0 to 1"));
            }
        }
        match (low, high) {
            (Some(low), Some(high)) if low >= high => {
                Err("its thresholds cross: safe ends above where a violation begins".to_owned())
            }
            _ => Ok(certificate),
        }
    }

    /// Names each term that differs from those of the certificate. Returns `None` if it holds.
    #[must_use]
    pub fn unlike(&self, terms: &Terms) -> Option<String> {
        let different: Vec<String> = self
            .about
            .terms
            .differences(terms)
            .into_iter()
            .map(|(name, theirs, ours)| format!("another {name} ({theirs}, and here {ours})"))
            .collect();
        (!different.is_empty()).then(|| format!("it was issued for {}", different.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::interval::upper_bound;

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

    fn about() -> About {
        let terms = [("effort", "none".into()), ("--chunk", serde_json::Value::Null), ("--budget", 64.into())];
        let terms = Terms(terms.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        About { terms, ..About::default() }
    }

    #[test]
    fn a_certificate_keeps_its_promise_as_often_as_it_says() {
        let (alpha, delta, trials) = (0.2, 0.1, 200);
        // So many rows to look at that their share is the rate itself.
        let truth = rows(40_000, 1);
        let (mut broken, mut issued) = (0_u32, 0_u32);
        for seed in 0..trials {
            let certificate =
                Certificate::issue(about(), &rows(1200, seed + 2), Method::Temperature, alpha, delta, seed);
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
    fn thresholds_never_cross_and_each_side_keeps_its_promise_on_the_rows_that_tested_it() {
        let mut both = 0;
        for seed in 0..30 {
            // The sets differ in their share of violations and in noise, so one side can span the whole range.
            let mut random = Random::new(seed);
            #[allow(clippy::cast_precision_loss)]
            let mut unit = move || random.bits() as f64 / u64::MAX as f64;
            let (share, noise) = (0.02 + 0.9 * unit(), unit());
            let rows: Vec<(bool, f64)> = (0..600)
                .map(|_| {
                    let was = unit() < share;
                    (was, (f64::from(u8::from(was)) * (1.0 - noise) + noise * unit()).clamp(0.0, 1.0))
                })
                .collect();
            for (method, alpha) in [(Method::Temperature, 0.05), (Method::Isotonic, 0.3), (Method::Temperature, 0.45)] {
                let issued = Certificate::issue(about(), &rows, method, alpha, 0.2, seed);
                let Ok(certificate) = issued else { continue };
                if let (Some(low), Some(high)) = (certificate.low, certificate.high) {
                    assert!(low < high, "seed {seed}: safe up to {low}, a violation from {high}");
                    assert!(low <= 0.5 && high >= 0.5, "seed {seed}: {low} {high}");
                    both += 1;
                }
                for (all, wrong) in certificate.sides {
                    assert!(upper_bound(wrong, all, 0.1) <= alpha || all == 0, "seed {seed}: {wrong} of {all}");
                }
                let read = Certificate::read(&serde_json::to_vec(&certificate).unwrap());
                assert_eq!(read.as_ref(), Ok(&certificate));
            }
        }
        assert!(both > 10, "{both} certificates had two sides");
    }

    #[test]
    fn a_set_of_one_class_gets_no_certificate() {
        for was in [true, false] {
            let rows: Vec<(bool, f64)> = (0..1000).map(|row| (was, f64::from(row) / 1000.0)).collect();
            let none = Certificate::issue(about(), &rows, Method::Temperature, 0.05, 0.1, 0);
            assert!(matches!(none, Err(NoCertificate::OneClass { .. })), "{none:?}");
        }
        assert!(Certificate::issue(about(), &[], Method::Temperature, 0.05, 0.1, 0).is_err());
    }

    #[test]
    fn a_certificate_holds_under_its_own_terms_and_names_each_that_differs() {
        let certificate = Certificate::issue(about(), &rows(1200, 2), Method::Temperature, 0.2, 0.1, 0).unwrap();
        let terms = certificate.about.terms.clone();
        assert_eq!(certificate.unlike(&terms), None);
        let mut others = terms.clone();
        others.0.insert("--chunk".into(), 8.into());
        others.0.insert("effort".into(), "low".into());
        let told = certificate.unlike(&others).unwrap();
        assert_eq!(
            told,
            "it was issued for another effort (none, and here low), another --chunk (not given, and here 8)"
        );
        // A certificate no longer holds once any term is changed, left out or added.
        for (name, value) in &terms.0 {
            let (mut changed, mut absent) = (terms.clone(), terms.clone());
            changed.0.insert(name.clone(), "something else".into());
            absent.0.shift_remove(name);
            assert!(certificate.unlike(&changed).unwrap().contains(name.as_str()));
            // A null term is a flag that was not given, so leaving it out changes nothing.
            assert_eq!(certificate.unlike(&absent).is_some(), !value.is_null(), "{name}");
        }
        assert!(certificate.unlike(&Terms::default()).is_some());
    }

    #[test]
    fn what_no_certificate_could_say_is_refused_when_it_is_read() {
        let certificate = Certificate::issue(about(), &rows(1200, 2), Method::Isotonic, 0.2, 0.1, 0).unwrap();
        let json = serde_json::to_value(&certificate).unwrap();
        let with = |name: &str, value: serde_json::Value| {
            let mut json = json.clone();
            json[name] = value;
            Certificate::read(json.to_string().as_bytes())
        };
        assert!(with("alpha", 0.1.into()).is_ok());
        let crossed = certificate.low.map(|low| low / 2.0);
        for (name, value, why) in [
            ("high", 7.0.into(), "outside 0 to 1"),
            ("low", (-0.1).into(), "outside 0 to 1"),
            ("high", crossed.into(), "cross"),
            ("alpha", 0.5.into(), "alpha"),
            ("delta", 0.into(), "delta"),
            ("map", serde_json::json!({"method": "isotonic", "from": [0.0], "value": [7.0]}), "outside 0 to 1"),
            ("map", serde_json::json!({"method": "temperature", "temperature": -1, "bias": 0}), "temperature"),
            ("certificate", 3.into(), "version 3"),
            ("certificate", serde_json::Value::Null, "earlier version"),
            ("rows", "many".into(), "damaged"),
        ] {
            let read = with(name, value.clone());
            assert!(read.as_ref().is_err_and(|error| error.contains(why)), "{name} {value}: {read:?}");
        }
        for json in ["{}", "[]", "{\"text\":\"a\"}", "no JSON", ""] {
            assert!(Certificate::read(json.as_bytes()).unwrap_err().contains("no certificate"), "{json}");
        }
    }

    #[test]
    fn too_few_rows_are_refused_with_how_many_are_needed() {
        assert_eq!(least(0.05, 0.1), 59);
        let few = Certificate::issue(about(), &rows(100, 1), Method::Temperature, 0.05, 0.1, 0);
        assert_eq!(few, Err(NoCertificate::TooFew { have: 100, need: 236, side: 59 }));
        let hopeless: Vec<(bool, f64)> = (0..1000).map(|row| (row % 2 == 0, f64::from(row % 7) / 7.0)).collect();
        let wrong = Certificate::issue(about(), &hopeless, Method::Temperature, 0.05, 0.1, 0);
        assert!(matches!(wrong, Err(NoCertificate::Wrong { .. })), "{wrong:?}");
    }
}
