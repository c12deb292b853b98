//! The decided items of a folder, for programs that only read it. A server may write it meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::folder::{DECISIONS, ITEMS};
use super::index::{Entry, Index, Settled};
use super::item::{Decision, Item, Reason};
use super::journal;

/// A folder that is open for reading.
#[derive(Debug)]
pub struct Reader {
    items: File,
    index: Index,
}

/// A decided item.
#[derive(Debug)]
pub struct Decided {
    /// The item.
    pub item: Item,
    /// The last decision.
    pub decision: Decision,
    /// The category, if it was named and no other reviewer named another.
    pub category: Option<String>,
}

/// The selection of decided items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'id> {
    /// The policy's id. `None` for all.
    pub policy: Option<&'id str>,
    /// A reason that the items have. `None` for all.
    pub reason: Option<Reason>,
}

/// The numbers of selected items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items that are decided.
    pub decided: u64,
    /// Items about which reviewers have different verdicts.
    pub disputed: u64,
    /// Items that nobody has decided.
    pub open: u64,
}

/// Reports whether a path is the folder of a review queue.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    path.join(ITEMS).is_file()
}

/// Returns the path of the items in a folder.
#[must_use]
pub fn items(folder: &Path) -> PathBuf {
    folder.join(ITEMS)
}

/// Returns the path of the decisions in a folder.
#[must_use]
pub fn decisions(folder: &Path) -> PathBuf {
    folder.join(DECISIONS)
}

impl Reader {
    /// Reads the journals of a folder.
    ///
    /// # Errors
    ///
    /// An I/O error: the folder has no queue, or it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut index = Index::default();
        let items = File::open(path.join(ITEMS))?;
        journal::scan(&items, |place, line| index.add(place, line))?;
        match File::open(path.join(DECISIONS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => drop(journal::scan(&opened?, |_, line| index.apply(line))?),
        }
        Ok(Self { items, index })
    }

    /// Counts the selected items.
    #[must_use]
    pub fn counts(&self, wanted: Wanted<'_>) -> Counts {
        self.selected(wanted).fold(Counts::default(), |mut counts, entry| {
            *match entry.settled() {
                Settled::Open => &mut counts.open,
                Settled::Decided(_) => &mut counts.decided,
                Settled::Disputed => &mut counts.disputed,
            } += 1;
            counts
        })
    }

    /// Reads the selected items that are decided, the oldest first.
    pub fn decided(&self, wanted: Wanted<'_>) -> impl Iterator<Item = io::Result<Decided>> {
        self.selected(wanted).filter_map(|entry| match entry.settled() {
            Settled::Decided(decision) => Some(self.read(entry, decision)),
            Settled::Open | Settled::Disputed => None,
        })
    }

    fn selected(&self, wanted: Wanted<'_>) -> impl Iterator<Item = &Entry> {
        let Wanted { policy, reason } = wanted;
        let is_wanted = move |entry: &&Entry| {
            policy.is_none_or(|policy| *entry.policy == *policy) && reason.is_none_or(|reason| entry.has(reason))
        };
        self.index.iter().map(|(_, entry)| entry).filter(is_wanted)
    }

    fn read(&self, entry: &Entry, decision: &Decision) -> io::Result<Decided> {
        let item = serde_json::from_slice(&journal::read(&self.items, entry.place)?)?;
        Ok(Decided { item, decision: decision.clone(), category: entry.category().map(str::to_owned) })
    }
}
