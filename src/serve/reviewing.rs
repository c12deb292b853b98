//! Reviewing: texts that a person should look at go from requests into the review queue.
//!
//! A request never waits for it: a text is handed over after its row is known, and a task of the server writes it. A
//! text is left out, and counted, if there is no room.

mod taking;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use self::taking::Room;
use super::judges::JudgeOptions;
use super::metrics::Metrics;
use super::policies::{Policies, Served};
use crate::content::Content;
use crate::label::row::{Row, Status};
use crate::policy::Policy;
use crate::review::item::{Item, now};
use crate::review::store::{Store, StoreError};

pub use taking::{Beside, Taken, severe};

/// The most bytes of a text in the queue.
pub const LONGEST: usize = 1 << 20;
/// The most bytes of texts that wait to be written.
const MOST_WAITING: usize = 32 << 20;
/// The bytes that a waiting text costs beside its own.
const COST: usize = 1 << 10;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// The settings of the review queue.
#[derive(Debug)]
pub struct ReviewConfig {
    /// The queue.
    pub store: Store,
    /// The share of texts that are taken at random, 0 to 1.
    pub sample: f64,
    /// The distance from the threshold below which a probability is doubtful, 0 to 1.
    pub near: f64,
    /// Shadow policies: each has the id of a served one.
    pub shadows: Vec<Policy>,
    /// The days after which items are deleted.
    pub days: u64,
}

/// The review queue of a server, and the way into it.
#[derive(Debug)]
pub struct Reviewing {
    /// The queue.
    pub store: Store,
    sample: f64,
    near: f64,
    shadows: Vec<Arc<Served>>,
    days: u64,
    /// Random numbers, by counting through a hash that nobody can predict.
    random: RandomState,
    count: AtomicU64,
    /// Bytes of texts that wait.
    waiting: Arc<AtomicUsize>,
    sender: UnboundedSender<Taken>,
    inbox: Mutex<Option<UnboundedReceiver<Taken>>>,
    has_failed: AtomicBool,
    end: watch::Sender<bool>,
}

impl Reviewing {
    /// Opens the way into a queue.
    ///
    /// # Errors
    ///
    /// A message if a shadow policy has the id of no served policy, or of another shadow.
    pub fn new(config: ReviewConfig, policies: &Policies) -> Result<Self, String> {
        let ReviewConfig { store, sample, near, shadows, days } = config;
        for (at, shadow) in shadows.iter().enumerate() {
            let id = &shadow.id;
            if shadows[..at].iter().any(|other| other.id == *id) {
                return Err(format!("two shadow policies have the id `{id}`"));
            }
            policies.now().find(id).map_err(|_| format!("the shadow policy `{id}` has the id of no served policy"))?;
        }
        let (sender, inbox) = unbounded_channel();
        Ok(Self {
            store,
            sample,
            near,
            shadows: shadows.into_iter().map(Served::named).map(Arc::new).collect(),
            days,
            random: RandomState::new(),
            count: AtomicU64::new(0),
            waiting: Arc::default(),
            sender,
            inbox: Mutex::new(Some(inbox)),
            has_failed: AtomicBool::new(false),
            end: watch::channel(false).0,
        })
    }

    /// Takes a text into the queue, if a person should look at it.
    pub fn take(
        &self,
        served: &Arc<Served>,
        row: &Row,
        content: &Content,
        options: &Arc<JudgeOptions>,
        metrics: &Metrics,
    ) {
        if !served.is_named || row.status == Status::Error {
            return;
        }
        let reasons = taking::reasons(row, self.near, self.is_sampled());
        let has_id = |shadow: &&Arc<Served>| shadow.policy.id == served.policy.id && shadow.digest != served.digest;
        let shadow = self.shadows.iter().find(has_id);
        if reasons.is_empty() && shadow.is_none() {
            return;
        }
        let bytes = content.text().len();
        if bytes > LONGEST {
            return metrics.review_lost("too_long");
        }
        let Some(room) = Room::of(&self.waiting, bytes + COST, MOST_WAITING) else {
            return metrics.review_lost("overloaded");
        };
        let item = taking::item(served, row, content.text().to_owned(), reasons);
        let beside = shadow.map(|shadow| Beside::new(shadow, options, content.clone()));
        // The task ends with the server alone.
        let _ = self.sender.send(Taken { item, beside, room });
    }

    /// Decides whether a text belongs to the random share.
    fn is_sampled(&self) -> bool {
        let number = self.random.hash_one(self.count.fetch_add(1, Ordering::Relaxed));
        #[allow(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        let drawn = (number >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < self.sample
    }

    /// Returns the texts that requests hand over. `None` from the second time on.
    pub fn inbox(&self) -> Option<UnboundedReceiver<Taken>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the task that writes texts, once it has written those that wait.
    pub fn stop(&self) {
        self.end.send_replace(true);
    }

    /// Waits for the end.
    pub async fn ended(&self) {
        let _ = self.end.subscribe().wait_for(|end| *end).await;
    }

    /// Deletes the items that are old enough.
    ///
    /// # Errors
    ///
    /// A message.
    pub fn expire(&self) -> Result<(), String> {
        let before = now().saturating_sub(self.days.saturating_mul(DAY));
        self.store.expire(before).map(drop).map_err(|error| error.kind().to_string())
    }

    /// Reports whether a failure is the first one.
    pub fn fails_first(&self) -> bool {
        !self.has_failed.swap(true, Ordering::Relaxed)
    }

    /// Adds an item at once.
    ///
    /// # Errors
    ///
    /// The errors of [`Store::add`].
    pub fn add(&self, item: &Item, metrics: &Metrics) -> Result<(), StoreError> {
        self.store.add(std::slice::from_ref(item))?;
        count(std::slice::from_ref(item), metrics);
        Ok(())
    }

    /// Writes items. A failure costs the items, and no request.
    ///
    /// # Errors
    ///
    /// A message.
    pub fn write(&self, items: &[Item], metrics: &Metrics) -> Result<(), String> {
        let error = match self.store.add(items) {
            Ok(()) => {
                count(items, metrics);
                return Ok(());
            }
            Err(error) => error,
        };
        let why = if matches!(error, StoreError::Full) { "full" } else { "storage" };
        for _ in items {
            metrics.review_lost(why);
        }
        match error {
            StoreError::Disk(error) => Err(error.kind().to_string()),
            other => Err(other.to_string()),
        }
    }
}

/// Counts items by their reasons.
fn count(items: &[Item], metrics: &Metrics) {
    items.iter().flat_map(|item| &item.reasons).for_each(|reason| metrics.reviewed(reason.word()));
}
