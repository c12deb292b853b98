//! Candidates: the best answer of each verdict. A verdict under another rule follows from them.

use serde::{Deserialize, Serialize};

use crate::policy::{Answer, Verdict};

/// The best answer of a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The verdict.
    pub verdict: Verdict,
    /// P(verdict) among all allowed answers, 0 to 1.
    pub probability: f64,
    /// The answer's label.
    pub label: String,
    /// P(label) among all allowed answers, 0 to 1.
    pub label_probability: f64,
    /// The answer's category, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

/// Returns the best answer of each verdict, from the natural logarithm of each answer's probability. Empty without any
/// mass.
#[must_use]
pub fn candidates(answers: &[Answer], logs: &[f64]) -> Vec<Candidate> {
    let Some(weights) = Weights::new(answers, logs) else { return Vec::new() };
    let best = |verdict| {
        let Answer { label, category, .. } = &answers[weights.best(verdict)?];
        Some(Candidate {
            verdict,
            probability: weights.share(|answer| answer.verdict == verdict),
            label: label.clone(),
            label_probability: weights.share(|answer| answer.label == *label),
            category: category.clone(),
        })
    };
    [Verdict::Violation, Verdict::Review, Verdict::Safe].into_iter().filter_map(best).collect()
}

/// The probabilities of answers, in proportion to the largest.
pub(super) struct Weights<'answers> {
    answers: &'answers [Answer],
    shares: Vec<f64>,
    total: f64,
    /// The logarithm of the largest probability.
    largest: f64,
}

impl<'answers> Weights<'answers> {
    /// `None` without any mass.
    pub fn new(answers: &'answers [Answer], logs: &[f64]) -> Option<Self> {
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // No mass at all, or logits that are not numbers: `max` skips NaN.
        if !largest.is_finite() {
            return None;
        }
        let weights: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        Some(Self { answers, total: weights.iter().sum(), shares: weights, largest })
    }

    /// Returns the probability of all answers together.
    pub fn mass(&self) -> f64 {
        // Rounding can carry a sum of probabilities above one.
        (self.largest.exp() * self.total).min(1.0)
    }

    /// Returns the share that some answers have of all.
    pub fn share(&self, wanted: impl Fn(&Answer) -> bool) -> f64 {
        let pairs = self.answers.iter().zip(&self.shares);
        let sum: f64 = pairs.filter(|(answer, _)| wanted(answer)).map(|(_, weight)| weight).sum();
        (sum / self.total).min(1.0)
    }

    /// Returns the index of the likeliest answer with a verdict. Of equal ones the first.
    pub fn best(&self, verdict: Verdict) -> Option<usize> {
        (0..self.answers.len())
            .filter(|&leaf| self.answers[leaf].verdict == verdict)
            .reduce(|best, leaf| if self.shares[leaf] > self.shares[best] { leaf } else { best })
    }
}
