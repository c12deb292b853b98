//! Certificates of an early end: how sure a verdict must be to end the reasoning, with a bound on the verdicts that change.
//!
//! The reference is the model's own verdict after its whole reasoning, so the texts need no labels. Degrees of sureness
//! are tested from the strictest on until one fails (fixed-sequence testing, with Clopper and Pearson's bound). A
//! certificate holds only under the terms for which it was issued.

use serde::{Deserialize, Serialize};

use super::interval::upper_bound;
use super::setup::EvaluationSetup;
use super::terms::{SURE, Terms};
use crate::hint::{Hint, Hints, Setting};
use crate::policy::Verdict;
use crate::text::json_place;
use crate::verdict::ladder::{Probe, end};

/// The version of the format.
const VERSION: u32 = 1;

/// The degrees of sureness that are tested, the strictest first. They were chosen before any text was seen.
pub const DEGREES: [f64; 16] =
    [0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.985, 0.98, 0.97, 0.96, 0.95, 0.925, 0.9, 0.85, 0.8, 0.7];

/// A text that was judged with its whole reasoning, and the answers on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// The verdict after the whole reasoning. `None` if there was none.
    pub verdict: Option<Verdict>,
    /// Tokens of the whole reasoning.
    pub tokens: usize,
    /// The answers at the rungs, in order.
    pub rungs: Vec<Probe>,
}

/// The degree of sureness that ends the reasoning, and the test that it passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopCertificate {
    /// The version of the format. Its key in the JSON identifies such a certificate.
    #[serde(rename = "stop_certificate")]
    form: u32,
    /// The texts, policy, model and settings that it was issued for. It holds under these terms only.
    pub about: EvaluationSetup,
    /// The accepted share of texts whose verdict changes. Between 0 and 0.5.
    pub alpha: f64,
    /// The probability that more verdicts change after all. Between 0 and 0.5.
    pub delta: f64,
    /// The share of the answers' mass that ends the reasoning, 0.5 to 1.
    pub sure: f64,
    /// The number of texts.
    pub texts: u64,
    /// The degrees that were tested, the strictest first. All but the last passed, or all did.
    pub tested: Vec<Degree>,
    /// The model's agreement with itself, if it was measured.
    #[serde(default)]
    pub agreement: Option<Agreement>,
}

/// The result of one degree of sureness.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Degree {
    /// The share of the answers' mass that ends the reasoning.
    pub sure: f64,
    /// The number of texts whose verdict changed.
    pub flips: u64,
    /// The upper bound of the share of texts whose verdict changes.
    pub bound: f64,
    /// The share of the reasoning tokens that was kept, without those of the rungs.
    pub kept: f64,
}

/// Two runs of the same texts with other random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The number of texts with the same verdict in both.
    pub same: u64,
    /// The number of texts.
    pub texts: u64,
}

/// The reason why no certificate is issued.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoStop {
    /// There are too few texts.
    #[error("{have} texts are too few: at least {need} are needed, even if no verdict changes")]
    TooFew {
        /// The number of texts.
        have: u64,
        /// The least number of texts.
        need: u64,
    },
    /// Too many verdicts change at the strictest degree.
    #[error("too many verdicts change: {flips} of {texts} even where reasoning ends at {sure} alone")]
    Flips {
        /// The strictest degree.
        sure: f64,
        /// The verdicts that change.
        flips: u64,
        /// The number of texts.
        texts: u64,
    },
}

impl Hints for NoStop {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::TooFew { .. } => vec![Hint::new("give more texts, which need no labels")],
            Self::Flips { .. } => vec![Hint::new("accept more changes with ").setting(Setting::Alpha)],
        }
    }
}

/// The reason why a certificate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The file is no JSON.
    #[error("it is no certificate ({0})")]
    NoJson(String),
    /// The JSON is something else.
    #[error("it is no certificate of an early end, which magistrate calibrate issues")]
    Other,
    /// A number is missing or impossible.
    #[error("it is a damaged certificate of an early end")]
    Damaged,
}

impl Traced {
    /// Returns the verdict where reasoning ends at a degree of sureness, and the tokens of the reasoning until there.
    #[must_use]
    pub fn at(&self, sure: f64) -> (Option<Verdict>, usize) {
        end(&self.rungs, sure).map_or((self.verdict, self.tokens), |probe| (probe.verdict, probe.tokens))
    }
}

