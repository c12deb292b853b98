//! The items of a review queue without their texts, and the decisions about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::item::{Decision, Found, Line, Reason, Ruling};
use super::journal::Place;

/// The items of a queue, the oldest first.
#[derive(Debug, Default)]
pub struct Index {
    entries: BTreeMap<String, Entry>,
}

/// An item without its text.
#[derive(Debug)]
pub struct Entry {
    /// The place of its line.
    pub place: Place,
    /// The time when it was judged, in seconds since 1970.
    pub time: u64,
    /// The policy's id.
    pub policy: Arc<str>,
    /// The verdict that it got.
    pub verdict: Found,
    /// A bit for each reason.
    reasons: u8,
    /// The decisions that were not retracted, in the order in which they were made.
    pub decisions: Vec<Decision>,
}

/// The state of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled<'entry> {
    /// Nobody has decided.
    Open,
    /// The last decision counts. No reviewer has another verdict.
    Decided(&'entry Decision),
    /// Reviewers have different verdicts.
    Disputed,
}

/// The part of an item's line that stays in memory.
#[derive(Deserialize)]
struct Head {
    id: String,
    time: u64,
    policy: Arc<str>,
    verdict: Found,
    reasons: Vec<Reason>,
}

impl Index {
    /// Adds an item by its line. A line that has no item is left out.
    pub fn add(&mut self, place: Place, line: &[u8]) {
        let Ok(Head { id, time, policy, verdict, reasons }) = serde_json::from_slice(line) else { return };
        let reasons = reasons.into_iter().fold(0, |bits, reason| bits | bit(reason));
        // Many items have the same policy, and share its id.
        let known = self.entries.last_key_value().map(|(_, entry)| &entry.policy).filter(|known| **known == policy);
        let policy = known.map_or(policy, Arc::clone);
        self.entries.insert(id, Entry { place, time, policy, verdict, reasons, decisions: Vec::new() });
    }

    /// Applies a line of the journal of decisions. A decision about an item that is gone is left out.
    pub fn apply(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Line::Decision(decision)) => self.decide(decision),
            Ok(Line::Retraction(retraction)) => self.retract(&retraction.item, &retraction.retracted),
            Err(_) => {}
        }
    }

    /// Adds a decision.
    pub fn decide(&mut self, decision: Decision) {
        if let Some(entry) = self.entries.get_mut(&decision.item) {
            entry.decisions.push(decision);
        }
    }

    /// Removes a decision.
    pub fn retract(&mut self, item: &str, decision: &str) {
        if let Some(entry) = self.entries.get_mut(item) {
            entry.decisions.retain(|other| other.id != decision);
        }
    }

    /// Takes the decisions of another index about the same items.
    pub fn take_decisions(&mut self, other: &mut Self) {
        for (id, entry) in &mut self.entries {
            if let Some(other) = other.entries.get_mut(id) {
                entry.decisions = std::mem::take(&mut other.decisions);
            }
        }
    }

    /// Returns an item.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Finds a decision that was not retracted.
    #[must_use]
    pub fn decision(&self, id: &str) -> Option<&Decision> {
        self.entries.values().flat_map(|entry| &entry.decisions).find(|decision| decision.id == id)
    }

    /// Iterates over all items, the oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(id, entry)| (id.as_str(), entry))
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Reports whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    /// Reports whether the item has a reason.
    #[must_use]
    pub fn has(&self, reason: Reason) -> bool {
        self.reasons & bit(reason) != 0
    }

    /// Reports whether nobody has decided.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.decisions.is_empty()
    }

    /// Returns the last decision of each reviewer, the latest first.
    #[must_use]
    pub fn of_reviewers(&self) -> Vec<&Decision> {
        let mut last: Vec<&Decision> = Vec::new();
        for decision in self.decisions.iter().rev() {
            if last.iter().all(|other| other.reviewer != decision.reviewer) {
                last.push(decision);
            }
        }
        last
    }

    /// Returns the state of the item.
    #[must_use]
    pub fn settled(&self) -> Settled<'_> {
        let last = self.of_reviewers();
        match last.as_slice() {
            [] => Settled::Open,
            [first, others @ ..] if others.iter().all(|other| other.verdict == first.verdict) => {
                Settled::Decided(first)
            }
            _ => Settled::Disputed,
        }
    }

    /// Returns the category of a settled item. `None` if it was not named, or if reviewers named different ones.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        let last = self.of_reviewers();
        let (first, others) = last.split_first()?;
        let code = first.category.as_deref()?;
        others.iter().all(|other| other.category.as_deref() == Some(code)).then_some(code)
    }

    /// Returns the verdicts of the last two reviewers, the earlier one first.
    #[must_use]
    pub fn pair(&self) -> Option<[Ruling; 2]> {
        match self.of_reviewers().as_slice() {
            [last, before, ..] => Some([before.verdict, last.verdict]),
            _ => None,
        }
    }
}

/// Returns the bit of a reason.
const fn bit(reason: Reason) -> u8 {
    1 << reason as u8
}
