//! The choice of texts for the review queue: the reasons, and the item of a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::calibration::certificate::Decision;
use crate::content::Content;
use crate::label::row::Row;
use crate::policy::{Policy, PolicyLibrary, Severity, Verdict};
use crate::review::item::{Found, Item, Reason, new_id, now};
use crate::serve::judges::JudgeOptions;
use crate::serve::policies::Served;

/// The threshold of a policy without one.
const HALF: f64 = 0.5;

/// Shipped policies whose texts may harm their readers.
const SEVERE: [&str; 10] = [
    "graphic-violence",
    "harassment",
    "hate",
    "minors-safety",
    "self-harm",
    "sexual-content",
    "sexual-crimes",
    "teen-safety",
    "violence-and-threats",
    "violent-extremism",
];

/// A text on its way into the queue.
#[derive(Debug)]
pub struct Taken {
    /// The item.
    pub item: Item,
    /// The shadow policy that is to judge it.
    pub beside: Option<Beside>,
    /// Its room among the texts that wait.
    pub room: Room,
}

/// A text that a shadow policy is to judge, by the settings of a request.
#[derive(Debug)]
pub struct Beside {
    /// The policy.
    pub policy: Arc<Served>,
    /// The settings.
    pub options: Arc<JudgeOptions>,
    /// The text.
    pub content: Content,
}

/// The room of a text that waits. It is free again once this is dropped.
#[derive(Debug)]
pub struct Room {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes bytes of the room for texts that wait. `None` if too few are left.
    pub fn of(waiting: &Arc<AtomicUsize>, bytes: usize, most: usize) -> Option<Self> {
        let room = Self { waiting: Arc::clone(waiting), bytes };
        (waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= most).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Beside {
    /// Asks a shadow policy. A certificate is of the served policy, and left out.
    #[must_use]
    pub fn new(policy: &Arc<Served>, options: &Arc<JudgeOptions>, content: Content) -> Self {
        let options = match options.certificate {
            None => Arc::clone(options),
            Some(_) => Arc::new(JudgeOptions { certificate: None, ..JudgeOptions::clone(options) }),
        };
        Self { policy: Arc::clone(policy), options, content }
    }
}

impl Taken {
    /// Returns the item and its room.
    #[must_use]
    pub fn split(self) -> (Item, Room) {
        (self.item, self.room)
    }

    /// Reports whether a person should look at the text.
    #[must_use]
    pub fn has_reason(&self) -> bool {
        !self.item.reasons.is_empty()
    }
}

/// Returns the reasons why a person should look at a text.
pub fn reasons(row: &Row, near: f64, is_sampled: bool) -> Vec<Reason> {
    let is_near = |probability: f64| (probability - row.threshold.unwrap_or(HALF)).abs() <= near;
    let asks = row.verdict == Some(Verdict::Review) || row.decision == Some(Decision::Review);
    let all = [
        (Reason::Unresolved, row.verdict.is_none()),
        (Reason::Review, row.verdict.is_some() && asks),
        (Reason::Near, row.verdict.is_some() && row.probability.is_some_and(is_near)),
        (Reason::Sample, is_sampled),
    ];
    all.into_iter().filter_map(|(reason, holds)| holds.then_some(reason)).collect()
}

/// Returns the item of a row.
pub fn item(served: &Served, row: &Row, text: String, reasons: Vec<Reason>) -> Item {
    Item {
        id: new_id("item_"),
        time: now(),
        policy: served.policy.id.clone(),
        digest: served.digest.clone(),
        title: served.policy.title.clone(),
        text,
        verdict: Found::from(row.verdict),
        category: row.category.clone(),
        probability: row.probability,
        threshold: row.threshold.unwrap_or(HALF),
        rationale: row.rationale.clone(),
        reasons,
        shadow: None,
        expected: None,
        severe: severe(&served.policy),
    }
}

/// Reports whether the texts of a policy may harm their readers. Of a policy that is not shipped, the severities of its
/// categories tell it.
#[must_use]
pub fn severe(policy: &Policy) -> bool {
    if PolicyLibrary::shipped().ids().any(|id| id == policy.id) {
        return SEVERE.contains(&policy.id.as_str());
    }
    policy.categories().iter().any(|category| category.severity >= Some(Severity::High))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(more: &serde_json::Value) -> Row {
        let mut row = serde_json::json!({ "status": "ok", "policy": { "id": "p" } });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn a_text_is_taken_for_each_reason_that_holds() {
        use Reason::{Near, Review, Sample, Unresolved};
        for (more, is_sampled, wanted) in [
            (serde_json::json!({ "verdict": "safe", "probability": 0.1 }), false, vec![]),
            (serde_json::json!({ "verdict": "safe", "probability": 0.1 }), true, vec![Sample]),
            (serde_json::json!({ "verdict": "violation", "probability": 0.6 }), true, vec![Near, Sample]),
            (serde_json::json!({ "verdict": "safe", "probability": 0.85, "threshold": 0.9 }), false, vec![Near]),
            (serde_json::json!({ "verdict": "safe", "probability": 0.5, "threshold": 0.9 }), false, vec![]),
            (serde_json::json!({ "verdict": "safe", "decision": "review" }), false, vec![Review]),
            (serde_json::json!({ "verdict": "safe", "decision": "auto" }), false, vec![]),
            (serde_json::json!({ "verdict": "review", "probability": 0.1 }), false, vec![Review]),
            (serde_json::json!({ "status": "unresolved", "decision": "review" }), true, vec![Unresolved, Sample]),
        ] {
            assert_eq!(reasons(&row(&more), 0.1, is_sampled), wanted, "{more}");
        }
    }

    #[test]
    fn texts_that_wait_have_a_limit_and_give_their_room_back() {
        let waiting = Arc::default();
        let one = Room::of(&waiting, 6, 10).unwrap();
        assert!(Room::of(&waiting, 5, 10).is_none());
        let _two = Room::of(&waiting, 4, 10).unwrap();
        drop(one);
        assert!(Room::of(&waiting, 6, 10).is_some());
    }

    #[test]
    fn a_policy_is_severe_by_its_name_or_its_severities() {
        let shipped = PolicyLibrary::shipped();
        assert!(severe(shipped.get("self-harm").unwrap()) && !severe(shipped.get("spam").unwrap()));
        let own = |id: &str, policy: &Policy| severe(&Policy { id: id.to_owned(), ..policy.clone() });
        assert!(own("house", shipped.get("spam").unwrap()), "it has a severity of high");
    }
}
