//! Policy prefixes: resident in the KV cache, saved to memory, or not decoded yet.
//!
//! A prefix without users gives its cells to one that a job waits for. Its state is saved within a budget of memory, so
//! it returns without being decoded again. A [`Store`] may also keep it for later processes. Items are not known here.

use std::collections::BTreeMap;

use super::backend::{Backend, Batch, Fault, FreeSequences, SeqId};
use super::sequence::Sequence;
use crate::tokenizer::Token;

/// The number of a prefix in a [`super::schedule::Schedule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefixId(pub(super) u64);

/// A store of decoded prefixes that outlives the KV cache.
pub trait Store {
    /// Returns the state of a prefix, as [`Backend::save`] made it. `None` if it is missing or damaged.
    fn take(&mut self, tokens: &[Token]) -> Option<Vec<u8>>;

    /// Stores the state of a prefix, with the windows at some of its lengths. Nothing reports a failure: the prefix is then
    /// decoded again.
    fn put(&mut self, tokens: &[Token], state: &[u8], windows: &[Window]);

    /// Returns the state of a stored prefix that begins as this one does, up to a length that has a window. `None` if no
    /// such prefix is stored.
    fn begin(&mut self, tokens: &[Token]) -> Option<Beginning>;
}

/// The window of a sequence at one length, as [`Backend::window`] made it.
pub type Window = (usize, Vec<u8>);

/// The state of a stored prefix whose beginning another prefix shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The state of the stored prefix, as [`Backend::save`] made it.
    pub state: Vec<u8>,
    /// The windows at the lengths that both prefixes share, in order. There is at least one.
    pub windows: Vec<Window>,
}

/// The distance of the lengths whose windows are stored, in tokens. After a change at most this many are decoded twice.
const STRIDE: usize = 128;

/// The free part of the KV cache.
///
/// Reservations and sequences are counted apart. A fork that scores answers takes a sequence out of `free`, but only
/// for a short time, so it leaves `unreserved` as it is.
#[derive(Debug)]
pub(super) struct Room {
    /// Cells that are not reserved. In the split layout they never run short.
    pub(super) cells: usize,
    /// Sequences that are free now.
    pub(super) free: FreeSequences,
    /// Sequences that are not reserved, those of short-lived forks included.
    pub(super) unreserved: usize,
}

impl Room {
    /// Takes one sequence, and reserves `cells` cells and `sequences` sequences in all. The caller has checked that
    /// there are as many.
    pub(super) fn take(&mut self, cells: usize, sequences: usize) -> Option<SeqId> {
        let seq = self.free.take()?;
        self.unreserved -= sequences;
        self.cells -= cells;
        Some(seq)
    }

    /// Ends a reservation. The caller has already given the sequences themselves back.
    pub(super) fn give(&mut self, cells: usize, sequences: usize) {
        self.unreserved += sequences;
        self.cells += cells;
    }
}

/// The reason why every named prefix exists.
const KNOWN: &str = "a prefix is removed once, after its last use";

/// All prefixes of a schedule.
pub(super) struct Prefixes {
    all: BTreeMap<PrefixId, Prefix>,
    next: u64,
    /// Counts uses. It orders prefixes by their last use.
    clock: u64,
    /// Most bytes of saved states.
    budget: usize,
    store: Option<Box<dyn Store>>,
    /// Saves each state directly after decoding, and keeps it.
    keep: bool,
}

struct Prefix {
    tokens: Vec<Token>,
    place: Place,
    /// The state when it was last resident, byte for byte.
    saved: Option<Vec<u8>>,
    /// The windows at lengths that were restored, for the store.
    windows: Vec<Window>,
    /// The number of sessions that have it.
    sessions: usize,
    /// The number of items that are decoded behind it.
    users: usize,
    last_use: u64,
    /// True if it was part of a batch that failed for an unknown reason.
    suspect: bool,
}

/// Where the state of a prefix is.
enum Place {
    /// Outside the KV cache: its cells are free.
    Absent,
    Decoding(Sequence),
    Resident(SeqId),
}

