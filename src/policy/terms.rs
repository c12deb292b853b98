//! The closed vocabularies of a policy: verdicts, severities, actions and efforts, and the words for them.
//!
//! The one idea: each word is written in one place and read back exactly. Spellings are never guessed.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::diagnostics::quoting;

/// The verdict on a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It violates the policy.
    Violation,
    /// It does not violate the policy.
    Safe,
    /// A person must decide.
    Review,
}

/// The severity of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A nuisance.
    Low,
    /// It harms the forum.
    Medium,
    /// It harms people, or is done on a large scale.
    High,
    /// It harms people at once and badly.
    Critical,
}

/// The advice to the forum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Leave it.
    Allow,
    /// Leave it, marked.
    Label,
    /// Show it to fewer people.
    Limit,
    /// Take it down.
    Remove,
    /// Take it down and alert a person at once.
    Escalate,
}

/// The length of a model's reasoning before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// No reasoning.
    None,
    /// Brief reasoning.
    Low,
    /// The model's own default.
    #[default]
    Medium,
    /// Long reasoning.
    High,
}

/// A word outside the vocabulary of its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {what}: use {}", quoting::quoted(word), quoting::listed(allowed))]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    allowed: &'static [&'static str],
}

impl Verdict {
    const WORDS: [&'static str; 3] = ["violation", "safe", "review"];

    /// Returns its word in files and replies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// Returns the verdict on content of the opposite kind. A review stays a review.
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Violation => Self::Safe,
            Self::Safe => Self::Violation,
            Self::Review => Self::Review,
        }
    }
}

impl Severity {
    /// Returns its word in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["low", "medium", "high", "critical"][self as usize]
    }
}

impl Action {
    /// Returns its word in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["allow", "label", "limit", "remove", "escalate"][self as usize]
    }
}

impl Effort {
    const WORDS: [&'static str; 4] = ["none", "low", "medium", "high"];

    /// Returns its word in files and in the system message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [Self::Violation, Self::Safe, Self::Review]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
            .ok_or_else(|| UnknownWord { what: "a verdict", word: word.to_owned(), allowed: &Self::WORDS })
    }
}

impl FromStr for Effort {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [Self::None, Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|effort| effort.as_str() == word)
            .ok_or_else(|| UnknownWord { what: "an effort", word: word.to_owned(), allowed: &Self::WORDS })
    }
}
