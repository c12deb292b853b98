//! The result of classifying one content.

use crate::verdict::ladder::Probe;
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
    /// The answers at the rungs of the ladder, in order. Empty without a ladder.
    pub probes: Vec<Probe>,
    /// The tokens that it took.
    pub usage: Usage,
}

impl Completion {
    /// Returns a completion without a verdict, for which nothing was decoded.
    #[must_use]
    pub fn without_work(why: Unresolved) -> Self {
        let (cascade, reasoning, probes) = (None, None, Vec::new());
        Self { outcome: Outcome::Unresolved(why), cascade, reasoning, probes, usage: Usage::default() }
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
    /// The way in which it ended.
    pub end: ReasoningEnd,
}

/// The way in which reasoning ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningEnd {
    /// The model ended it.
    Itself,
    /// The budget ran out.
    Budget,
    /// The verdict was sure at a rung of the ladder.
    Sure,
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
    /// Tokens of forks in which answers were scored ahead, at the rungs of the ladder.
    pub probes: usize,
    /// Tokens appended and scored for the answers.
    pub answer: usize,
    /// Tokens sampled as rationale.
    pub rationale: usize,
}