impl Prefixes {
    /// Makes an empty set whose saved states take at most `budget` bytes of memory.
    pub(super) fn new(budget: usize) -> Self {
        Self { all: BTreeMap::new(), next: 0, clock: 0, budget, store: None, keep: false }
    }

    pub(super) fn use_store(&mut self, store: Box<dyn Store>) {
        self.store = Some(store);
    }

    /// Saves each state directly after decoding, without a budget. [`Self::reload`] needs it.
    pub(super) fn keep_saved(&mut self) {
        self.keep = true;
        self.budget = usize::MAX;
    }

    /// Evicts all prefixes, which must have no users, and restores this one from its saved state.
    ///
    /// It then lies at the same cells every time, so results behind it are equal to the last bit.
    pub(super) fn reload(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) -> Result<(), Fault> {
        let all: Vec<PrefixId> = self.all.keys().copied().collect();
        for other in all {
            self.evict(other, backend, room);
        }
        let prefix = self.known(id);
        let state = prefix.saved.as_ref().ok_or_else(|| Fault::Other("a prefix was not saved".to_owned()))?;
        let seq = room.take(prefix.tokens.len(), 1).ok_or(Fault::NoCells)?;
        let restored = backend.restore(state, seq);
        prefix.place = Place::Resident(seq);
        if restored.is_err() {
            self.evict(id, backend, room);
        }
        restored
    }

    /// Adds a prefix for a session. Sessions with the same tokens share one.
    pub(super) fn add(&mut self, tokens: Vec<Token>) -> PrefixId {
        if let Some((id, prefix)) = self.all.iter_mut().find(|(_, prefix)| prefix.tokens == tokens) {
            prefix.sessions += 1;
            return *id;
        }
        let id = PrefixId(self.next);
        self.next += 1;
        let (place, saved) = (Place::Absent, None);
        let windows = Vec::new();
        let prefix = Prefix { tokens, place, saved, windows, sessions: 1, users: 0, last_use: 0, suspect: false };
        self.all.insert(id, prefix);
        id
    }

    /// Takes a prefix from a session. Returns true if that was the last one.
    pub(super) fn release(&mut self, id: PrefixId) -> bool {
        let prefix = self.known(id);
        prefix.sessions -= 1;
        prefix.sessions == 0
    }

    /// Removes a prefix that has no users.
    pub(super) fn remove(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        self.evict(id, backend, room);
        self.all.remove(&id);
    }

    /// Returns the number of tokens of a prefix.
    pub(super) fn length(&self, id: PrefixId) -> usize {
        self.all[&id].tokens.len()
    }

    /// Returns the number of decoded tokens. A saved prefix counts as decoded.
    pub(super) fn decoded(&self, id: PrefixId) -> usize {
        let prefix = &self.all[&id];
        match &prefix.place {
            Place::Absent if prefix.saved.is_none() => 0,
            Place::Decoding(sequence) => sequence.position,
            Place::Absent | Place::Resident(_) => prefix.tokens.len(),
        }
    }

    /// Returns the sequence of a resident prefix.
    pub(super) fn resident(&self, id: PrefixId) -> Option<SeqId> {
        match self.all[&id].place {
            Place::Resident(seq) => Some(seq),
            _ => None,
        }
    }

    /// Adds a user. A prefix with users is not evicted.
    pub(super) fn add_user(&mut self, id: PrefixId) {
        self.clock += 1;
        let clock = self.clock;
        let prefix = self.known(id);
        prefix.users += 1;
        prefix.last_use = clock;
    }

    /// Removes a user.
    pub(super) fn remove_user(&mut self, id: PrefixId) {
        self.known(id).users -= 1;
    }

