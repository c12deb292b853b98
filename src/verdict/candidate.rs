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

/// Returns each label with P(label) among all allowed answers, in the contract's order.
///
/// Empty without any mass, and if there are no more labels than verdicts: the candidates have them all then.
#[must_use]
pub fn label_shares(answers: &[Answer], logs: &[f64]) -> Vec<(String, f64)> {
    let (mut labels, mut verdicts) = (Vec::new(), Vec::new());
    for Answer { label, verdict, .. } in answers {
        if !labels.contains(&label) {
            labels.push(label);
        }
        if !verdicts.contains(verdict) {
            verdicts.push(*verdict);
        }
    }
    match Weights::new(answers, logs) {
        Some(weights) if labels.len() > verdicts.len() => {
            let share = |label: &String| (label.clone(), weights.share(|answer| answer.label == *label));
            labels.into_iter().map(share).collect()
        }
        _ => Vec::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_label_is_that_of_all_its_answers() {
        let answer = |label: &str, category: Option<&str>, verdict| Answer {
            text: format!("{label}{category:?}"),
            label: label.to_owned(),
            category: category.map(str::to_owned),
            verdict,
        };
        let answers = [
            answer("0", None, Verdict::Safe),
            answer("1", Some("A"), Verdict::Violation),
            answer("1", Some("B"), Verdict::Violation),
            answer("2", None, Verdict::Safe),
        ];
        let shares = label_shares(&answers, &[0.1_f64, 0.2, 0.1, 0.1].map(f64::ln));
        let labels: Vec<&str> = shares.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["0", "1", "2"]);
        for ((_, share), expected) in shares.iter().zip([0.2, 0.6, 0.2]) {
            assert!((share - expected).abs() < 1e-12, "{shares:?}");
        }
        assert!(label_shares(&answers, &[f64::NEG_INFINITY; 4]).is_empty());
    }
}
