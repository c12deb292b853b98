//! The policies' prefixes: in the cache, saved aside, or known as tokens alone.
//!
//! The one idea: a prefix that nobody decodes behind may give its cells to one that somebody waits for. What it held is
//! saved within a budget of memory, so that it comes back without being decoded again. Items are not known here.

use std::collections::BTreeMap;

use super::backend::{Backend, Batch, Fault, Saved, Seq};
use super::lane::Lane;
use crate::tokenizer::Token;

/// Names a prefix of a [`super::schedule::Schedule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefixId(u64);

/// What the cache still has.
#[derive(Debug)]
pub(super) struct Room {
    /// Cells that are promised to nobody.
    pub(super) cells: usize,
    /// Sequences that nobody holds.
    pub(super) free: Vec<Seq>,
    /// How many there would be, were those that are forked for answers back.
    pub(super) spare: usize,
}

impl Room {
    /// A sequence of one's own, and so many cells. They must be there.
    pub(super) fn take(&mut self, cells: usize) -> Option<Seq> {
        let seq = self.free.pop()?;
        self.spare -= 1;
        self.cells -= cells;
        Some(seq)
    }

    /// Takes note that they came back, with the sequence among the free ones again.
    pub(super) fn give(&mut self, cells: usize) {
        self.spare += 1;
        self.cells += cells;
    }
}

/// All prefixes.
pub(super) struct Prefixes {
    all: BTreeMap<PrefixId, Prefix>,
    next: u64,
    /// Counts uses, to tell which is the longest ago.
    clock: u64,
    /// Bytes that saved states may take.
    budget: usize,
}

struct Prefix {
    tokens: Vec<Token>,
    place: Place,
    /// Items that are decoded behind it.
    users: usize,
    last_use: u64,
    /// A batch that it was part of failed, for a reason that is not known.
    suspect: bool,
}

enum Place {
    Nowhere,
    Saved(Saved),
    Decoding(Lane),
    Here(Seq),
}

impl Prefixes {
    pub(super) fn new(budget: usize) -> Self {
        Self { all: BTreeMap::new(), next: 0, clock: 0, budget }
    }

    pub(super) fn add(&mut self, tokens: Vec<Token>) -> PrefixId {
        let id = PrefixId(self.next);
        self.next += 1;
        let prefix = Prefix { tokens, place: Place::Nowhere, users: 0, last_use: 0, suspect: false };
        self.all.insert(id, prefix);
        id
    }

    /// Forgets a prefix that has no users.
    pub(super) fn remove(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        self.leave(id, backend, room);
        self.all.remove(&id);
    }

    /// Its tokens, all of them.
    pub(super) fn length(&self, id: PrefixId) -> usize {
        self.all[&id].tokens.len()
    }

    /// Its tokens that are decoded.
    pub(super) fn decoded(&self, id: PrefixId) -> usize {
        match &self.all[&id].place {
            Place::Nowhere => 0,
            Place::Decoding(lane) => lane.position,
            Place::Saved(_) | Place::Here(_) => self.length(id),
        }
    }

    /// Its sequence, if it is in the cache.
    pub(super) fn here(&self, id: PrefixId) -> Option<Seq> {
        match self.all[&id].place {
            Place::Here(seq) => Some(seq),
            _ => None,
        }
    }

    /// Counts one item more behind it: as long as there is one, it stays.
    pub(super) fn join(&mut self, id: PrefixId) {
        self.clock += 1;
        let clock = self.clock;
        let prefix = self.known(id);
        prefix.users += 1;
        prefix.last_use = clock;
    }

    /// Counts one item less behind it.
    pub(super) fn part(&mut self, id: PrefixId) {
        self.known(id).users -= 1;
    }

    /// Sees to it that a prefix comes into the cache, if there can be room for it beside those to `keep`. True once it is
    /// there.
    pub(super) fn bring(
        &mut self,
        id: PrefixId,
        keep: &[PrefixId],
        backend: &mut dyn Backend,
        room: &mut Room,
    ) -> bool {
        match self.all[&id].place {
            Place::Here(_) => return true,
            Place::Decoding(_) => return false,
            Place::Nowhere | Place::Saved(_) => {}
        }
        // Two sequences more than its own, for an item and a fork of it.
        if !self.make_room(self.length(id), 3, keep, backend, room) {
            return false;
        }
        let Some(seq) = room.take(self.length(id)) else { return false };
        let prefix = self.known(id);
        if let Place::Saved(state) = std::mem::replace(&mut prefix.place, Place::Nowhere) {
            if backend.restore(&state, seq).is_ok() {
                prefix.place = Place::Here(seq);
                return true;
            }
            // What cannot be read back can be decoded again.
            backend.clear(seq);
        }
        let mut lane = Lane::new(seq, 0);
        lane.feed(&prefix.tokens, prefix.tokens.len());
        prefix.place = Place::Decoding(lane);
        false
    }