    /// Makes a prefix resident, or starts to decode it, if there is room without evicting those in `keep`. Returns true
    /// once it is resident.
    ///
    /// It may read a saved state from memory or from the store, which is why it is the one slow step of admission.
    pub(super) fn load(&mut self, id: PrefixId, keep: &[PrefixId], backend: &mut dyn Backend, room: &mut Room) -> bool {
        match self.all[&id].place {
            Place::Resident(_) => return true,
            Place::Decoding(_) => return false,
            Place::Absent => {}
        }
        // Three sequences: its own, one for an item and one for a fork of that. With fewer no item could ever use it.
        if !self.make_room(self.length(id), 3, keep, backend, room) {
            return false;
        }
        let Some(seq) = room.take(self.length(id), 1) else { return false };
        let prefix = self.all.get_mut(&id).expect(KNOWN);
        let store = &mut self.store;
        // The copy in memory is given up here, as eviction saves the state again.
        let saved = prefix.saved.take().or_else(|| store.as_mut().and_then(|store| store.take(&prefix.tokens)));
        if let Some(state) = saved {
            if backend.restore(&state, seq).is_ok() {
                prefix.place = Place::Resident(seq);
                prefix.saved = self.keep.then_some(state);
                return true;
            }
            // A state that cannot be restored is no loss: the prefix is decoded below.
            backend.clear(seq);
        }
        prefix.windows.clear();
        // One by one, a result must not depend on what is stored.
        if !self.keep
            && !prefix.suspect
            && let Some(Beginning { state, windows }) = store.as_mut().and_then(|store| store.begin(&prefix.tokens))
            && let Some((length, window)) = windows.last()
        {
            match backend.restore_part(&state, *length, window, seq) {
                Ok(()) => prefix.windows = windows,
                Err(_) => backend.clear(seq),
            }
        }
        let begun = prefix.windows.last().map_or(0, |(length, _)| *length);
        let mut sequence = Sequence::new(seq, begun);
        // No logits are wanted: the first ones that matter are behind a content.
        sequence.feed(&prefix.tokens[begun..], prefix.tokens.len());
        prefix.place = Place::Decoding(sequence);
        false
    }

    /// Frees cells and sequences by evicting prefixes without users, the least recently used first. Returns false, and
    /// evicts none, if that would not suffice. Prefixes in `keep` stay.
    pub(super) fn make_room(
        &mut self,
        cells: usize,
        sequences: usize,
        keep: &[PrefixId],
        backend: &mut dyn Backend,
        room: &mut Room,
    ) -> bool {
        if room.cells >= cells && room.unreserved >= sequences {
            return true;
        }
        let idle = |id: &PrefixId, prefix: &Prefix| {
            !keep.contains(id) && prefix.users == 0 && matches!(prefix.place, Place::Resident(_))
        };
        let mut idle: Vec<(u64, PrefixId, usize)> = self
            .all
            .iter()
            .filter(|(id, prefix)| idle(id, prefix))
            .map(|(id, prefix)| (prefix.last_use, *id, prefix.tokens.len()))
            .collect();
        let to_gain: usize = idle.iter().map(|(_, _, length)| length).sum();
        // Evicting some of them in vain would only cost their decoding later.
        if room.cells + to_gain < cells || room.unreserved + idle.len() < sequences {
            return false;
        }
        idle.sort_unstable();
        for (_, id, _) in idle {
            if room.cells >= cells && room.unreserved >= sequences {
                break;
            }
            self.save_and_evict(id, backend, room);
        }
        true
    }

    /// Adds the tokens of prefixes that are being decoded to a batch, as far as there is room.
    pub(super) fn fill(&mut self, batch: &mut Batch) {
        // In the order of their numbers: the first prefix is whole, and its jobs begin, before the next gets room.
        for prefix in self.all.values_mut() {
            if let Place::Decoding(sequence) = &mut prefix.place {
                sequence.fill(batch);
            }
        }
    }

    /// Adds the tokens of the first such prefix alone.
    pub(super) fn fill_one(&mut self, batch: &mut Batch) {
        for prefix in self.all.values_mut() {
            if let Place::Decoding(sequence) = &mut prefix.place {
                return sequence.fill(batch);
            }
        }
    }

