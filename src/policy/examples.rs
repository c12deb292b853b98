//! Texts with a known answer: examples, which the model reads, and golden cases, which it does not.

use serde::{Deserialize, Serialize};

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
    /// True if it lies close to the boundary.
    pub near_miss: bool,
    /// The reason, in a sentence.
    pub why: Option<String>,
}
