//! The bodies of requests to the review queue, and of its responses.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::policy::{Policy, Verdict};
use crate::review::item::{Decision, Found, Item, Reason, Ruling, new_id, now};
use crate::review::store;
use crate::serve::api_error::ApiError;
use crate::serve::policies::Served;
use crate::serve::reviewing::{LONGEST, severe};

/// The most characters of a note.
const LONGEST_NOTE: usize = 2000;

/// A part of the review queue.
#[derive(Serialize, JsonSchema)]
pub struct Page {
    /// The items: the open ones from the oldest on, the decided ones from the last decided on.
    items: Vec<ReviewItem>,
    /// The number of open items of the policy and the reason.
    open: usize,
    /// The number of decided ones.
    decided: usize,
    /// The open items of each policy.
    policies: Vec<OfPolicy>,
}

/// An item, with its policy's categories and its last decision.
#[derive(Serialize, JsonSchema)]
struct ReviewItem {
    #[serde(flatten)]
    item: Item,
    /// The categories of the policy as it is now. Empty if the server does not serve it any more.
    categories: Vec<Category>,
    /// The last decision.
    decision: Option<Decision>,
}

/// A category that a decision can name.
#[derive(Serialize, JsonSchema)]
struct Category {
    code: String,
    title: String,
    verdict: Verdict,
}

/// The open items of a policy.
#[derive(Serialize, JsonSchema)]
struct OfPolicy {
    /// The policy's id.
    id: String,
    /// Their number.
    open: usize,
}

/// A text that is put into the review queue by hand, since its label and its verdict differ.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The name of the policy.
    pub policy: String,
    /// The text.
    text: String,
    /// Its label: `violation`, `safe`, or the code of a category.
    expected: Option<String>,
    /// The verdict that it got.
    verdict: Option<Found>,
    /// The code of the category.
    category: Option<String>,
    /// P(violation).
    #[schemars(range(min = 0.0, max = 1.0))]
    probability: Option<f64>,
}

/// The item that was made.
#[derive(Serialize, JsonSchema)]
pub struct Added {
    /// Its id.
    pub id: String,
}

/// A decision about an item.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deciding {
    /// The verdict.
    pub verdict: Ruling,
    /// The code of a category.
    pub category: Option<String>,
    /// A note for others, of at most 2,000 characters.
    pub note: Option<String>,
    /// True if the text should go into the golden set.
    #[serde(default)]
    pub golden: bool,
    /// True if the reviewer had not seen the model's verdict.
    #[serde(default)]
    pub blind: bool,
    /// The name of the reviewer, on a server without keys.
    pub reviewer: Option<String>,
}

/// The decision that was made.
#[derive(Serialize, JsonSchema)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// The number of open items.
    pub open: usize,
}

/// The state of the queue after a change.
#[derive(Serialize, JsonSchema)]
pub struct Open {
    /// The number of open items.
    pub open: usize,
}

impl Page {
    /// Returns a part of the queue, with the categories of its policies.
    pub fn of(page: store::Page, find: impl Fn(&str) -> Option<Arc<Served>>) -> Self {
        let store::Page { items, open, decided, policies } = page;
        let with_categories = |(item, decision): (Item, Option<Decision>)| {
            let served = find(&item.policy);
            let categories = served.iter().flat_map(|served| served.policy.categories());
            let categories = categories.map(|category| Category {
                code: category.code.clone(),
                title: category.title.clone(),
                verdict: category.verdict,
            });
            ReviewItem { categories: categories.collect(), item, decision }
        };
        Self {
            items: items.into_iter().map(with_categories).collect(),
            open,
            decided,
            policies: policies.into_iter().map(|(id, open)| OfPolicy { id, open }).collect(),
        }
    }
}

impl Asked {
    /// Returns the item.
    pub fn item(self, served: &Served, threshold: Option<f64>) -> Result<Item, ApiError> {
        let Self { text, expected, verdict, category, probability, .. } = self;
        let content =
            Content::of(text).map_err(|error| ApiError::unprocessable("no_text", error.to_string()).of("text"))?;
        if content.text().len() > LONGEST {
            let message = format!("a text in the review queue has at most {LONGEST} bytes");
            return Err(ApiError::unprocessable("too_long", message).of("text"));
        }
        if !probability.is_none_or(|probability| (0.0..=1.0).contains(&probability)) {
            return Err(ApiError::invalid("invalid_value", "the number must be from 0 to 1").of("probability"));
        }
        if let Some(expected) = expected.as_deref().filter(|word| !["violation", "safe"].contains(word)) {
            meaning(&served.policy, expected).map_err(|error| error.of("expected"))?;
        }
        if let Some(category) = &category {
            meaning(&served.policy, category).map_err(|error| error.of("category"))?;
        }
        Ok(Item {
            id: new_id("item_"),
            time: now(),
            policy: served.policy.id.clone(),
            digest: served.digest.clone(),
            title: served.policy.title.clone(),
            text: content.text().to_owned(),
            verdict: verdict.unwrap_or(Found::Unresolved),
            category,
            probability,
            threshold: threshold.unwrap_or(0.5),
            rationale: None,
            reasons: vec![Reason::Disagreement],
            shadow: None,
            expected,
            severe: severe(&served.policy),
        })
    }
}

impl Deciding {
    /// Checks the category and the note.
    pub fn check(&self, served: Option<&Served>) -> Result<(), ApiError> {
        if self.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
            return Err(ApiError::invalid("invalid_value", "a note has at most 2000 characters").of("note"));
        }
        let (Some(code), Some(served)) = (&self.category, served) else { return Ok(()) };
        let is_safe = meaning(&served.policy, code).map_err(|error| error.of("category"))? == Verdict::Safe;
        if is_safe == (self.verdict == Ruling::Safe) {
            return Ok(());
        }
        Err(ApiError::invalid("invalid_value", "the category is one of the other verdict").of("category"))
    }
}

/// Returns the verdict that the code of a category means.
fn meaning(policy: &Policy, code: &str) -> Result<Verdict, ApiError> {
    let found = policy.categories().iter().find(|category| category.code == code);
    found.map(|category| category.verdict).ok_or_else(|| {
        let message = format!("the policy `{}` has no such category", policy.id);
        ApiError::invalid("invalid_value", message)
    })
}
