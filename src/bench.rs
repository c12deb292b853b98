//! How fast this machine judges, and where the time goes.
//!
//! The one idea: work is counted in tokens, so that any model will do, random weights too, and another program can be
//! given the same. It runs on the schedule that judges for real; a meter around the backend tells time inside llama.cpp
//! from time outside. What is written about the result is not known here.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::content::Content;
use crate::engine::backend::{Backend, Batch, Fault, Layout};
use crate::engine::decode_plan::DecodePlan;
use crate::engine::observed::{Observed, Observer};
use crate::engine::schedule::{JobId, PrefixId, Schedule};
use crate::engine::{EngineConfig, SessionOptions};
use crate::machine;
use crate::policy::Policy;
use crate::prompt::{Prompt, TemplateError, Templates};
use crate::random::Random;
use crate::tokenizer::{Token, Tokenizer};

/// What is to be done.
#[derive(Debug)]
pub struct Work {
    /// The policy's tokens.
    pub prefix: Vec<Token>,
    /// What all items have in common.
    pub plan: Arc<DecodePlan>,
    /// Of each item its own tokens.
    pub suffixes: Vec<Vec<Token>>,
}

/// Work that is made up, as numbers of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Of the policy.
    pub policy: usize,
    /// Of each content.
    pub content: usize,
    /// That an item writes, sampled or appended. None at all is a pass without reasoning: its only output is scored.
    pub output: usize,
    /// Of these, those that are known beforehand, and appended.
    pub fixed: usize,
    /// Items.
    pub items: usize,
}

impl Work {
    /// Random tokens, the same each time.
    #[must_use]
    pub fn counted(tokenizer: &Arc<Tokenizer>, counts: Counts) -> Self {
        let mut random = Random::new(7);
        let ordinary = tokenizer.ordinary();
        let span = ordinary.len();
        let mut tokens = |count: usize| -> Vec<Token> {
            let mut token = || Token(ordinary.start + u32::try_from(random.below(span)).unwrap_or_default());
            (0..count).map(|_| token()).collect()
        };
        let Counts { policy, content, output, fixed, items } = counts;
        // Without output the content's own last token is the one behind which the answer is scored.
        let (content, sampled, appended) = match output {
            0 => (content.saturating_sub(1), 0, 1),
            _ => (content, output.saturating_sub(fixed), fixed.min(output)),
        };
        let appended = tokens(appended);
        Self {
            prefix: tokens(policy),
            plan: Arc::new(DecodePlan::counted(Arc::clone(tokenizer), sampled, &appended)),
            suffixes: (0..items).map(|_| tokens(content)).collect(),
        }
    }

    /// Contents that are judged by a policy.
    ///
    /// # Errors
    ///
    /// When a template cannot render the policy.
    pub fn judging<'text>(
        tokenizer: &Arc<Tokenizer>,
        policy: &Policy,
        options: &SessionOptions,
        contents: impl IntoIterator<Item = &'text Content>,
    ) -> Result<Self, TemplateError> {
        let effort = options.effort.unwrap_or(policy.effort);
        let prompt = Prompt::new(&Templates::shipped(), policy, effort, options.date.as_deref())?;
        Ok(Self {
            prefix: prompt.prefix_tokens(tokenizer),
            plan: Arc::new(options.decode_plan(tokenizer, policy)),
            suffixes: contents.into_iter().map(|content| prompt.suffix_tokens(tokenizer, content.text())).collect(),
        })
    }

    /// The cells that it takes of a worker: of the policy and so many items at once; where each has its own, of one with the policy.
    #[must_use]
    pub fn cells(&self, layout: Layout, parallel: usize) -> usize {
        let longest = self.suffixes.iter().map(Vec::len).max().unwrap_or_default();
        match layout {
            Layout::Unified => self.prefix.len() + parallel * self.plan.cells(longest, FORKS),
            Layout::Split => self.prefix.len() + self.plan.cells(longest, 0),
        }
    }
}

