//! The expected answer to a text of a golden set.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::Verdict;

/// The correct answer to a text under a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The verdict.
    pub verdict: Verdict,
    /// The category's code. `None` for a safe text, or if the set does not name it.
    pub category: Option<String>,
    /// True if the set names the category, false if it names the verdict alone.
    pub knows_category: bool,
}

impl Expected {
    /// Returns a violation whose category is not known.
    pub(super) fn violation() -> Self {
        Self { verdict: Verdict::Violation, category: None, knows_category: false }
    }

    /// Returns the answer of a case without a category: the verdict of this word, or safe.
    pub(super) fn of_word(verdict: &str) -> Self {
        match verdict.parse() {
            Err(_) | Ok(Verdict::Safe) => Self::safe(true),
            Ok(verdict) => Self { verdict, category: None, knows_category: false },
        }
    }

    /// Returns a safe text.
    pub(super) fn safe(knows_category: bool) -> Self {
        Self { verdict: Verdict::Safe, category: None, knows_category }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.category {
            Some(code) => write!(out, "{} {code}", self.verdict),
            None => self.verdict.fmt(out),
        }
    }
}