impl Degree {
    /// Measures a degree of sureness on texts.
    #[must_use]
    pub fn of(texts: &[Traced], sure: f64, delta: f64) -> Self {
        let flips = texts.iter().filter(|text| text.at(sure).0 != text.verdict).count() as u64;
        let tokens = |of: &dyn Fn(&Traced) -> usize| texts.iter().map(of).sum::<usize>();
        #[allow(clippy::cast_precision_loss, reason = "tokens of texts")]
        let kept = tokens(&|text| text.at(sure).1) as f64 / tokens(&|text| text.tokens).max(1) as f64;
        Self { sure, flips, bound: upper_bound(flips, texts.len() as u64, delta), kept }
    }
}

/// Returns the least number of texts that can pass a test: enough if no verdict changes.
#[must_use]
pub fn least(alpha: f64, delta: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of texts")]
    let least = (delta.ln() / (1.0 - alpha).ln()).ceil() as u64;
    least
}

/// Tests degrees of sureness on texts, the strictest first, until one fails. Returns them with the one that failed.
#[must_use]
pub fn tested(texts: &[Traced], alpha: f64, delta: f64) -> Vec<Degree> {
    let mut tested = Vec::new();
    for sure in DEGREES {
        let degree = Degree::of(texts, sure, delta);
        tested.push(degree);
        if degree.bound > alpha {
            break;
        }
    }
    tested
}

impl StopCertificate {
    /// Issues a certificate from texts that were judged with their whole reasoning.
    ///
    /// `alpha` is the accepted share of verdicts that change and `delta` the accepted risk, both between 0 and 0.5.
    ///
    /// # Errors
    ///
    /// [`NoStop`] if there are too few texts, or if the strictest degree fails.
    pub fn issue(about: EvaluationSetup, texts: &[Traced], alpha: f64, delta: f64) -> Result<Self, NoStop> {
        let (have, need) = (texts.len() as u64, least(alpha, delta));
        if have < need {
            return Err(NoStop::TooFew { have, need });
        }
        let tested = tested(texts, alpha, delta);
        match tested.iter().rev().find(|degree| degree.bound <= alpha) {
            Some(&Degree { sure, .. }) => {
                Ok(Self { form: VERSION, about, alpha, delta, sure, texts: have, tested, agreement: None })
            }
            None => {
                let flips = tested.first().map_or(0, |degree| degree.flips);
                Err(NoStop::Flips { sure: DEGREES[0], flips, texts: have })
            }
        }
    }

