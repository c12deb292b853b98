//! The policies' prefixes: in the cache, saved aside, or known as tokens alone.
//!
//! The one idea: a prefix that nobody decodes behind may give its cells to one that somebody waits for. What it held is
//! saved within a budget of memory, so that it comes back without being decoded again; and a [`Store`] may keep it for
//! another day. Items are not known here.

use std::collections::BTreeMap;

use super::backend::{Backend, Batch, Fault, FreeSequences, SeqId};
use super::sequence::Sequence;
use crate::tokenizer::Token;

/// Names a prefix of a [`super::schedule::Schedule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefixId(u64);

/// Keeps what prefixes held, for longer than the cache does.
pub trait Store {
    /// What a prefix held, if it is there.
    fn take(&mut self, tokens: &[Token]) -> Option<Vec<u8>>;

    /// Keeps what a prefix holds.
    fn put(&mut self, tokens: &[Token], state: &[u8]);
}

/// What the cache still has.
#[derive(Debug)]
pub(super) struct Room {
    /// Cells that are promised to nobody. Where each sequence has its own, they never run short.
    pub(super) cells: usize,
    /// Sequences that nobody holds.
    pub(super) free: FreeSequences,
    /// How many there would be, were those that are forked for answers back.
    pub(super) spare: usize,
}

impl Room {
    /// A sequence of one's own, with a claim to so many in all, and so many cells. They must be there.
    pub(super) fn take(&mut self, cells: usize, sequences: usize) -> Option<SeqId> {
        let seq = self.free.take()?;
        self.spare -= sequences;
        self.cells -= cells;
        Some(seq)
    }

    /// Takes note that they came back, with the sequences among the free ones again.
    pub(super) fn give(&mut self, cells: usize, sequences: usize) {
        self.spare += sequences;
        self.cells += cells;
    }
}

/// Why every prefix that somebody names is there.
const KNOWN: &str = "a prefix is removed once, after its last use";

/// All prefixes.
pub(super) struct Prefixes {
    all: BTreeMap<PrefixId, Prefix>,
    next: u64,
    /// Counts uses, to tell which is the longest ago.
    clock: u64,
    /// Bytes that saved states may take.
    budget: usize,
    store: Option<Box<dyn Store>>,
    /// Whether what they hold is saved at once, and kept for good.
    keep: bool,
}

struct Prefix {
    tokens: Vec<Token>,
    place: Place,
    /// What it held when it was last in the cache, byte for byte.
    saved: Option<Vec<u8>>,
    /// Items that are decoded behind it.
    users: usize,
    last_use: u64,
    /// A batch that it was part of failed, for a reason that is not known.
    suspect: bool,
}

enum Place {
    Nowhere,
    Decoding(Sequence),
    Here(SeqId),
}

impl Prefixes {
    pub(super) fn new(budget: usize) -> Self {
        Self { all: BTreeMap::new(), next: 0, clock: 0, budget, store: None, keep: false }
    }

    pub(super) fn use_store(&mut self, store: Box<dyn Store>) {
        self.store = Some(store);
    }

    /// From now on what they hold is saved at once, whatever the budget, for [`Self::renew`].
    pub(super) fn keep_saved(&mut self) {
        self.keep = true;
        self.budget = usize::MAX;
    }

    /// Empties the cache of all prefixes, which must have no users, and puts this one back as it was saved: so it stands where
    /// it always stands, and whatever is decoded behind it finds the same.
    pub(super) fn renew(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) -> Result<(), Fault> {
        let all: Vec<PrefixId> = self.all.keys().copied().collect();
        for other in all {
            self.leave(other, backend, room);
        }
        let prefix = self.known(id);
        let state = prefix.saved.as_ref().ok_or_else(|| Fault::Other("a prefix was not saved".to_owned()))?;
        let seq = room.take(prefix.tokens.len(), 1).ok_or(Fault::NoCells)?;
        let restored = backend.restore(state, seq);
        prefix.place = Place::Here(seq);
        if restored.is_err() {
            self.leave(id, backend, room);
        }
        restored
    }

    pub(super) fn add(&mut self, tokens: Vec<Token>) -> PrefixId {
        let id = PrefixId(self.next);
        self.next += 1;
        let prefix = Prefix { tokens, place: Place::Nowhere, saved: None, users: 0, last_use: 0, suspect: false };
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
        let prefix = &self.all[&id];
        match &prefix.place {
            Place::Nowhere if prefix.saved.is_none() => 0,
            Place::Decoding(sequence) => sequence.position,
            Place::Nowhere | Place::Here(_) => prefix.tokens.len(),
        }
    }

