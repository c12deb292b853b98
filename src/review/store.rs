//! The store of a review queue: items and decisions are added, listed, and deleted when they are old.
//!
//! Texts stay on the disk. Memory has about 200 bytes for each item, and the decisions.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::agreement::Agreement;
use super::folder::Folder;
use super::index::{Entry, Index};
use super::item::{Decision, Item, Line, Reason, Retraction, now};
use super::journal::{Journal, Place};

/// The most items of a queue.
pub const MOST_ITEMS: usize = 200_000;
/// The most bytes of items.
const MOST_BYTES: u64 = 4 << 30;
/// The most bytes of items that a list has, apart from its first item.
const MOST_LISTED: usize = 8 << 20;

/// The review queue of a server.
#[derive(Debug)]
pub struct Store {
    /// Holds the lock.
    _folder: Folder,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    items: Journal,
    decisions: Journal,
    index: Index,
}

/// The states of items that a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listed {
    /// Items without a decision, the oldest first.
    #[default]
    Open,
    /// Items with a decision, the last decided first.
    Decided,
    /// All: the open ones, then the decided ones.
    All,
}

/// The items that a list is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The policy's id. `None` for all.
    pub policy: Option<String>,
    /// A reason that the items have. `None` for all.
    pub reason: Option<Reason>,
    /// The state of the items.
    pub state: Listed,
    /// The most items.
    pub limit: usize,
}

/// A list of items.
#[derive(Debug, Default)]
pub struct Page {
    /// Each item, with its last decision.
    pub items: Vec<(Item, Option<Decision>)>,
    /// The open items of the query's policy and reason.
    pub open: usize,
    /// The decided ones.
    pub decided: usize,
    /// The open items of each policy.
    pub policies: Vec<(String, usize)>,
}

