//! Texts with a known answer: examples, which the model reads, and golden cases, which it does not.

use serde::{Deserialize, Serialize};

use crate::policy::Verdict;

/// A case with its answer, shown to the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The content.
    pub text: String,
    /// The code of its category; `None` is safe.
    pub category: Option<String>,
    /// The reason, in a sentence, shown as the rationale.
    pub why: Option<String>,
}

/// A text with a known answer, for evaluating the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenCase {
    /// The text.
    pub text: String,
    /// The code of its category; `None` is safe.
    pub category: Option<String>,
    /// The verdict of a text whose category is not known. `None` if the category decides.
    pub verdict: Option<Verdict>,
    /// True if it lies close to the boundary.
    pub near_miss: bool,
    /// The reason, in a sentence.
    pub why: Option<String>,
}
