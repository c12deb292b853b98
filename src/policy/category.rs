//! The categories of a policy, and the terms that they use.

use serde::{Deserialize, Serialize};

use crate::policy::{Action, Severity, Verdict};

/// A rule, with a code that an answer can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// The code, such as `SP2.a`.
    pub code: String,
    /// The rule in a few words.
    pub title: String,
    /// The verdict on content of this category.
    pub verdict: Verdict,
    /// The severity of a violation.
    pub severity: Option<Severity>,
    /// The advice to the forum.
    pub action: Option<Action>,
    /// The conditions, a sentence each.
    pub criteria: Vec<String>,
}

/// A term and its meaning in one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The term.
    pub term: String,
    /// Its meaning.
    pub meaning: String,
}
