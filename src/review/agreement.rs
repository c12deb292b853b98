//! The agreement of reviewers with the model, and among themselves.

use schemars::JsonSchema;
use serde::Serialize;

use super::index::Index;
use super::item::{Reason, Ruling};
use crate::eval::metrics::Confusion;

/// The agreement about the decided items of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Agreement {
    /// The last decision of each item, beside the model's verdict. Items without a verdict are left out.
    pub with_model: Counted,
    /// The last two reviewers of each item that has two. Null if no item has.
    pub between_reviewers: Option<Counted>,
    /// The part of `with_model` that belongs to the random share. Only it tells how often the model is right.
    pub sampled: Counted,
}

/// Items, and the number of those with the same verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counted {
    /// The number of items.
    pub rows: u64,
    /// The number of items with the same verdict.
    pub agree: u64,
    /// Cohen's kappa, from -1 to 1: agreement beyond chance. Null if it is not defined.
    pub kappa: Option<f64>,
}

impl Agreement {
    /// Counts the items of a policy, or all of them.
    #[must_use]
    pub fn of(index: &Index, policy: Option<&str>) -> Self {
        let (mut model, mut sampled, mut reviewers) = (Pairs::default(), Pairs::default(), Pairs::default());
        let wanted = index.iter().map(|(_, entry)| entry);
        for entry in wanted.filter(|entry| policy.is_none_or(|policy| *entry.policy == *policy)) {
            if let Some((found, decision)) = entry.verdict.ruling().zip(entry.decisions.last()) {
                model.add([decision.verdict, found]);
                if entry.has(Reason::Sample) {
                    sampled.add([decision.verdict, found]);
                }
            }
            if let Some(pair) = entry.pair() {
                reviewers.add(pair);
            }
        }
        let between = reviewers.counted();
        Self {
            with_model: model.counted(),
            between_reviewers: (between.rows > 0).then_some(between),
            sampled: sampled.counted(),
        }
    }
}

/// Pairs of verdicts.
#[derive(Default)]
struct Pairs {
    counts: Confusion,
    rows: u64,
    agree: u64,
}

impl Pairs {
    fn add(&mut self, [one, other]: [Ruling; 2]) {
        let is = |ruling| ruling == Ruling::Violation;
        self.counts = self.counts.with(is(one), is(other), 1.0);
        self.rows += 1;
        self.agree += u64::from(one == other);
    }

    fn counted(&self) -> Counted {
        Counted { rows: self.rows, agree: self.agree, kappa: self.counts.kappa() }
    }
}
