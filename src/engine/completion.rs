//! The result of classifying one content.

use crate::verdict::{Outcome, Unresolved};

/// The result of classifying one content.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The verdict, or the reason why no verdict could be reached.
    pub outcome: Outcome,
    /// The result of the first answer, in a cascade.
    pub cascade: Option<Cascade>,
    /// The model's reasoning, if it reasoned. For developers: it may be wrong, or as harmful as the content.
    pub reasoning: Option<Reasoning>,
    /// The tokens that it took.
    pub usage: Usage,
}

impl Completion {
    /// Returns a completion without a verdict, for which nothing was decoded.
    #[must_use]
    pub fn without_work(why: Unresolved) -> Self {
        Self { outcome: Outcome::Unresolved(why), cascade: None, reasoning: None, usage: Usage::default() }
    }
}

/// The result of the answer before any reasoning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cascade {
    /// P(violation) of the first answer, from 0 to 1. `None` if the allowed answers had too little mass.
    pub first: Option<f64>,
    /// True if the first answer was too close to call, so that the model reasoned.
    pub escalated: bool,
}

/// The `analysis` of one completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// The text.
    pub text: String,
    /// True if the model ended it by itself. False if the budget ran out.
    pub finished: bool,
}

/// Tokens of one completion, by their use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the policy's prefix, which is decoded once for all contents.
    pub prefix: usize,
    /// Tokens of the content and its framing in the prompt.
    pub suffix: usize,
    /// Tokens sampled as reasoning. All tokens of the turn where the model writes freely.
    pub reasoning: usize,
    /// Tokens appended and scored for the answers.
    pub answer: usize,
    /// Tokens sampled as rationale.
    pub rationale: usize,
}
