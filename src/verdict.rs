//! From probabilities to a verdict.
//!
//! The one idea: every answer that the contract allows is a leaf with a probability of its own, so a verdict is
//! arithmetic over leaves, never a search in prose. How the probabilities were come by is the engine's affair.

mod rationale;
mod reply;
mod tree;

pub use rationale::Rationale;
pub use reply::read_answer;
pub use tree::{AnswerTree, Edge, NodeId, Step, Target};

pub use crate::policy::Verdict;

use crate::harmony::reply::NoFinal;
use crate::policy::Answer;

/// What the classification of one content ended in.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A verdict.
    Verdict(Judgement),
    /// No verdict, and why. Never to be taken for "safe".
    Unresolved(Unresolved),
}

/// A verdict with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Violation, safe or review.
    pub verdict: Verdict,
    /// The label that the contract gives this verdict, `1` say.
    pub label: String,
    /// The code of the category that it rests on, if the contract asks for one and the verdict is not safe.
    pub category: Option<String>,
    /// How sure, unless the model wrote the answer freely.
    pub scores: Option<Scores>,
    /// Why, in the model's words, if the contract asks for it.
    pub rationale: Option<String>,
    /// Whether the model wrote freely and its `final` body stood in the header, as [`crate::harmony::reply::Reply`] tells.
    pub repaired: bool,
}

/// Probabilities over the answers that the contract allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// P(violation) among all allowed answers, 0 to 1, whatever the verdict.
    pub probability: f64,
    /// P(the chosen label) among all allowed answers, 0 to 1.
    pub label_probability: f64,
    /// What the model gave to allowed answers at all, 0 to 1: the rest went to something off the contract.
    pub mass: f64,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unresolved {
    /// The model gave too little probability to all allowed answers together. One that wants to refuse says so here.
    #[error("off-contract: only {} of the probability is on allowed answers (--min-mass {least})", below(*mass, *least))]
    OffContract {
        /// What all allowed answers have together, 0 to 1.
        mass: f64,
        /// The least mass that the rule asks for.
        least: f64,
    },
    /// The model was trained for some shipped policies, and this one is not among them.
    #[error("not trained for it: the built-in model knows {} alone\nhint: name a real model with --model", known.join(", "))]
    Untrained {
        /// The ids of the policies that it knows.
        known: &'static [&'static str],
    },
    /// The model wrote freely, and no final message can be read from it.
    #[error("{0}")]
    NoFinal(#[from] NoFinal),
    /// The model wrote freely, and its final message is no answer that the contract allows.
    #[error("the final message is not an answer that the policy allows")]
    Unparsed,
}

impl Unresolved {
    /// Returns a word for machines: `off-contract`, `untrained`, `no-final`, `truncated`, `conflict`, `malformed` or
    /// `unparsed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OffContract { .. } => "off-contract",
            Self::Untrained { .. } => "untrained",
            Self::NoFinal(NoFinal::Missing) => "no-final",
            Self::NoFinal(NoFinal::Truncated) => "truncated",
            Self::NoFinal(NoFinal::Conflict) => "conflict",
            Self::NoFinal(NoFinal::Malformed(_)) => "malformed",
            Self::Unparsed => "unparsed",
        }
    }
}

/// Returns a mass that is less than another, with as many digits as show that.
fn below(mass: f64, least: f64) -> String {
    if mass > 0.0 && mass < 0.001 {
        return format!("{mass:.1e}");
    }
    let shown = |digits: usize| format!("{mass:.digits$}");
    let is_less = |text: &String| text.parse::<f64>().is_ok_and(|shown| shown < least);
    (3..17).map(shown).find(is_less).unwrap_or_else(|| mass.to_string())
}

/// How probabilities become a verdict.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rule {
    /// Violation from this probability on, 0 to 1. Without it the verdict with the largest mass wins.
    pub threshold: Option<f64>,
    /// The least mass that a verdict may rest on, 0 to 1. The default is [`MIN_MASS`].
    pub min_mass: f64,
}

