//! Continuous batching: many items share each batch, and join and leave it at every step.
//!
//! The one idea: an item is admitted once all cells that it can ever come to fill are free, its forks' included, so the
//! cache is never asked for more than it has. Who waits longest goes first; others may overtake it only so often. Pure:
//! no llama.cpp, text, threads or clock are known here.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backend::{Backend, Batch, Fault, Layout, Limits};
use super::decode_plan::DecodePlan;
use super::item::{Completion, Item};
pub use super::prefixes::PrefixId;
use super::prefixes::{Prefixes, Room, Store};
use crate::tokenizer::Token;

/// Many items on one backend.
pub struct Schedule<'backend> {
    backend: &'backend mut dyn Backend,
    batch: Batch,
    room: Room,
    prefixes: Prefixes,
    /// The most items that are decoded at once.
    parallel: usize,
    waiting: VecDeque<Waiting>,
    /// The oldest first.
    active: Vec<Active>,
    ended: Vec<(JobId, JobResult)>,
    /// One item after the other, each from the very same state.
    alone: bool,
}

/// Names a job. Whoever submits it chooses the number, each only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What became of a job: a completion, or nothing for a prefix that is in the cache now.
pub type JobResult = Result<Option<Completion>, Fault>;

/// How often a job may be overtaken by one that came later. Enough to gather those of one policy where two take turns in
/// the cache; few enough not to be noticed by who waits.
pub const OVERTAKEN: usize = 64;

/// Up to so many tokens an item is decoding, rather than reading its content: it goes into the batch first.
const SHORT: usize = 32;

struct Job {
    id: JobId,
    prefix: PrefixId,
    /// Nothing for a job that only wants its prefix in the cache.
    work: Option<Work>,
}

struct Work {
    plan: Arc<DecodePlan>,
    suffix: Vec<Token>,
    cells: usize,
    sequences: usize,
}

struct Waiting {
    job: Job,
    overtaken: usize,
    /// It was in a batch that failed: whether it was the reason will show when it is alone.
    suspect: bool,
}

struct Active {
    job: Job,
    item: Item,
    suspect: bool,
}

impl<'backend> Schedule<'backend> {
    /// A schedule with all of the backend's sequences, which must be empty. At most `parallel` items are decoded at once,
    /// and prefixes that had to leave the cache may take `saved` bytes of memory.
    pub fn new(backend: &'backend mut dyn Backend, parallel: usize, saved: usize) -> Self {
        let limits = backend.limits();
        let cells = match limits.layout {
            Layout::Unified => limits.cells,
            Layout::Split => limits.cells * limits.sequences,
        };
        Self {
            batch: Batch::new(limits),
            room: Room { cells, free: limits.seqs().collect(), spare: limits.sequences },
            prefixes: Prefixes::new(saved),
            parallel: parallel.max(1),
            waiting: VecDeque::new(),
            active: Vec::new(),
            ended: Vec::new(),
            alone: false,
            backend,
        }
    }

    /// Decodes one item after the other, in the order in which they came, each from the very same state of an otherwise empty
    /// cache: so what comes of it depends on nothing else, to the last bit.
    #[must_use]
    pub fn one_by_one(mut self) -> Self {
        self.alone = true;
        self.parallel = 1;
        self.prefixes.keep_saved();
        self
    }

    /// Has prefixes kept in a store, and taken from there rather than decoded.
    #[must_use]
    pub fn with_store(mut self, store: Box<dyn Store>) -> Self {
        self.prefixes.use_store(store);
        self
    }