/// Sequences for answers that are counted in for each item.
const FORKS: usize = 8;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Items.
    pub items: usize,
    /// From the first item to the last, the policy decoded before.
    pub seconds: f64,
    /// Items in a second.
    pub items_per_s: f64,
    /// Tokens of contents, decoded in a second.
    pub prompt_tokens_per_s: f64,
    /// Tokens sampled or appended in a second.
    pub output_tokens_per_s: f64,
    /// The share of the time that was spent inside llama.cpp, 0 to 1.
    pub inside: f64,
    /// Batches decoded.
    pub batches: usize,
    /// Tokens in a batch, on the average.
    pub batch_fill: f64,
    /// Tokens decoded, of all items together.
    pub decoded_tokens: usize,
    /// Tokens of the policy.
    pub policy_tokens: usize,
    /// Tokens of the policy that did not have to be decoded again.
    pub reused_tokens: usize,
    /// How long the policy took, once.
    pub policy_seconds: f64,
    /// The most memory that the process held, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
    /// The most that it was planned to hold, if there was a plan.
    pub planned_memory: Option<u64>,
}

/// A worker's share of the work, done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    items: usize,
    /// Tokens of contents.
    prompt: usize,
    decoded: usize,
    batches: usize,
    seconds: f64,
    /// Of these, inside llama.cpp.
    inside: f64,
    policy_seconds: f64,
}

/// Work that several workers share: each takes an item when it has a place for one.
#[derive(Debug)]
pub struct Shared<'work> {
    work: &'work Work,
    /// The first item that nobody has taken.
    next: AtomicUsize,
    /// Nobody begins before all can: whoever did would take more than a share.
    start: Barrier,
}

impl<'work> Shared<'work> {
    /// For so many workers, each of which must [run](Self::run).
    #[must_use]
    pub fn new(work: &'work Work, workers: usize) -> Self {
        Self { work, next: AtomicUsize::new(0), start: Barrier::new(workers) }
    }

    /// Does a worker's share, so many items at once, or one by one where the engine is reproducible. The policy, and one item for
    /// each place, are decoded before the clock starts.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of the backend, or of an item.
    pub fn run(&self, backend: &mut dyn Backend, config: &EngineConfig) -> Result<Share, Fault> {
        let Self { work, next, start } = self;
        let meter = Meter::default();
        let mut metered = Observed::new(backend, &meter);
        let places = config.places();
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
        // Also after a fault: the others wait.
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
            policy_seconds,
        })
    }
}

/// Judges suffixes, so many at once. The number of them, and of their tokens.
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

/// A step in which no job fails.
fn step(schedule: &mut Schedule<'_>) -> Result<(), Fault> {
    schedule.step().into_iter().try_for_each(|(_, ended)| ended.map(drop))
}

impl Report {
    /// What shares that were done side by side come to: it took as long as the longest.
    #[must_use]
    pub fn of(work: &Work, shares: &[Share]) -> Self {
        let count = |of: fn(&Share) -> usize| shares.iter().map(of).sum::<usize>();
        let time = |of: fn(&Share) -> f64| shares.iter().map(of);
        let (items, prompt) = (count(|share| share.items), count(|share| share.prompt));
        let (decoded, batches) = (count(|share| share.decoded), count(|share| share.batches));
        let seconds = time(|share| share.seconds).fold(0.0, f64::max);
        #[allow(clippy::cast_precision_loss, reason = "rates for people")]
        let rate = |count: usize| count as f64 / seconds.max(1e-9);
        Self {
            items,
            seconds,
            items_per_s: rate(items),
            prompt_tokens_per_s: rate(prompt),
            output_tokens_per_s: rate(decoded.saturating_sub(prompt)),
            inside: time(|share| share.inside).sum::<f64>() / time(|share| share.seconds).sum::<f64>().max(1e-9),
            batches,
            batch_fill: rate(decoded) / rate(batches.max(1)),
            decoded_tokens: decoded,
            policy_tokens: work.prefix.len(),
            reused_tokens: items * work.prefix.len(),
            policy_seconds: time(|share| share.policy_seconds).fold(0.0, f64::max),
            peak_memory: machine::peak_memory(),
            planned_memory: None,
        }
    }
}

/// Counts and time of a backend's calls since the last reset. It has cells, as the schedule holds the backend meanwhile.
#[derive(Default)]
struct Meter {
    spent: Cell<Duration>,
    batches: Cell<usize>,
    tokens: Cell<usize>,
}

impl Meter {
    fn reset(&self) {
        self.spent.take();
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
        let begun = Instant::now();
        let done = call();
        self.spent.set(self.spent.get() + begun.elapsed());
        done
    }
}
