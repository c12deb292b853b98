//! Continuous batching: many items share each batch, and join and leave it at every step.
//!
//! An item is admitted only when enough free cells are reserved for its worst case, forks included. The KV cache can
//! therefore never overflow. The job that waits longest is admitted first, and others may overtake it only
//! [`OVERTAKEN`] times.
//!
//! Each [`Schedule::step`] admits jobs, decodes one batch, and advances the items with its logits. llama.cpp, texts,
//! threads and clocks are not known here.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backend::{Backend, Batch, Fault, Layout, Limits};
use super::completion::Completion;
use super::decode_plan::DecodePlan;
use super::item::Item;
pub use super::prefixes::PrefixId;
use super::prefixes::{Prefixes, Room, Store};
use super::reading::{self, Rows};
use crate::tokenizer::Token;

/// Many items on one backend.
pub struct Schedule<'backend> {
    backend: &'backend mut dyn Backend,
    batch: Batch,
    room: Room,
    prefixes: Prefixes,
    /// Most items that are decoded at once.
    parallel: usize,
    waiting: VecDeque<Waiting>,
    /// The items that are being decoded, the oldest first.
    active: Vec<Active>,
    /// The results of the current step.
    ended: Vec<(JobId, JobResult)>,
    /// Decodes items one by one, each from the same state.
    alone: bool,
    /// Most threads that read logits.
    cores: usize,
}

/// The number of a job. The caller chooses it, and no two jobs have the same at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// The result of a job. A job that only pins a prefix ends with `None`.
pub type JobResult = Result<Option<Completion>, Fault>;

/// The number of later jobs that may overtake a job.
///
/// It is large enough to group the jobs of one policy where two take turns in the KV cache, and small enough for the
/// waiting job not to notice.
pub const OVERTAKEN: usize = 64;

/// Most tokens that an item may want and still go into the batch first. An item that wants more is reading its content.
const SHORT: usize = 32;

struct Job {
    id: JobId,
    prefix: PrefixId,
    /// `None` for a job that only pins its prefix.
    work: Option<Work>,
}

struct Work {
    plan: Arc<DecodePlan>,
    suffix: Vec<Token>,
    /// Cells that are reserved beyond the prefix.
    cells: usize,
    /// Sequences that are reserved.
    sequences: usize,
}

struct Waiting {
    job: Job,
    /// How often later jobs were admitted before it.
    overtaken: usize,
    /// True if it was in a failed batch. Decoded alone, it shows if it was the cause.
    suspect: bool,
}

struct Active {
    job: Job,
    item: Item,
    suspect: bool,
}

impl<'backend> Schedule<'backend> {
    /// Makes a schedule on a backend whose sequences are all empty.
    ///
    /// At most `parallel` items are decoded at once. Evicted prefixes take at most `saved` bytes of memory.
    pub fn new(backend: &'backend mut dyn Backend, parallel: usize, saved: usize) -> Self {
        let limits = backend.limits();
        let cells = match limits.layout {
            Layout::Unified => limits.cells,
            // No item is admitted that needs more than one sequence has, so cells never decide here.
            Layout::Split => limits.cells * limits.sequences,
        };
        Self {
            batch: Batch::new(limits),
            room: Room { cells, free: limits.seqs().collect(), unreserved: limits.sequences },
            prefixes: Prefixes::new(saved),
            parallel: parallel.max(1),
            waiting: VecDeque::new(),
            active: Vec::new(),
            ended: Vec::new(),
            alone: false,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            backend,
        }
    }

    /// Decodes items one by one in the order of submission, each from the same state of an otherwise empty KV cache.
    /// Their results then depend on no other item, to the last bit.
    #[must_use]
    pub fn one_by_one(mut self) -> Self {
        self.alone = true;
        self.parallel = 1;
        self.prefixes.keep_saved();
        self
    }

