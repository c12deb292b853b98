//! A canary set: a few texts whose recorded verdicts show when a machine begins to judge differently.
//!
//! A new driver, another llama.cpp, a damaged file or a changed template all show in verdicts, so these are compared. A
//! record names its model, policy and template, and is ignored for any other. Files are not read here.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::{Completion, SessionOptions};
use crate::policy::{Effort, Policy, PolicyLibrary, Verdict};
use crate::prompt::Templates;
use crate::verdict::Outcome;

/// The texts, alternately clear spam and clearly no spam.
pub const TEXTS: [&str; 8] = [
    "WINNER!! Reply YES to claim your prize",
    "Hello, are we still on for lunch tomorrow?",
    "Congratulations, you have been selected for a free holiday. Call now to claim.",
    "Can you send me the notes from today's meeting?",
    "URGENT! Your mobile number has won a 2000 pound prize. Text CLAIM to 80086",
    "I'll be home around six, do we need milk?",
    "Cheap loans, no credit check, apply today at our site",
    "Happy birthday! Hope you have a lovely day.",
];

/// Most tokens of reasoning. They suffice to show that reasoning works.
const BUDGET: usize = 48;

/// The difference of two probabilities up to which it counts as rounding. Other kernels and batches add in another
/// order.
pub const TOLERANCE: f64 = 0.05;

/// Returns the policy by which the texts are judged.
///
/// # Panics
///
/// Never: it is shipped.
#[must_use]
pub fn policy() -> &'static Policy {
    PolicyLibrary::shipped().get("spam").expect("it is shipped")
}

/// Returns the options with which the texts are judged.
#[must_use]
pub fn options() -> SessionOptions {
    SessionOptions { effort: Some(Effort::Low), budget: Some(BUDGET), no_rationale: true, ..SessionOptions::default() }
}

/// The answers of a model to all texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// A digest of model, policy, template and texts.
    of: String,
    /// One answer for each text.
    answers: Vec<Answer>,
}

/// An answer to one text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its verdict. `None` for an unresolved text.
    pub verdict: Option<Verdict>,
    /// P(violation), from 0 to 1. `None` for an unresolved text.
    pub probability: Option<f64>,
}

/// A text whose answer has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Index in [`TEXTS`].
    pub text: usize,
    /// The recorded answer.
    pub before: Answer,
    /// The answer now.
    pub now: Answer,
}

impl Record {
    /// Makes a record of completions, one for each text, by the model with this digest.
    #[must_use]
    pub fn new(model: &str, completions: &[Completion]) -> Self {
        Self { of: of(model), answers: completions.iter().map(Answer::new).collect() }
    }

    /// Reads a record of the model with this digest. `None` for a record of another model, policy, template or set of
    /// texts, and for any other file.
    #[must_use]
    pub fn read(json: &[u8], model: &str) -> Option<Self> {
        serde_json::from_slice(json)
            .ok()
            .filter(|record: &Self| record.of == of(model) && record.answers.len() == TEXTS.len())
    }

    /// Returns the shipped record of the model with this digest. `None` for a model without one.
    #[must_use]
    pub fn shipped(model: &str) -> Option<Self> {
        Self::read(include_bytes!("../models/canary.json"), model)
    }

    /// Returns the texts whose answers differ in another record: another verdict, or a probability beyond
    /// [`TOLERANCE`].
    #[must_use]
    pub fn drift(&self, now: &Self) -> Vec<Drift> {
        let pairs = self.answers.iter().zip(&now.answers).enumerate();
        pairs
            .map(|(text, (&before, &now))| Drift { text, before, now })
            .filter(|drift| drift.flipped() || drift.far())
            .collect()
    }
}

impl Answer {
    fn new(completion: &Completion) -> Self {
        match &completion.outcome {
            Outcome::Verdict(judgement) => Self {
                verdict: Some(judgement.verdict),
                probability: judgement.scores.as_ref().map(|scores| scores.probability),
            },
            Outcome::Unresolved(_) => Self { verdict: None, probability: None },
        }
    }
}

impl Drift {
    /// Reports whether the verdict has changed.
    #[must_use]
    pub fn flipped(&self) -> bool {
        self.before.verdict != self.now.verdict
    }

    fn far(&self) -> bool {
        match (self.before.probability, self.now.probability) {
            // NaN differs from everything.
            (Some(before), Some(now)) => before.is_nan() || now.is_nan() || (before - now).abs() > TOLERANCE,
            (before, now) => before.is_some() != now.is_some(),
        }
    }
}

/// Returns the digest of everything that the answers depend on. The length of each part stands before it.
fn of(model: &str) -> String {
    let mut hash = Sha256::new();
    let (policy, template) = (policy().digest(), Templates::shipped());
    for part in [model, &policy, template.digest(), &format!("low {BUDGET}")].iter().chain(&TEXTS) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    crate::text::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(answers: &[(Verdict, f64)]) -> Record {
        let answer = |&(verdict, probability): &(Verdict, f64)| Answer {
            verdict: Some(verdict),
            probability: Some(probability),
        };
        Record { of: of("model"), answers: answers.iter().map(answer).collect() }
    }

    const SAFE: (Verdict, f64) = (Verdict::Safe, 0.1);

    #[test]
    fn a_flip_and_a_leap_of_probability_are_drift_and_rounding_is_not() {
        let before = record(&[SAFE, SAFE, SAFE, SAFE]);
        let now = record(&[SAFE, (Verdict::Violation, 0.12), (Verdict::Safe, 0.3), (Verdict::Safe, 0.14)]);
        let drift: Vec<(usize, bool)> = before.drift(&now).iter().map(|drift| (drift.text, drift.flipped())).collect();
        assert_eq!(drift, [(1, true), (2, false)]);
        assert_eq!(before.drift(&record(&[(Verdict::Safe, f64::NAN)])).len(), 1);
        let none = Answer { verdict: None, probability: None };
        let now = Record { answers: vec![none], ..before.clone() };
        assert!(before.drift(&now)[0].flipped(), "no verdict where there was one");
    }

    #[test]
    fn a_record_is_that_of_its_model_and_texts_or_none() {
        let record = record(&[SAFE; TEXTS.len()]);
        let json = serde_json::to_vec(&record).unwrap();
        assert_eq!(Record::read(&json, "model"), Some(record.clone()));
        assert_eq!(Record::read(&json, "another"), None);
        assert_eq!(Record::read(&json[..json.len() / 2], "model"), None);
        let short = Record { answers: record.answers[1..].to_vec(), ..record };
        assert_eq!(Record::read(&serde_json::to_vec(&short).unwrap(), "model"), None);
    }
}