    /// Adds the tokens of a prefix that was part of a failed batch, which must now be alone in its batch. Returns false
    /// if no prefix is suspect.
    pub(super) fn fill_suspect(&mut self, batch: &mut Batch) -> bool {
        let suspect =
            self.all.values_mut().filter(|prefix| prefix.suspect).find_map(|prefix| match &mut prefix.place {
                Place::Decoding(sequence) => Some(sequence),
                _ => None,
            });
        suspect.map(|sequence| sequence.fill(batch)).is_some()
    }

    /// Makes prefixes resident whose tokens are all decoded, now that the batch is. Returns those that failed.
    pub(super) fn finish_decoding(&mut self, backend: &mut dyn Backend, room: &mut Room) -> Vec<(PrefixId, Fault)> {
        let mut failed = Vec::new();
        for (id, prefix) in &mut self.all {
            if let Place::Decoding(sequence) = &prefix.place
                && sequence.over()
            {
                let seq = sequence.seq;
                let wanted = self.keep || self.store.is_some();
                if self.store.is_some() {
                    save_windows(prefix, seq, backend, room);
                }
                // Without compaction each fork would keep cells of the sliding layers that left the window.
                let done =
                    backend.compact(seq).and_then(|()| if wanted { backend.save(seq).map(Some) } else { Ok(None) });
                // A state from the store lies at other cells than a decoded one, and is rounded differently. So a state
                // that goes into the store is read back at once: the first process and later ones compute the same.
                let done = done.and_then(|state| {
                    if let Some((store, state)) = self.store.as_mut().zip(state.as_deref()) {
                        store.put(&prefix.tokens, state, &std::mem::take(&mut prefix.windows));
                        backend.clear(seq);
                        backend.restore(state, seq)?;
                    }
                    Ok(state)
                });
                match done {
                    Ok(state) => {
                        prefix.saved = state.filter(|_| self.keep);
                        prefix.place = Place::Resident(seq);
                    }
                    Err(fault) => failed.push((*id, fault)),
                }
                prefix.suspect = false;
            }
        }
        for (id, _) in &failed {
            self.evict(*id, backend, room);
        }
        failed
    }

    /// Restarts the prefixes that had tokens in a failed batch, as suspects. Returns them.
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
            self.evict(*id, backend, room);
        }
        hit
    }

    /// Saves the state of a prefix within the budget, and frees its cells.
    fn save_and_evict(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        if self.keep {
            // Its state was saved when it was decoded.
            return self.evict(id, backend, room);
        }
        // A state that cannot be saved only costs its decoding later.
        let saved = self.resident(id).and_then(|seq| backend.save(seq).ok());
        self.evict(id, backend, room);
        let Some(saved) = saved.filter(|saved| saved.len() <= self.budget) else { return };
        let mut taken = saved.len();
        self.known(id).saved = Some(saved);
        // This state stays. Of the others the most recently used stay, as far as the budget goes.
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

    /// Frees the cells and the sequence of a prefix.
    fn evict(&mut self, id: PrefixId, backend: &mut dyn Backend, room: &mut Room) {
        let prefix = self.known(id);
        let seq = match &prefix.place {
            Place::Resident(seq) => *seq,
            Place::Decoding(sequence) => sequence.seq,
            Place::Absent => return,
        };
        backend.clear(seq);
        room.free.give(seq);
        room.give(prefix.tokens.len(), 1);
        prefix.place = Place::Absent;
    }

    fn known(&mut self, id: PrefixId) -> &mut Prefix {
        self.all.get_mut(&id).expect(KNOWN)
    }
}

/// Saves the windows of a decoded prefix that are still whole, before it is compacted. Windows that were restored stay.
fn save_windows(prefix: &mut Prefix, seq: SeqId, backend: &mut dyn Backend, room: &mut Room) {
    let Some(scratch) = room.free.take() else { return };
    let begun = prefix.windows.last().map_or(0, |(length, _)| *length);
    for length in (begun + STRIDE..prefix.tokens.len()).step_by(STRIDE) {
        // A window that is missing only costs time later.
        if let Ok(Some(window)) = backend.window(seq, length, scratch) {
            prefix.windows.push((length, window));
        }
    }
    room.free.give(scratch);
}