/// The reason why a queue does not take or change something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It has as many items as it may have.
    #[error("the review queue is full")]
    Full,
    /// No item, or no decision, has this id.
    #[error("the review queue has no such entry")]
    Missing,
    /// The decision is another reviewer's.
    #[error("the decision is that of another reviewer")]
    Foreign,
    /// The folder cannot be used.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Store {
    /// Opens the queue in a folder, or makes one.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = Folder::open(path)?;
        let mut index = Index::default();
        let items = Journal::open(&folder.items(), |place, line| index.add(place, line))?;
        let decisions = Journal::open(&folder.decisions(), |_, line| index.apply(line))?;
        Ok(Self { _folder: folder, inner: Mutex::new(Inner { items, decisions, index }) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds items.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`], or an I/O error. Nothing is added then.
    pub fn add(&self, items: &[Item]) -> Result<(), StoreError> {
        let lines = items.iter().map(line).collect::<io::Result<Vec<_>>>()?;
        let mut inner = self.lock();
        let inner = &mut *inner;
        let bytes = lines.iter().map(|line| line.len() as u64).sum::<u64>();
        if inner.index.len() + items.len() > MOST_ITEMS || inner.items.length() + bytes > MOST_BYTES {
            return Err(StoreError::Full);
        }
        let mut offset = inner.items.append(&lines.concat())?;
        for line in &lines {
            inner.index.add(Place { offset, length: line.len() }, line);
            offset += line.len() as u64;
        }
        Ok(())
    }

    /// Adds a decision. Returns the number of open items.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] if the item is not in the queue, or an I/O error.
    pub fn decide(&self, decision: &Decision) -> Result<usize, StoreError> {
        let mut inner = self.lock();
        inner.index.get(&decision.item).ok_or(StoreError::Missing)?;
        inner.decisions.append(&line(&Line::Decision(decision.clone()))?)?;
        inner.index.decide(decision.clone());
        Ok(inner.open())
    }

    /// Retracts a decision. Returns the number of open items.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] if there is no such decision, [`StoreError::Foreign`] if it is not this reviewer's, or
    /// an I/O error.
    pub fn retract(&self, decision: &str, reviewer: Option<&str>) -> Result<usize, StoreError> {
        let mut inner = self.lock();
        let found = inner.index.decision(decision).ok_or(StoreError::Missing)?;
        if reviewer.is_some_and(|reviewer| reviewer != found.reviewer) {
            return Err(StoreError::Foreign);
        }
        let retraction = Retraction { retracted: found.id.clone(), item: found.item.clone(), time: now() };
        inner.decisions.append(&line(&Line::Retraction(retraction.clone()))?)?;
        inner.index.retract(&retraction.item, decision);
        Ok(inner.open())
    }

    /// Returns the id of the policy of an item.
    #[must_use]
    pub fn policy_of(&self, item: &str) -> Option<String> {
        self.lock().index.get(item).map(|entry| entry.policy.as_ref().to_owned())
    }

    /// Lists items.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn list(&self, query: &Query) -> io::Result<Page> {
        let inner = self.lock();
        let mut page = Page::default();
        let (mut open, mut decided): (Vec<&Entry>, Vec<&Entry>) = (Vec::new(), Vec::new());
        for (_, entry) in inner.index.iter() {
            page.count(entry);
            let of_policy = query.policy.as_deref().is_none_or(|policy| *entry.policy == *policy);
            if of_policy && query.reason.is_none_or(|reason| entry.has(reason)) {
                (if entry.is_open() { &mut open } else { &mut decided }).push(entry);
            }
        }
        (page.open, page.decided) = (open.len(), decided.len());
        decided.sort_by(|one, other| last_id(other).cmp(last_id(one)));
        let wanted = match query.state {
            Listed::Open => open,
            Listed::Decided => decided,
            Listed::All => [open, decided].concat(),
        };
        let mut bytes = 0;
        for entry in wanted.into_iter().take(query.limit) {
            bytes += entry.place.length;
            if bytes > MOST_LISTED && !page.items.is_empty() {
                break;
            }
            let item = serde_json::from_slice(&inner.items.read(entry.place)?)?;
            page.items.push((item, entry.decisions.last().cloned()));
        }
        Ok(page)
    }

    /// Counts how reviewers agree, about the items of a policy or all of them.
    #[must_use]
    pub fn agreement(&self, policy: Option<&str>) -> Agreement {
        Agreement::of(&self.lock().index, policy)
    }

    /// Deletes the items that are older than a time, and their decisions. Returns their number.
    ///
    /// # Errors
    ///
    /// An I/O error. No item is deleted from the list then, and the next try deletes the rest.
    pub fn expire(&self, before: u64) -> io::Result<usize> {
        let mut inner = self.lock();
        let old = inner.index.iter().filter(|(_, entry)| entry.time < before).count();
        if old == 0 {
            return Ok(0);
        }
        let Inner { items, decisions, index } = &mut *inner;
        let mut kept = Index::default();
        items.retain(|place, line| {
            let is_new = serde_json::from_slice::<Dated>(line).is_ok_and(|dated| dated.time >= before);
            if is_new {
                kept.add(place, line);
            }
            is_new
        })?;
        kept.take_decisions(index);
        *index = kept;
        // Decisions about items that are gone count nowhere, even if this fails.
        let is_about_kept = |about: About| index.get(&about.item).is_some();
        decisions.retain(|_, line| serde_json::from_slice(line).is_ok_and(is_about_kept))?;
        Ok(old)
    }
}

/// The time of an item.
#[derive(serde::Deserialize)]
struct Dated {
    time: u64,
}

/// The item of a decision or of a retraction.
#[derive(serde::Deserialize)]
struct About {
    item: String,
}

impl Inner {
    fn open(&self) -> usize {
        self.index.iter().filter(|(_, entry)| entry.is_open()).count()
    }
}

impl Page {
    /// Counts an item for its policy.
    fn count(&mut self, entry: &Entry) {
        let place = self.policies.iter().position(|(policy, _)| **policy == *entry.policy).unwrap_or_else(|| {
            self.policies.push((entry.policy.as_ref().to_owned(), 0));
            self.policies.len() - 1
        });
        self.policies[place].1 += usize::from(entry.is_open());
    }
}

/// Returns the id of the last decision. Later ids are greater.
fn last_id(entry: &Entry) -> &str {
    entry.decisions.last().map_or("", |decision| &decision.id)
}

/// Returns the line of a value.
fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