    /// What the backend takes.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.backend.limits()
    }

    /// Makes a prefix known. It comes into the cache when a job wants it.
    pub fn add_prefix(&mut self, tokens: Vec<Token>) -> PrefixId {
        self.prefixes.add(tokens)
    }

    /// Forgets a prefix. Jobs behind it are cancelled.
    pub fn remove_prefix(&mut self, prefix: PrefixId) {
        let waiting = self.waiting.iter().map(|waiting| &waiting.job);
        let jobs: Vec<JobId> = waiting
            .chain(self.active.iter().map(|active| &active.job))
            .filter(|job| job.prefix == prefix)
            .map(|job| job.id)
            .collect();
        for job in jobs {
            self.cancel(job);
        }
        self.prefixes.remove(prefix, self.backend, &mut self.room);
    }

    /// How many tokens of a prefix are decoded.
    #[must_use]
    pub fn decoded(&self, prefix: PrefixId) -> usize {
        self.prefixes.decoded(prefix)
    }

    /// The cells that an item of so many suffix tokens can come to fill, its prefix included; where each sequence has its
    /// own, those of one of the item's.
    #[must_use]
    pub fn cells(&self, prefix: PrefixId, plan: &DecodePlan, suffix: usize) -> usize {
        let Limits { layout, sequences, .. } = self.limits();
        let forks = match layout {
            // One sequence is the prefix's, one the item's own.
            Layout::Unified => sequences.saturating_sub(2),
            Layout::Split => 0,
        };
        self.prefixes.length(prefix).saturating_add(plan.cells(suffix, forks))
    }

    /// Adds a job that ends when its prefix is in the cache.
    ///
    /// # Errors
    ///
    /// [`Fault::NoCells`] if the prefix can never fit.
    pub fn pin(&mut self, id: JobId, prefix: PrefixId) -> Result<(), Fault> {
        self.submit_job(Job { id, prefix, work: None }, self.prefixes.length(prefix))
    }

    /// Adds an item.
    ///
    /// # Errors
    ///
    /// [`Fault::NoCells`] if it can never fit, whatever else leaves.
    pub fn submit(
        &mut self,
        id: JobId,
        prefix: PrefixId,
        plan: Arc<DecodePlan>,
        suffix: Vec<Token>,
    ) -> Result<(), Fault> {
        let needed = self.cells(prefix, &plan, suffix.len());
        let cells = needed - self.prefixes.length(prefix);
        let sequences = plan.sequences();
        self.submit_job(Job { id, prefix, work: Some(Work { plan, suffix, cells, sequences }) }, needed)
    }

    fn submit_job(&mut self, job: Job, needed: usize) -> Result<(), Fault> {
        // One for the prefix, and one that is nobody's own.
        let sequences = 2 + job.work.as_ref().map_or(1, |work| work.sequences);
        if needed > self.limits().cells || self.limits().sequences < sequences {
            return Err(Fault::NoCells);
        }
        self.waiting.push_back(Waiting { job, overtaken: 0, suspect: false });
        Ok(())
    }

    /// Ends a job here and now, without a word. False if it has ended already.
    pub fn cancel(&mut self, id: JobId) -> bool {
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.job.id == id) {
            self.waiting.remove(place);
            return true;
        }
        let place = self.active.iter().position(|active| active.job.id == id);
        if let Some(place) = place {
            let active = self.active.remove(place);
            self.release(active);
        }
        place.is_some()
    }

    /// Jobs that wait to be admitted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Items that are being decoded.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// Whether no job is left.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty()
    }

    /// Returns the cells and the sequences that are not reserved, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn unreserved(&self) -> (usize, usize) {
        (self.room.cells, self.room.free.count())
    }

    /// Admits whom it can, decodes one batch, and moves everyone on. The jobs that ended with it.
    pub fn step(&mut self) -> Vec<(JobId, JobResult)> {
        self.admit();
        self.fill();
        let decoded = if self.batch.entries().is_empty() { Ok(()) } else { self.backend.decode(&self.batch) };
        match decoded {
            Ok(()) => self.advance(),
            Err(fault) => self.recover(&fault),
        }
        std::mem::take(&mut self.ended)
    }

    /// Admits jobs in the order in which they came, past those that do not fit yet as long as these can bear it.
    fn admit(&mut self) {
        // Prefixes that those before wait for: they stay where they are.
        let mut keep = Vec::new();
        while keep.len() < self.waiting.len() && !self.active.iter().any(|active| active.suspect) {
            let place = keep.len();
            keep.push(self.waiting[place].job.prefix);
            if self.try_make_ready(place, &keep) {
                keep.pop();
                let Some(waiting) = self.waiting.remove(place) else { return };
                for passed in self.waiting.iter_mut().take(place) {
                    passed.overtaken += 1;
                }
                self.begin(waiting);
                continue;
            }
            let waiting = &self.waiting[place];
            if self.alone || waiting.suspect || waiting.overtaken >= OVERTAKEN {
                return;
            }
        }
    }

    /// Whether a job can begin now: its prefix is in the cache, and there is room for all that it can come to.
    fn try_make_ready(&mut self, place: usize, keep: &[PrefixId]) -> bool {
        let Waiting { job, suspect, .. } = &self.waiting[place];
        let there = self.prefixes.bring(job.prefix, keep, self.backend, &mut self.room);
        let Some(work) = &job.work else { return there };
        there
            && self.active.len() < if *suspect { 1 } else { self.parallel }
            // One more stays spare: whoever waits for a sequence to fork into gets it.
            && self.room.free.count() > 0
            && self.prefixes.make_room(work.cells, work.sequences + 1, keep, self.backend, &mut self.room)
    }

    fn begin(&mut self, Waiting { job, suspect, .. }: Waiting) {
        let Some(work) = &job.work else { return self.ended.push((job.id, Ok(None))) };
        if self.alone
            && let Err(fault) = self.prefixes.renew(job.prefix, self.backend, &mut self.room)
        {
            return self.ended.push((job.id, Err(fault)));
        }
        let held = self.prefixes.here(job.prefix).zip(self.room.take(work.cells, work.sequences));
        let (prefix, seq) = held.expect("`try_make_ready` has seen to both");
        self.backend.fork(prefix, seq);
        self.prefixes.join(job.prefix);
        let item = Item::new(Arc::clone(&work.plan), seq, self.prefixes.length(job.prefix), &work.suffix);
        self.active.push(Active { job, item, suspect });
    }

    /// Fills the batch: what decodes does not wait for what reads, and among equals the oldest goes first. Suspects go
    /// alone.
    fn fill(&mut self) {
        self.batch.clear();
        if let Some(active) = self.active.iter_mut().find(|active| active.suspect) {
            return active.item.fill(&mut self.batch);
        }
        if self.prefixes.fill_suspect(&mut self.batch) {
            return;
        }
        for short in [true, false] {
            for active in &mut self.active {
                if (active.item.wants() <= SHORT) == short {
                    active.item.fill(&mut self.batch);
                }
            }
        }
        if !self.alone {
            self.prefixes.fill(&mut self.batch);
        } else if self.active.is_empty() {
            self.prefixes.fill_one(&mut self.batch);
        }
    }

    /// Moves everyone on with the logits of the batch.
    fn advance(&mut self) {
        for (prefix, fault) in self.prefixes.settle(self.backend, &mut self.room) {
            self.fail(prefix, &fault);
        }
        let mut place = 0;
        while place < self.active.len() {
            let active = &mut self.active[place];
            let result = active.item.advance(self.backend, &mut self.room.free);
            if result.is_ok() && !active.item.done() {
                place += 1;
                continue;
            }
            let active = self.active.remove(place);
            let (job, item) = self.release(active);
            self.ended.push((job.id, result.map(|()| Some(item.completion()))));
        }
    }

    /// A batch failed, and nobody says over what. Who was alone in it was the reason; of several, each starts over alone.
    fn recover(&mut self, fault: &Fault) {
        let in_batch = |item: &Item| self.batch.entries().iter().any(|entry| item.holds(entry.seq));
        let (hit, spared): (Vec<_>, Vec<_>) = self.active.drain(..).partition(|active| in_batch(&active.item));
        self.active = spared;
        let prefixes = self.prefixes.restart(&self.batch, self.backend, &mut self.room);
        let alone = hit.len() + prefixes.len() == 1;
        for prefix in prefixes.into_iter().filter(|_| alone) {
            self.fail(prefix, fault);
        }
        for active in hit.into_iter().rev() {
            let (job, _) = self.release(active);
            if alone {
                self.ended.push((job.id, Err(fault.clone())));
            } else {
                self.waiting.push_front(Waiting { job, overtaken: 0, suspect: true });
            }
        }
    }

    /// Ends the jobs that wait for a prefix that cannot be had.
    fn fail(&mut self, prefix: PrefixId, fault: &Fault) {
        let ended = &mut self.ended;
        self.waiting.retain(|waiting| {
            let spared = waiting.job.prefix != prefix;
            if !spared {
                ended.push((waiting.job.id, Err(fault.clone())));
            }
            spared
        });
    }

    fn release(&mut self, mut active: Active) -> (Job, Item) {
        active.item.release(self.backend, &mut self.room.free);
        let (cells, sequences) = active.job.work.as_ref().map_or((0, 0), |work| (work.cells, work.sequences));
        self.room.give(cells, sequences);
        self.prefixes.part(active.job.prefix);
        (active.job, active.item)
    }
}