    /// Frees cells and sequences, as many as are asked for, by sending away prefixes that nobody uses, the one longest out
    /// of use first. False, and nothing happens, if that would not do.
    ///
    /// None of those to `keep` is sent away.
    pub(super) fn make_room(
        &mut self,
        cells: usize,
        sequences: usize,
        keep: &[PrefixId],
        backend: &mut dyn Backend,
        room: &mut Room,
    ) -> bool {
        if room.cells >= cells && room.spare >= sequences {
            return true;
        }
        let idle = |id: &PrefixId, prefix: &Prefix| {
            !keep.contains(id) && prefix.users == 0 && matches!(prefix.place, Place::Here(_))
        };
        let mut idle: Vec<(u64, PrefixId, usize)> = self
            .all
            .iter()
            .filter(|(id, prefix)| idle(id, prefix))
            .map(|(id, prefix)| (prefix.last_use, *id, prefix.tokens.len()))
            .collect();
        let to_gain: usize = idle.iter().map(|(_, _, length)| length).sum();
        if room.cells + to_gain < cells || room.spare + idle.len() < sequences {
            return false;
        }
        idle.sort_unstable();
        for (_, id, _) in idle {
            if room.cells >= cells && room.spare >= sequences {
                break;
            }
            self.send_away(id, backend, room);
        }
        true
    }

    /// Puts the tokens of those that are being decoded into a batch, as many as there is room for.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        for prefix in self.all.values_mut() {
            if let Place::Decoding(lane) = &mut prefix.place {
                lane.fill(batch);
            }
        }
    }

    /// Does so for one that was in a batch that failed, and must now be alone in it. False if there is none.
    pub(super) fn fill_suspect(&mut self, batch: &mut Batch) -> bool {
        let suspect =
            self.all.values_mut().filter(|prefix| prefix.suspect).find_map(|prefix| match &mut prefix.place {
                Place::Decoding(lane) => Some(lane),
                _ => None,
            });
        suspect.map(|lane| lane.fill(batch)).is_some()
    }

    /// Moves those into the cache whose tokens are all decoded, now that the batch is. Those that failed in that.
    pub(super) fn settle(&mut self, backend: &mut dyn Backend, room: &mut Room) -> Vec<(PrefixId, Fault)> {
        let mut failed = Vec::new();
        for (id, prefix) in &mut self.all {
            if let Place::Decoding(lane) = &prefix.place
                && lane.over()
            {
                // The sliding layers hold stale cells, which forks would keep there.
                match backend.compact(lane.seq) {
                    Ok(()) => prefix.place = Place::Here(lane.seq),
                    Err(fault) => failed.push((*id, fault)),
                }
                prefix.suspect = false;
            }
        }
        for (id, _) in &failed {
            self.leave(*id, backend, room);
        }
        failed
    }

    /// Starts those over that had tokens in a batch that failed, as suspects, and tells which they are.
    pub(super) fn restart(&mut self, batch: &Batch, backend: &mut dyn Backend, room: &mut Room) -> Vec<PrefixId> {
        let mut hit = Vec::new();
        for (id, prefix) in &mut self.all {
            if let Place::Decoding(lane) = &prefix.place
                && batch.entries().iter().any(|entry| entry.seq == lane.seq)
            {
                prefix.suspect = true;
                hit.push(*id);
            }
        }
        for id in &hit {
            self.leave(*id, backend, room);
        }
        hit
    }

    /// Saves what a prefix holds, as far as the budget goes, and frees its cells.
    fn send_away(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        let saved = self.here(id).and_then(|seq| backend.save(seq).ok());
        self.leave(id, backend, room);
        let Some(saved) = saved.filter(|saved| saved.bytes <= self.budget) else { return };
        let mut taken = saved.bytes;
        self.known(id).place = Place::Saved(saved);
        // The newest stays, then those that were used last.
        let mut others: Vec<(u64, PrefixId)> = self
            .all
            .iter()
            .filter(|(other, _)| **other != id)
            .map(|(other, prefix)| (prefix.last_use, *other))
            .collect();
        others.sort_unstable();
        for (_, other) in others.into_iter().rev() {
            if let Place::Saved(state) = &self.all[&other].place {
                if taken + state.bytes <= self.budget {
                    taken += state.bytes;
                } else {
                    self.known(other).place = Place::Nowhere;
                }
            }
        }
    }

    /// Gives back what a prefix holds of the cache.
    fn leave(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        let prefix = self.known(id);
        let seq = match &prefix.place {
            Place::Here(seq) => *seq,
            Place::Decoding(lane) => lane.seq,
            Place::Nowhere | Place::Saved(_) => return,
        };
        backend.clear(seq);
        room.free.push(seq);
        room.give(prefix.tokens.len());
        prefix.place = Place::Nowhere;
    }

    fn known(&mut self, id: PrefixId) -> &mut Prefix {
        self.all.get_mut(&id).expect("a prefix is removed once, after its last use")
    }
}