    /// Its sequence, if it is in the cache.
    pub(super) fn here(&self, id: PrefixId) -> Option<SeqId> {
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
            Place::Nowhere => {}
        }
        // Two sequences more than its own, for an item and a fork of it.
        if !self.make_room(self.length(id), 3, keep, backend, room) {
            return false;
        }
        let Some(seq) = room.take(self.length(id), 1) else { return false };
        let prefix = self.all.get_mut(&id).expect(KNOWN);
        let store = &mut self.store;
        let saved = prefix.saved.take().or_else(|| store.as_mut().and_then(|store| store.take(&prefix.tokens)));
        if let Some(state) = saved {
            if backend.restore(&state, seq).is_ok() {
                prefix.place = Place::Here(seq);
                prefix.saved = self.keep.then_some(state);
                return true;
            }
            // What cannot be read back can be decoded again.
            backend.clear(seq);
        }
        let mut sequence = Sequence::new(seq, 0);
        sequence.feed(&prefix.tokens, prefix.tokens.len());
        prefix.place = Place::Decoding(sequence);
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
            if let Place::Decoding(sequence) = &mut prefix.place {
                sequence.fill(batch);
            }
        }
    }

    /// Does so for the first of them alone.
    pub(super) fn fill_one(&mut self, batch: &mut Batch) {
        for prefix in self.all.values_mut() {
            if let Place::Decoding(sequence) = &mut prefix.place {
                return sequence.fill(batch);
            }
        }
    }

    /// Does so for one that was in a batch that failed, and must now be alone in it. False if there is none.
    pub(super) fn fill_suspect(&mut self, batch: &mut Batch) -> bool {
        let suspect =
            self.all.values_mut().filter(|prefix| prefix.suspect).find_map(|prefix| match &mut prefix.place {
                Place::Decoding(sequence) => Some(sequence),
                _ => None,
            });
        suspect.map(|sequence| sequence.fill(batch)).is_some()
    }

    /// Moves those into the cache whose tokens are all decoded, now that the batch is. Those that failed in that.
    pub(super) fn settle(&mut self, backend: &mut dyn Backend, room: &mut Room) -> Vec<(PrefixId, Fault)> {
        let mut failed = Vec::new();
        for (id, prefix) in &mut self.all {
            if let Place::Decoding(sequence) = &prefix.place
                && sequence.over()
            {
                let seq = sequence.seq;
                let wanted = self.keep || self.store.is_some();
                // The sliding layers hold stale cells, which forks would keep there.
                let done =
                    backend.compact(seq).and_then(|()| if wanted { backend.save(seq).map(Some) } else { Ok(None) });
                // What comes back from the store stands elsewhere, and is rounded otherwise: so does what goes there.
                let done = done.and_then(|state| {
                    if let Some((store, state)) = self.store.as_mut().zip(state.as_deref()) {
                        store.put(&prefix.tokens, state);
                        backend.clear(seq);
                        backend.restore(state, seq)?;
                    }
                    Ok(state)
                });
                match done {
                    Ok(state) => {
                        prefix.saved = state.filter(|_| self.keep);
                        prefix.place = Place::Here(seq);
                    }
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
            if let Place::Decoding(sequence) = &prefix.place
                && batch.entries().iter().any(|entry| entry.seq == sequence.seq)
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
        if self.keep {
            return self.leave(id, backend, room);
        }
        let saved = self.here(id).and_then(|seq| backend.save(seq).ok());
        self.leave(id, backend, room);
        let Some(saved) = saved.filter(|saved| saved.len() <= self.budget) else { return };
        let mut taken = saved.len();
        self.known(id).saved = Some(saved);
        // The newest stays, then those that were used last.
        let mut others: Vec<(u64, PrefixId)> = self
            .all
            .iter()
            .filter(|(other, _)| **other != id)
            .map(|(other, prefix)| (prefix.last_use, *other))
            .collect();
        others.sort_unstable();
        for (_, other) in others.into_iter().rev() {
            if let Some(state) = &self.all[&other].saved {
                if taken + state.len() <= self.budget {
                    taken += state.len();
                } else {
                    self.known(other).saved = None;
                }
            }
        }
    }

    /// Gives back what a prefix holds of the cache.
    fn leave(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        let prefix = self.known(id);
        let seq = match &prefix.place {
            Place::Here(seq) => *seq,
            Place::Decoding(sequence) => sequence.seq,
            Place::Nowhere => return,
        };
        backend.clear(seq);
        room.free.give(seq);
        room.give(prefix.tokens.len(), 1);
        prefix.place = Place::Nowhere;
    }

    fn known(&mut self, id: PrefixId) -> &mut Prefix {
        self.all.get_mut(&id).expect(KNOWN)
    }
}