/// The least mass of a verdict by default. At half, allowed answers have more of the probability than all others.
pub const MIN_MASS: f64 = 0.5;

impl Default for Rule {
    fn default() -> Self {
        Self { threshold: None, min_mass: MIN_MASS }
    }
}

impl Rule {
    /// Decides between the answers, given the natural logarithm of each one's probability.
    ///
    /// Returns the index of the answer that the verdict rests on. Of equal masses violation comes before review, and
    /// review before safe.
    ///
    /// # Errors
    ///
    /// [`Unresolved::OffContract`] when all answers together have less than the least mass, or none.
    pub fn decide(&self, answers: &[Answer], logs: &[f64]) -> Result<(usize, Scores), Unresolved> {
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() {
            return Err(Unresolved::OffContract { mass: 0.0, least: self.min_mass });
        }
        let weights: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mass = (largest.exp() * total).min(1.0);
        if mass < self.min_mass || mass <= 0.0 {
            return Err(Unresolved::OffContract { mass, least: self.min_mass });
        }
        let share = |wanted: &dyn Fn(&Answer) -> bool| -> f64 {
            let sum: f64 =
                answers.iter().zip(&weights).filter(|(answer, _)| wanted(answer)).map(|(_, weight)| weight).sum();
            (sum / total).min(1.0)
        };
        let share_of = |verdict: Verdict| share(&|answer: &Answer| answer.verdict == verdict);
        let probability = share_of(Verdict::Violation);
        let verdict = match self.threshold {
            Some(threshold) if probability >= threshold => Verdict::Violation,
            Some(_) if share_of(Verdict::Review) >= share_of(Verdict::Safe) && has(answers, Verdict::Review) => {
                Verdict::Review
            }
            Some(_) => Verdict::Safe,
            None => [Verdict::Review, Verdict::Safe]
                .into_iter()
                .fold(Verdict::Violation, |best, other| if share_of(other) > share_of(best) { other } else { best }),
        };
        let leaf = (0..answers.len())
            .filter(|&leaf| answers[leaf].verdict == verdict)
            .reduce(|best, leaf| if weights[leaf] > weights[best] { leaf } else { best })
            .ok_or(Unresolved::OffContract { mass, least: self.min_mass })?;
        let label_probability = share(&|answer: &Answer| answer.label == answers[leaf].label);
        Ok((leaf, Scores { probability, label_probability, mass }))
    }
}