    /// Reads a certificate from its JSON.
    ///
    /// # Errors
    ///
    /// [`StopError`] for any other file, and for an impossible number.
    pub fn read(json: &[u8]) -> Result<Self, StopError> {
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| StopError::NoJson(json_place(&error)))?;
        if value.get("stop_certificate").and_then(serde_json::Value::as_u64) != Some(u64::from(VERSION)) {
            return Err(StopError::Other);
        }
        // The parser's message is dropped: it may quote the file.
        let certificate: Self = serde_json::from_value(value).map_err(|_| StopError::Damaged)?;
        let is_share = |share: f64| share > 0.0 && share < 0.5;
        let possible = (0.5..=1.0).contains(&certificate.sure)
            && is_share(certificate.alpha)
            && is_share(certificate.delta)
            && !certificate.about.terms.0.is_empty();
        if possible { Ok(certificate) } else { Err(StopError::Damaged) }
    }

    /// Names each term that differs from those of the certificate. Returns `None` if it holds.
    #[must_use]
    pub fn unlike(&self, terms: &Terms) -> Option<String> {
        // The degree is what the certificate gives.
        let mut terms = terms.clone();
        terms.0.shift_remove(SURE);
        self.about.unlike(&terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn probe(tokens: usize, probability: f64) -> Probe {
        let verdict = Some(if probability >= 0.5 { Verdict::Violation } else { Verdict::Safe });
        Probe { tokens, verdict, probability, share: probability.max(1.0 - probability) }
    }

    /// Returns a text whose verdict is safe, and that is this sure of it, or of the opposite, from 128 tokens on.
    fn text(sure: f64, flips: bool) -> Traced {
        let probability = if flips { sure } else { 1.0 - sure };
        Traced { verdict: Some(Verdict::Safe), tokens: 256, rungs: vec![probe(128, probability)] }
    }

    #[test]
    fn the_least_number_of_texts_is_that_of_the_bound() {
        for (alpha, texts) in [(0.01, 230), (0.02, 114), (0.05, 45)] {
            assert_eq!(least(alpha, 0.1), texts);
            assert!(upper_bound(0, texts, 0.1) <= alpha && upper_bound(0, texts - 1, 0.1) > alpha);
        }
    }

    #[test]
    fn the_loosest_degree_before_the_first_failure_is_certified() {
        let mut texts = vec![text(0.96, false); 100];
        texts.extend(vec![text(0.91, true); 20]);
        let certificate = StopCertificate::issue(EvaluationSetup::default(), &texts, 0.05, 0.1).unwrap();
        assert!((certificate.sure - 0.925).abs() < 1e-9);
        assert_eq!(certificate.tested.last().map(|degree| (degree.sure, degree.flips)), Some((0.9, 20)));
        let kept = certificate.tested.iter().find(|degree| degree.sure <= certificate.sure).unwrap().kept;
        assert!((kept - (100.0 * 0.5 + 20.0) / 120.0).abs() < 1e-9, "{kept}");
    }

    #[test]
    fn too_few_texts_and_too_many_changes_have_no_certificate() {
        let issue = |texts: &[Traced]| StopCertificate::issue(EvaluationSetup::default(), texts, 0.05, 0.1);
        assert_eq!(issue(&vec![text(0.9, false); 44]).unwrap_err(), NoStop::TooFew { have: 44, need: 45 });
        let flipping = vec![text(0.99995, true); 50];
        assert_eq!(issue(&flipping).unwrap_err(), NoStop::Flips { sure: 0.9999, flips: 50, texts: 50 });
    }

    #[test]
    fn a_model_that_changes_its_mind_late_is_caught_as_often_as_the_certificate_promises() {
        // At a sureness of s, the verdict changes with probability (1 - s) / 2 after that.
        let mut random = Random::new(7);
        let mut uniform = || f64::from(u32::try_from(random.below(1 << 20)).unwrap()) / f64::from(1 << 20);
        let mut one = || {
            let sure = 0.5 + 0.5 * uniform().sqrt();
            text(sure, uniform() < (1.0 - sure) / 2.0)
        };
        let population: Vec<Traced> = (0..40_000).map(|_| one()).collect();
        let (alpha, delta, splits) = (0.05, 0.1, 200);
        let mut shuffled = population.clone();
        let broken = (0..splits)
            .filter(|split| {
                Random::new(*split).shuffle(&mut shuffled);
                let issued = StopCertificate::issue(EvaluationSetup::default(), &shuffled[..400], alpha, delta);
                issued.is_ok_and(|certificate| {
                    let degree = Degree::of(&shuffled[400..], certificate.sure, delta);
                    #[allow(clippy::cast_precision_loss, reason = "few texts")]
                    let flips = degree.flips as f64 / (shuffled.len() - 400) as f64;
                    flips > alpha
                })
            })
            .count();
        // Twice the deviation of a binomial with 200 trials is 0.042.
        assert!(broken <= 28, "{broken} of {splits} certificates are broken");
        assert!(Degree::of(&population, 0.7, delta).flips > 0);
    }

    #[test]
    fn a_certificate_is_read_as_it_is_written_and_nothing_else_is_one() {
        let about = EvaluationSetup {
            terms: Terms([("model".to_owned(), "m".into())].into_iter().collect()),
            ..EvaluationSetup::default()
        };
        let issued = StopCertificate::issue(about, &vec![text(0.99, false); 50], 0.05, 0.1).unwrap();
        let json = serde_json::to_vec(&issued).unwrap();
        let read = StopCertificate::read(&json).unwrap();
        assert_eq!(read, issued);
        assert_eq!(read.unlike(&issued.about.terms), None);
        assert!(read.unlike(&Terms::default()).is_some());
        assert_eq!(StopCertificate::read(b"{}"), Err(StopError::Other));
        assert!(matches!(StopCertificate::read(b"{"), Err(StopError::NoJson(_))));
        let damaged = String::from_utf8(json).unwrap().replace("\"sure\":0.7", "\"sure\":0.2");
        assert_eq!(StopCertificate::read(damaged.as_bytes()), Err(StopError::Damaged));
    }
}
