//! The result of classifying one content: a judgement, or the reason for its absence.

use super::candidate::Candidate;
use crate::harmony::completion::NoFinal;
use crate::hint::{Hint, Hints, Setting};
use crate::policy::Verdict;

/// The result of classifying one content.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A verdict.
    Verdict(Judgement),
    /// No verdict, with the reason. It does not mean "safe".
    Unresolved(Unresolved),
}

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Violation, safe or review.
    pub verdict: Verdict,
    /// The label of this verdict in the contract, such as `1`.
    pub label: String,
    /// The code of the deciding category. `None` if the contract does not ask for one, or the verdict is safe.
    pub category: Option<String>,
    /// The probabilities. `None` if the model wrote the answer freely.
    pub scores: Option<Scores>,
    /// The best answer of each verdict. Empty if the model wrote the answer freely.
    pub candidates: Vec<Candidate>,
    /// Each label with P(label), if there are more labels than candidates. Else empty.
    pub labels: Vec<(String, f64)>,
    /// The reason in the model's words, if the contract asks for it.
    pub rationale: Option<String>,
    /// True if the model wrote freely and its `final` body was in the header: see [`FinalMessage::repaired`](crate::harmony::completion::FinalMessage::repaired).
    pub repaired: bool,
}

/// Probabilities over the answers that the contract allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// P(violation) among all allowed answers, 0 to 1, for any verdict.
    pub probability: f64,
    /// P(the chosen label) among all allowed answers, 0 to 1.
    pub label_probability: f64,
    /// The probability of all allowed answers together, 0 to 1. The rest went to texts that the contract does not allow.
    pub mass: f64,
}

/// A reason for an outcome without a verdict.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// The model gave too little probability to all allowed answers together, as in a refusal.
    #[error("off-contract: only {} of the probability is on allowed answers, less than {least}", below(*mass, *least))]
    OffContract {
        /// The probability of all allowed answers together, 0 to 1.
        mass: f64,
        /// The least mass of the decision rule.
        least: f64,
    },
    /// The model was trained for some shipped policies, and this one is not among them.
    #[error("not trained for it: the built-in model knows {} alone", known.join(", "))]
    Untrained {
        /// The ids of the policies that it knows.
        known: &'static [&'static str],
    },
    /// The model wrote freely, and its completion has no usable final message.
    #[error("{0}")]
    NoFinal(#[from] NoFinal),
    /// The model wrote freely, and the contract does not allow its final message.
    #[error("the final message is not an answer that the policy allows")]
    Unparsed,
}

impl Unresolved {
    /// Returns a word for programs: `off-contract`, `untrained`, `no-final`, `truncated`, `conflict`, `malformed` or
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

impl Hints for Unresolved {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::OffContract { .. } => vec![Hint::of(Setting::MinMass).text(" sets the least probability")],
            Self::Untrained { .. } => vec![Hint::new("name a real model with ").setting(Setting::Model)],
            Self::NoFinal(_) | Self::Unparsed => Vec::new(),
        }
    }
}

/// Writes a mass with enough digits to show that it is less than another.
fn below(mass: f64, least: f64) -> String {
    if mass > 0.0 && mass < 0.001 {
        return format!("{mass:.1e}");
    }
    let shown = |digits: usize| format!("{mass:.digits$}");
    let is_less = |text: &String| text.parse::<f64>().is_ok_and(|shown| shown < least);
    (3..17).map(shown).find(is_less).unwrap_or_else(|| mass.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_is_written_with_enough_digits_to_show_that_it_is_too_little() {
        let message = |mass, least| Unresolved::OffContract { mass, least }.to_string();
        let expected = "off-contract: only 0.400 of the probability is on allowed answers, less than 0.5";
        assert_eq!(message(0.4, 0.5), expected);
        for (mass, least, shown) in [
            (0.001_234, 0.5, "only 0.001 of"),
            (1.2e-19, 0.5, "only 1.2e-19 of"),
            (0.499_97, 0.5, "only 0.49997 of"),
            (0.999_6, 0.999_999, "only 0.9996 of"),
            (0.0, 0.0, "only 0 of"),
        ] {
            assert!(message(mass, least).contains(shown), "{}", message(mass, least));
        }
    }
}
