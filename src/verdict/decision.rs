//! The decision: from the probabilities of answers to a verdict.

use super::candidate::{Candidate, Weights};
use super::outcome::{Scores, Unresolved};
use crate::policy::{Answer, Verdict};
use crate::setters::setters;

/// The rule that turns probabilities into a verdict.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct DecisionRule {
    /// The least P(violation) of a violation, 0 to 1. Without it the verdict with the largest mass wins.
    pub threshold: Option<f64>,
    /// The least mass of a verdict, 0 to 1. The default is [`MIN_MASS`].
    pub min_mass: f64,
}

setters! {
    DecisionRule {
        with_threshold: threshold, Option<f64>;
        with_min_mass: min_mass, f64;
    }
}

/// The default least mass of a verdict. Above a half, allowed answers are more probable than all other texts.
pub const MIN_MASS: f64 = 0.5;

impl Default for DecisionRule {
    fn default() -> Self {
        Self { threshold: None, min_mass: MIN_MASS }
    }
}

impl DecisionRule {
    /// Decides between the answers, from the natural logarithm of each answer's probability.
    ///
    /// Returns the index of the deciding answer. Of equal masses violation comes before review, and review before safe.
    ///
    /// # Errors
    ///
    /// [`Unresolved::OffContract`] if all answers together have less than the least mass, or no mass.
    pub fn decide(&self, answers: &[Answer], logs: &[f64]) -> Result<(usize, Scores), Unresolved> {
        let none = Unresolved::OffContract { mass: 0.0, least: self.min_mass };
        let weights = Weights::new(answers, logs).ok_or(none)?;
        let mass = weights.mass();
        let off_contract = Unresolved::OffContract { mass, least: self.min_mass };
        if mass < self.min_mass || mass <= 0.0 {
            return Err(off_contract);
        }
        let share_of = |verdict: Verdict| weights.share(|answer| answer.verdict == verdict);
        let has_review = answers.iter().any(|answer| answer.verdict == Verdict::Review);
        let leaf = weights.best(self.choose(share_of, has_review)).ok_or(off_contract)?;
        let label_probability = weights.share(|answer| answer.label == answers[leaf].label);
        Ok((leaf, Scores { probability: share_of(Verdict::Violation), label_probability, mass }))
    }

    /// Decides anew between the best answers of each verdict, which [`candidates`] returns. `None` if the verdict has no
    /// answer.
    ///
    /// The result is that of [`DecisionRule::decide`], if the least mass is the same.
    ///
    /// [`candidates`]: super::candidates
    #[must_use]
    pub fn decide_anew<'answers>(&self, candidates: &'answers [Candidate]) -> Option<&'answers Candidate> {
        let of = |verdict: Verdict| candidates.iter().find(|candidate| candidate.verdict == verdict);
        let share_of = |verdict| of(verdict).map_or(0.0, |candidate| candidate.probability);
        of(self.choose(share_of, of(Verdict::Review).is_some()))
    }

    /// Returns the verdict that follows from the share of each verdict.
    fn choose(&self, share_of: impl Fn(Verdict) -> f64, has_review: bool) -> Verdict {
        match self.threshold {
            Some(threshold) if share_of(Verdict::Violation) >= threshold => Verdict::Violation,
            Some(_) if has_review && share_of(Verdict::Review) >= share_of(Verdict::Safe) => Verdict::Review,
            Some(_) => Verdict::Safe,
            None => [Verdict::Review, Verdict::Safe]
                .into_iter()
                // The verdict on the left wins a tie, so equal masses are never safe.
                .fold(Verdict::Violation, |best, other| if share_of(other) > share_of(best) { other } else { best }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::candidates;

    const ANY_MASS: DecisionRule = DecisionRule { threshold: None, min_mass: 0.0 };

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

    fn decide(rule: DecisionRule, masses: [f64; 4]) -> Result<(usize, Scores), Unresolved> {
        rule.decide(&answers(), &masses.map(f64::ln))
    }

    #[test]
    fn the_larger_summed_mass_wins_then_its_best_leaf() {
        let (leaf, scores) = decide(DecisionRule::default(), [0.3, 0.2, 0.25, 0.0]).unwrap();
        assert_eq!(leaf, 2);
        assert!((scores.probability - 0.6).abs() < 1e-12);
        assert!((scores.label_probability - 0.6).abs() < 1e-12);
        assert!((scores.mass - 0.75).abs() < 1e-12);
    }

    #[test]
    fn the_probability_is_that_of_a_violation_whatever_the_verdict() {
        let (leaf, scores) = decide(DecisionRule::default(), [0.6, 0.1, 0.1, 0.2]).unwrap();
        assert_eq!(leaf, 0);
        assert!((scores.probability - 0.2).abs() < 1e-12);
        assert!((scores.label_probability - 0.6).abs() < 1e-12);
    }

    #[test]
    fn a_threshold_sets_another_cut() {
        let rule = |threshold| DecisionRule { threshold: Some(threshold), ..DecisionRule::default() };
        assert_eq!(decide(rule(0.2), [0.6, 0.1, 0.1, 0.2]).unwrap().0, 1);
        assert_eq!(decide(rule(0.9), [0.1, 0.8, 0.0, 0.1]).unwrap().0, 3);
        assert_eq!(decide(rule(0.9), [0.2, 0.7, 0.0, 0.1]).unwrap().0, 0);
        assert_eq!(decide(rule(0.0), [1.0, 0.0, 0.0, 0.0]).unwrap().0, 1);
    }

    #[test]
    fn too_little_mass_is_unresolved() {
        let rule = DecisionRule { min_mass: 0.5, ..DecisionRule::default() };
        assert_eq!(rule, DecisionRule::default());
        let Err(Unresolved::OffContract { mass, least }) = decide(rule, [0.2, 0.2, 0.0, 0.0]) else {
            panic!("resolved")
        };
        assert!((mass - 0.4).abs() < 1e-12 && (least - 0.5).abs() < 1e-12);
        assert!(decide(DecisionRule::default(), [0.25, 0.25, 0.0, 0.0]).is_ok());
        for rule in [DecisionRule::default(), ANY_MASS] {
            assert!(decide(rule, [0.0; 4]).is_err());
            assert!(decide(rule, [f64::NAN; 4]).is_err());
        }
    }

    #[test]
    fn a_tie_is_not_safe() {
        assert_eq!(decide(DecisionRule::default(), [0.5, 0.5, 0.0, 0.0]).unwrap().0, 1);
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

        #[test]
        fn from_the_candidates_every_rule_decides_as_from_all_answers(
            masses in prop::array::uniform4(1e-12..0.25f64),
            threshold in prop::option::of(prop_oneof![0.0..=1.0, Just(0.0), Just(1.0)]),
            few in 1..=4_usize,
        ) {
            let (answers, logs) = (&answers()[..few], &masses.map(f64::ln)[..few]);
            let candidates = candidates(answers, logs);
            let probability = candidates.iter().find(|one| one.verdict == Verdict::Violation).map(|one| one.probability);
            for threshold in [threshold, probability, probability.map(f64::next_up)] {
                let rule = DecisionRule { threshold, ..ANY_MASS };
                let whole = rule.decide(answers, logs).ok().map(|(leaf, scores)| {
                    (answers[leaf].label.as_str(), answers[leaf].category.as_deref(), scores.label_probability)
                });
                let anew = rule.decide_anew(&candidates);
                let anew = anew.map(|one| (one.label.as_str(), one.category.as_deref(), one.label_probability));
                prop_assert_eq!(whole, anew);
            }
        }
    }
}