fn has(answers: &[Answer], verdict: Verdict) -> bool {
    answers.iter().any(|answer| answer.verdict == verdict)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY_MASS: Rule = Rule { threshold: None, min_mass: 0.0 };

    fn answers() -> Vec<Answer> {
        [
            ("0", None, Verdict::Safe),
            ("1", Some("SP1"), Verdict::Violation),
            ("1", Some("SP2"), Verdict::Violation),
            ("2", Some("SP3"), Verdict::Review),
        ]
        .map(|(label, category, verdict)| Answer {
            text: format!("{label}{category:?}"),
            label: label.to_owned(),
            category: category.map(str::to_owned),
            verdict,
        })
        .to_vec()
    }

    fn decide(rule: Rule, masses: [f64; 4]) -> Result<(usize, Scores), Unresolved> {
        rule.decide(&answers(), &masses.map(f64::ln))
    }

    #[test]
    fn the_larger_summed_mass_wins_then_its_best_leaf() {
        let (leaf, scores) = decide(Rule::default(), [0.3, 0.2, 0.25, 0.0]).unwrap();
        assert_eq!(leaf, 2);
        assert!((scores.probability - 0.6).abs() < 1e-12);
        assert!((scores.label_probability - 0.6).abs() < 1e-12);
        assert!((scores.mass - 0.75).abs() < 1e-12);
    }

    #[test]
    fn the_probability_is_that_of_a_violation_whatever_the_verdict() {
        let (leaf, scores) = decide(Rule::default(), [0.6, 0.1, 0.1, 0.2]).unwrap();
        assert_eq!(leaf, 0);
        assert!((scores.probability - 0.2).abs() < 1e-12);
        assert!((scores.label_probability - 0.6).abs() < 1e-12);
    }

    #[test]
    fn a_threshold_sets_another_cut() {
        let rule = |threshold| Rule { threshold: Some(threshold), ..Rule::default() };
        assert_eq!(decide(rule(0.2), [0.6, 0.1, 0.1, 0.2]).unwrap().0, 1);
        assert_eq!(decide(rule(0.9), [0.1, 0.8, 0.0, 0.1]).unwrap().0, 3);
        assert_eq!(decide(rule(0.9), [0.2, 0.7, 0.0, 0.1]).unwrap().0, 0);
        assert_eq!(decide(rule(0.0), [1.0, 0.0, 0.0, 0.0]).unwrap().0, 1);
    }

    #[test]
    fn too_little_mass_is_unresolved() {
        let rule = Rule { min_mass: 0.5, ..Rule::default() };
        assert_eq!(rule, Rule::default());
        let Err(Unresolved::OffContract { mass, least }) = decide(rule, [0.2, 0.2, 0.0, 0.0]) else {
            panic!("resolved")
        };
        assert!((mass - 0.4).abs() < 1e-12 && (least - 0.5).abs() < 1e-12);
        assert!(decide(Rule::default(), [0.25, 0.25, 0.0, 0.0]).is_ok());
        for rule in [Rule::default(), ANY_MASS] {
            assert!(decide(rule, [0.0; 4]).is_err());
            assert!(decide(rule, [f64::NAN; 4]).is_err());
        }
    }

    #[test]
    fn a_mass_that_is_too_little_is_told_with_as_many_digits_as_show_it() {
        let told = |mass, least| Unresolved::OffContract { mass, least }.to_string();
        let expected = "off-contract: only 0.400 of the probability is on allowed answers (--min-mass 0.5)";
        assert_eq!(told(0.4, 0.5), expected);
        for (mass, least, shown) in [
            (0.001_234, 0.5, "only 0.001 of"),
            (1.2e-19, 0.5, "only 1.2e-19 of"),
            (0.499_97, 0.5, "only 0.49997 of"),
            (0.999_6, 0.999_999, "only 0.9996 of"),
            (0.0, 0.0, "only 0 of"),
        ] {
            assert!(told(mass, least).contains(shown), "{}", told(mass, least));
        }
    }

    #[test]
    fn a_tie_is_not_safe() {
        assert_eq!(decide(Rule::default(), [0.5, 0.5, 0.0, 0.0]).unwrap().0, 1);
    }

    #[test]
    fn a_mass_too_small_for_a_number_is_unresolved_rather_than_guessed_from() {
        let logs = [-800.0, -799.0, -900.0, -900.0];
        assert_eq!(ANY_MASS.decide(&answers(), &logs), Err(Unresolved::OffContract { mass: 0.0, least: 0.0 }));
    }

    proptest! {
        #[test]
        fn shares_are_probabilities_and_sum_to_one(masses in prop::array::uniform4(1e-12..0.25f64)) {
            let (leaf, scores) = decide(ANY_MASS, masses).unwrap();
            prop_assert!((0.0..=1.0).contains(&scores.probability));
            prop_assert!((0.0..=1.0).contains(&scores.label_probability));
            prop_assert!((scores.mass - masses.iter().sum::<f64>()).abs() < 1e-12);
            let total: f64 = masses.iter().sum();
            let others = (masses[0] + masses[3]) / total;
            prop_assert!((scores.probability + others - 1.0).abs() < 1e-9);
            prop_assert!(leaf < 4);
        }
    }
}
