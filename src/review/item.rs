//! An item of the review queue, and the decision of a reviewer about it, as their journals have them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::policy::Verdict;

/// A text that a person should look at, with the verdict that it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// The time when it was judged, in seconds since 1970.
    pub time: u64,
    /// The policy's id.
    pub policy: String,
    /// The digest of the policy's content.
    pub digest: String,
    /// The policy's name for people.
    pub title: String,
    /// The text, with the turns before it and the answer to it, if it had some.
    pub text: String,
    /// The verdict that it got.
    pub verdict: Found,
    /// The code of the category.
    pub category: Option<String>,
    /// P(violation).
    pub probability: Option<f64>,
    /// The lowest probability of a violation.
    pub threshold: f64,
    /// The model's reason.
    pub rationale: Option<String>,
    /// The reasons why it is in the queue.
    pub reasons: Vec<Reason>,
    /// The verdict by the shadow policy, if that was asked.
    pub shadow: Option<Shadow>,
    /// The answer that was expected, for a text that was put into the queue by hand: `violation`, `safe` or a code.
    #[serde(default)]
    pub expected: Option<String>,
    /// True if the text may harm its reader, so that a page shows it only when asked to.
    pub severe: bool,
}

/// The verdict that a text got, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// It violates the policy.
    Violation,
    /// It does not violate the policy.
    Safe,
    /// The policy asks for a person.
    Review,
    /// There is no verdict.
    Unresolved,
}

/// The verdict of a shadow policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shadow {
    /// The verdict.
    pub verdict: Found,
    /// The code of the category.
    pub category: Option<String>,
    /// P(violation).
    pub probability: Option<f64>,
}

/// A reason why a text is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It has no verdict.
    Unresolved,
    /// The policy or a certificate asks for a person.
    Review,
    /// Its probability is near the threshold.
    Near,
    /// It belongs to the random share.
    Sample,
    /// The shadow policy has another verdict.
    Flip,
    /// It was put into the queue by hand, since its label and its verdict differ.
    Disagreement,
}

/// The verdict of a reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// It violates the policy.
    Violation,
    /// It does not violate the policy.
    Safe,
}

/// The decision of a reviewer about an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Its id.
    pub id: String,
    /// The time when it was made, in seconds since 1970.
    pub time: u64,
    /// The id of the item.
    pub item: String,
    /// The name of the reviewer: that of the key, where keys are set.
    pub reviewer: String,
    /// The verdict.
    pub verdict: Ruling,
    /// The code of the category, if the reviewer named one.
    pub category: Option<String>,
    /// A note for others.
    pub note: Option<String>,
    /// True if the text should go into the golden set.
    pub golden: bool,
    /// True if the reviewer had not seen the model's verdict.
    pub blind: bool,
}

/// A line of the journal of decisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A decision.
    Decision(Decision),
    /// The end of a decision that was a mistake.
    Retraction(Retraction),
}

/// The end of a decision that was a mistake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retraction {
    /// The id of the decision.
    pub retracted: String,
    /// The id of the item.
    pub item: String,
    /// The time, in seconds since 1970.
    pub time: u64,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Unresolved, Self::Review, Self::Near, Self::Sample, Self::Flip, Self::Disagreement];

    /// Returns the word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Review => "review",
            Self::Near => "near",
            Self::Sample => "sample",
            Self::Flip => "flip",
            Self::Disagreement => "disagreement",
        }
    }

    /// Returns the reason of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

impl Ruling {
    /// Returns the word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Safe => "safe",
        }
    }
}

impl Found {
    /// Returns the answer to the question "is it a violation?". `None` without one.
    #[must_use]
    pub const fn ruling(self) -> Option<Ruling> {
        match self {
            Self::Violation => Some(Ruling::Violation),
            Self::Safe => Some(Ruling::Safe),
            Self::Review | Self::Unresolved => None,
        }
    }
}

impl From<Option<Verdict>> for Found {
    fn from(verdict: Option<Verdict>) -> Self {
        match verdict {
            Some(Verdict::Violation) => Self::Violation,
            Some(Verdict::Safe) => Self::Safe,
            Some(Verdict::Review) => Self::Review,
            None => Self::Unresolved,
        }
    }
}

/// Returns the seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Returns a new id. Later ids of this process are greater, and nobody can guess one.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    let later = |last: u64| u64::try_from(now).unwrap_or(0).max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last))).unwrap_or(0);
    format!("{prefix}{:014x}{}", later(last), files::random())
}
