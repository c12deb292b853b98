//! From probabilities to a verdict.
//!
//! The one idea: every answer that the contract allows is a leaf with a probability of its own, so a verdict is
//! arithmetic over leaves, never a search in prose. The engine computes the probabilities.

mod answer;
mod candidate;
mod decision;
pub mod ladder;
mod outcome;
mod rationale;
mod tree;

#[doc(hidden)]
pub use answer::read_answer;
pub use candidate::{Candidate, candidates, label_shares};
pub use decision::{DecisionRule, MIN_MASS};
pub use outcome::{Judgement, Outcome, Scores, Unresolved};
#[doc(hidden)]
pub use rationale::Rationale;
#[doc(hidden)]
pub use tree::{AnswerTree, Edge, NodeId, Step, Target};

pub use crate::policy::Verdict;
