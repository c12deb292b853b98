//! The measurement: workers that share work, and the meter around their backends.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::work::Work;
use crate::engine::EngineConfig;
use crate::engine::backend::{Backend, Batch, Fault};
use crate::engine::decode_plan::DecodePlan;
use crate::engine::observed::{Observed, Observer};
use crate::engine::schedule::{JobId, PrefixId, Schedule};
use crate::tokenizer::Token;

/// The result of one worker's share of the work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    pub(super) items: usize,
    /// Tokens of contents.
    pub(super) prompt: usize,
    /// Decoded tokens.
    pub(super) decoded: usize,
    pub(super) batches: usize,
    pub(super) seconds: f64,
    /// Seconds inside llama.cpp's calls.
    pub(super) inside: f64,
    /// Seconds of waiting for results of calls that had returned.
    pub(super) waiting: f64,
    pub(super) policy_seconds: f64,
}

/// Work that several workers share. Each takes the next item when it has a place for one.
#[derive(Debug)]
pub struct Shared<'work> {
    work: &'work Work,
    /// Index of the next item.
    next: AtomicUsize,
    /// Workers begin together. One that began earlier would take more than its share.
    start: Barrier,
}

impl<'work> Shared<'work> {
    /// Shares work between `workers` workers. Each of them must [run](Self::run).
    #[must_use]
    pub fn new(work: &'work Work, workers: usize) -> Self {
        Self { work, next: AtomicUsize::new(0), start: Barrier::new(workers) }
    }

    /// Does a worker's share, one by one where the engine is reproducible. The policy and one item for each place are
    /// decoded before the clock starts.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of the backend or of an item.
    pub fn run(&self, backend: &mut dyn Backend, config: &EngineConfig) -> Result<Share, Fault> {
        let Self { work, next, start } = self;
        let meter = Meter::default();
        let mut metered = Observed::new(backend, &meter);
        let places = config.places();
        // No memory for evicted policies: the only policy is never evicted.
        let mut schedule = Schedule::new(&mut metered, places, 0);
        if config.reproducible {
            schedule = schedule.one_by_one();
        }
        let prefix = schedule.add_prefix(work.prefix.clone());
        let mut warm_up = || {
            let begun = Instant::now();
            schedule.pin(JobId(0), prefix)?;
            while !schedule.idle() {
                step(&mut schedule)?;
            }
            let policy_seconds = begun.elapsed().as_secs_f64();
            judge(&mut schedule, prefix, &work.plan, places, work.suffixes.iter().cycle().take(places))?;
            Ok(policy_seconds)
        };
        let warm = warm_up();
        meter.reset();
        // A worker with a fault comes here, too. The others would otherwise wait forever.
        start.wait();
        let policy_seconds = warm?;

        let begun = Instant::now();
        let taken = std::iter::from_fn(|| work.suffixes.get(next.fetch_add(1, Ordering::Relaxed)));
        let (items, prompt) = judge(&mut schedule, prefix, &work.plan, places, taken)?;
        Ok(Share {
            items,
            prompt,
            decoded: meter.tokens.get(),
            batches: meter.batches.get(),
            seconds: begun.elapsed().as_secs_f64(),
            inside: meter.spent.get().as_secs_f64(),
            waiting: meter.waited.get().as_secs_f64(),
            policy_seconds,
        })
    }
}

/// Judges suffixes, `places` at once. Returns their number, and the number of their tokens.
fn judge<'work>(
    schedule: &mut Schedule<'_>,
    prefix: PrefixId,
    plan: &Arc<DecodePlan>,
    places: usize,
    mut suffixes: impl Iterator<Item = &'work Vec<Token>>,
) -> Result<(usize, usize), Fault> {
    let (mut items, mut tokens) = (0, 0);
    loop {
        while schedule.waiting() + schedule.active() < places
            && let Some(suffix) = suffixes.next()
        {
            items += 1;
            tokens += suffix.len();
            schedule.submit(JobId(items as u64), prefix, Arc::clone(plan), suffix.clone())?;
        }
        if schedule.idle() {
            return Ok((items, tokens));
        }
        step(schedule)?;
    }
}

/// Runs a step of the schedule. Returns the first fault of a job.
fn step(schedule: &mut Schedule<'_>) -> Result<(), Fault> {
    schedule.step().into_iter().try_for_each(|(_, ended)| ended.map(drop))
}

/// Counts and time of a backend's calls since the last reset. It has cells, as the schedule holds the backend
/// meanwhile.
#[derive(Default)]
struct Meter {
    spent: Cell<Duration>,
    waited: Cell<Duration>,
    batches: Cell<usize>,
    tokens: Cell<usize>,
}

impl Meter {
    fn reset(&self) {
        self.spent.take();
        self.waited.take();
        self.batches.take();
        self.tokens.take();
    }
}

impl Observer for &Meter {
    fn batch(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.batches.update(|batches| batches + 1);
        self.tokens.update(|tokens| tokens + batch.entries().len());
        Ok(())
    }

    fn run<T>(&mut self, call: impl FnOnce() -> T) -> T {
        timed(&self.spent, call)
    }

    fn wait<T>(&self, call: impl FnOnce() -> T) -> T {
        timed(&self.waited, call)
    }
}

/// Runs a call, and adds its time.
fn timed<T>(time: &Cell<Duration>, call: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = call();
    time.set(time.get() + begun.elapsed());
    done
}