    /// Keeps decoded prefixes in a store, and restores prefixes from there.
    #[must_use]
    pub fn with_store(mut self, store: Box<dyn Store>) -> Self {
        self.prefixes.use_store(store);
        self
    }

    /// Returns the limits of the backend.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.backend.limits()
    }

    /// Adds a prefix. It is decoded when a job needs it. Equal prefixes are one, which is removed as often as it was added.
    pub fn add_prefix(&mut self, tokens: Vec<Token>) -> PrefixId {
        self.prefixes.add(tokens)
    }

    /// Removes a prefix. Its jobs are canceled, unless another session has it.
    pub fn remove_prefix(&mut self, prefix: PrefixId) {
        if !self.prefixes.release(prefix) {
            return;
        }
        // The jobs end first: a prefix may be removed only after its last user.
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

    /// Returns the number of decoded tokens of a prefix.
    #[must_use]
    pub fn decoded(&self, prefix: PrefixId) -> usize {
        self.prefixes.decoded(prefix)
    }

    /// Returns the most cells that an item with `suffix` tokens fills, its prefix included. In the split layout, the
    /// most cells of one sequence.
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

    /// Adds a job that ends when its prefix is in the KV cache.
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
    /// [`Fault::NoCells`] if it can never fit, not even into an otherwise empty KV cache.
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
        // One sequence is the prefix's, and one stays free for forks.
        let sequences = 2 + job.work.as_ref().map_or(1, |work| work.sequences);
        if needed > self.limits().cells || self.limits().sequences < sequences {
            return Err(Fault::NoCells);
        }
        self.waiting.push_back(Waiting { job, overtaken: 0, suspect: false });
        Ok(())
    }

    /// Cancels a job, which then has no result. Returns false if it has already ended.
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

    /// Returns the number of jobs that wait for admission.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the number of items that are being decoded.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// Reports whether no job is left.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty()
    }

    /// Returns the cells that are not reserved and the sequences that are free, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn unreserved(&self) -> (usize, usize) {
        (self.room.cells, self.room.free.count())
    }

    /// Admits jobs, decodes one batch and advances the items. Returns the results of the jobs that ended.
    pub fn step(&mut self) -> Vec<(JobId, JobResult)> {
        self.admit();
        self.fill();
        // A step without tokens still ends jobs, such as one that pins a resident prefix.
        let decoded = if self.batch.entries().is_empty() { Ok(()) } else { self.backend.decode(&self.batch) };
        match decoded {
            Ok(()) => self.advance(),
            Err(fault) => self.recover(&fault),
        }
        std::mem::take(&mut self.ended)
    }

    /// Admits jobs in the order of submission. A job that does not fit yet is passed over at most [`OVERTAKEN`] times.
    fn admit(&mut self) {
        // The prefixes of the jobs that were passed over. They are not evicted for a later job: two jobs could
        // otherwise evict each other's prefix for ever.
        let mut keep = Vec::new();
        // A suspect must stay alone, so nothing is admitted beside it.
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
            // A suspect begins only when no item is active. Later jobs would keep it waiting.
            if self.alone || waiting.suspect || waiting.overtaken >= OVERTAKEN {
                return;
            }
        }
    }

    /// Brings a job's prefix into the KV cache and makes room for the job's worst case. Returns true if the job can
    /// begin now.
    ///
    /// A false result may still have started to decode the prefix, or evicted others.
    fn try_make_ready(&mut self, place: usize, keep: &[PrefixId]) -> bool {
        let Waiting { job, suspect, .. } = &self.waiting[place];
        let resident = self.prefixes.load(job.prefix, keep, self.backend, &mut self.room);
        let Some(work) = &job.work else { return resident };
        resident
            && self.active.len() < if *suspect { 1 } else { self.parallel }
            && self.room.free.count() > 0
            // One sequence more stays unreserved. Items that wait for a sequence to fork into take turns with it, so
            // every item comes to its end.
            && self.prefixes.make_room(work.cells, work.sequences + 1, keep, self.backend, &mut self.room)
    }

    fn begin(&mut self, Waiting { job, suspect, .. }: Waiting) {
        let Some(work) = &job.work else { return self.ended.push((job.id, Ok(None))) };
        // The prefix is resident already. Restored once more, it lies at the same cells for every item.
        if self.alone
            && let Err(fault) = self.prefixes.reload(job.prefix, self.backend, &mut self.room)
        {
            return self.ended.push((job.id, Err(fault)));
        }
        let held = self.prefixes.resident(job.prefix).zip(self.room.take(work.cells, work.sequences));
        let (prefix, seq) = held.expect("`try_make_ready` has seen to both");
        self.backend.fork(prefix, seq);
        self.prefixes.add_user(job.prefix);
        let item = Item::new(Arc::clone(&work.plan), seq, self.prefixes.length(job.prefix), &work.suffix);
        self.active.push(Active { job, item, suspect });
    }

    /// Fills the batch. Items that decode go before items that read, and among equals the oldest goes first. A suspect
    /// goes alone.
    ///
    /// A reading item could fill whole batches, and all others would wait for it.
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
        // One by one, a prefix has its batches to itself: other tokens there could change the order of sums.
        if !self.alone {
            self.prefixes.fill(&mut self.batch);
        } else if self.active.is_empty() {
            self.prefixes.fill_one(&mut self.batch);
        }
    }

    /// Advances prefixes and items with the logits of the batch.
    fn advance(&mut self) {
        let rows = Rows::of(self.backend, &self.batch);
        reading::each(self.active.iter_mut(), &rows, self.cores, |active, rows| active.item.read(rows));
        for (prefix, fault) in self.prefixes.finish_decoding(self.backend, &mut self.room) {
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
            // `swap_remove` would be faster, but `fill` prefers the oldest, and reads this order.
            let active = self.active.remove(place);
            let (job, item) = self.release(active);
            self.ended.push((job.id, result.map(|()| Some(item.completion()))));
        }
    }

    /// Handles a failed batch. The backend does not name the cause, so each sequence of the batch starts over alone.
    /// One that was already alone is the cause, and its jobs fail.
    fn recover(&mut self, fault: &Fault) {
        let in_batch = |item: &Item| self.batch.entries().iter().any(|entry| item.holds(entry.seq));
        let (hit, spared): (Vec<_>, Vec<_>) = self.active.drain(..).partition(|active| in_batch(&active.item));
        self.active = spared;
        let prefixes = self.prefixes.restart(&self.batch, self.backend, &mut self.room);
        let alone = hit.len() + prefixes.len() == 1;
        for prefix in prefixes.into_iter().filter(|_| alone) {
            self.fail(prefix, fault);
        }
        // In reverse, so that they wait in their old order.
        for active in hit.into_iter().rev() {
            let (job, _) = self.release(active);
            if alone {
                self.ended.push((job.id, Err(fault.clone())));
            } else {
                self.waiting.push_front(Waiting { job, overtaken: 0, suspect: true });
            }
        }
    }

    /// Ends the jobs that wait for a prefix that failed.
    fn fail(&mut self, prefix: PrefixId, fault: &Fault) {
        let ended = &mut self.ended;
        // No active item is behind the prefix: its users begin only after it is decoded.
        self.waiting.retain(|waiting| {
            let spared = waiting.job.prefix != prefix;
            if !spared {
                ended.push((waiting.job.id, Err(fault.clone())));
            }
            spared
        });
    }

    /// Frees everything that an item holds or has reserved.
    fn release(&mut self, mut active: Active) -> (Job, Item) {
        active.item.release(self.backend, &mut self.room.free);
        let (cells, sequences) = active.job.work.as_ref().map_or((0, 0), |work| (work.cells, work.sequences));
        self.room.give(cells, sequences);
        self.prefixes.remove_user(active.job.prefix);
        (active.job, active.item)
    }
}
