//! Many items at once, against a scripted model: in any order of arrival, every job ends once and with the same result as
//! alone.
//!
//! The scripted backend panics where llama.cpp would abort, so each of these runs holds all of its preconditions as well.

mod faults;

use faults::{Faults, POISON, watch};

use crate::support;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use magistrate::engine::Completion;
use magistrate::engine::backend::{Backend, Batch, Fault, Layout, Limits};
use magistrate::engine::decode_plan::DecodePlan;
use magistrate::engine::observed::{Observed, Observer};
use magistrate::engine::schedule::{JobId, JobResult, OVERTAKEN, Schedule};
use magistrate::engine::scripted::Scripted;
use magistrate::engine::{Band, Mode, Sampling};
use magistrate::engine::{Beginning, Store, Window};
use magistrate::policy::Form;
use magistrate::tokenizer::Token;
use magistrate::verdict::Outcome;
use magistrate::verdict::ladder::Ladder;
use proptest::prelude::*;

use support::demonstration_tokenizer as tokenizer;

/// Logits that depend on all tokens of a sequence, and differ enough that no two items are alike.
fn model(history: &[Token], logits: &mut [f32]) {
    let mut state = history
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, token| (hash ^ u64::from(token.0)).wrapping_mul(0x0100_0000_01B3));
    for logit in logits.iter_mut() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *logit = f32::from(u16::try_from(state >> 48).unwrap()) / 8192.0;
    }
}

fn backend(limits: Limits) -> impl Backend {
    Scripted::new(limits, tokenizer().len(), model)
}

/// Returns tokens of some text, different for each seed. A length of 0 gives the poisoned token.
fn tokens(length: usize, seed: u64) -> Vec<Token> {
    if length == 0 {
        return vec![POISON];
    }
    (0..length as u64)
        .map(|place| Token(u32::try_from((seed + 1) * 7919 % 251 + (place * place + seed) % 251).unwrap()))
        .collect()
}

fn plan(mode: Mode) -> Arc<DecodePlan> {
    let policy = support::plain("plain", "Judge.", "0=safe,1=violation,2=review");
    let form = policy.contract.form;
    Arc::new(DecodePlan::new(tokenizer(), form, policy.answers(), mode, support::any_mass(), Sampling::default()))
}

/// A contract with many answers, and a rationale after them.
fn branching(mode: Mode) -> Arc<DecodePlan> {
    let policy = magistrate::policy::PolicyLibrary::shipped().get("spam").unwrap();
    assert_eq!(policy.contract.form, Form::Rationale);
    Arc::new(DecodePlan::new(
        tokenizer(),
        Form::Rationale,
        policy.answers(),
        mode,
        support::any_mass(),
        Sampling::default(),
    ))
}

/// The same on a ladder.
fn ladder(plan: &Arc<DecodePlan>, sure: f64) -> Arc<DecodePlan> {
    Arc::new(DecodePlan::clone(plan).with_ladder(Ladder { sure }))
}

/// A job of a run: its arrival, its prefix, its length, its decoding, and its cancellation.
#[derive(Clone, Debug)]
struct Job {
    after: usize,
    prefix: usize,
    suffix: usize,
    plan: usize,
    cancelled: Option<usize>,
}

struct Setup {
    limits: Limits,
    /// True for jobs that run one by one, each from the same state.
    alone: bool,
    parallel: usize,
    saved: usize,
    prefixes: Vec<usize>,
    jobs: Vec<Job>,
}

struct Run {
    /// The result of each job by its number. `None` if it was cancelled.
    ended: HashMap<usize, Option<JobResult>>,
    /// The jobs, in the order in which they ended by themselves.
    order: Vec<usize>,
    refused: Vec<usize>,
}

fn plans() -> Vec<Arc<DecodePlan>> {
    vec![
        plan(Mode::Answer),
        plan(Mode::Reason { budget: 7 }),
        branching(Mode::Answer),
        branching(Mode::Reason { budget: 200 }),
        plan(Mode::Free { budget: 9 }),
        plan(Mode::Cascade { budget: 7, band: Band { low: 0.3, high: 0.6 } }),
        branching(Mode::Cascade { budget: 20, band: Band { low: 0.4, high: 0.7 } }),
        ladder(&plan(Mode::Reason { budget: 150 }), 1.0),
        ladder(&branching(Mode::Reason { budget: 70 }), 0.55),
    ]
}

/// Runs a setup to its end.
fn run(setup: &Setup, backend: &mut dyn Backend) -> Run {
    let plans = plans();
    let mut schedule = Schedule::new(backend, setup.parallel, setup.saved);
    if setup.alone {
        schedule = schedule.one_by_one();
    }
    let prefixes: Vec<_> = setup
        .prefixes
        .iter()
        .zip(0..)
        .map(|(length, seed)| schedule.add_prefix(tokens(*length, 1000 + seed)))
        .collect();
    let mut run = Run { ended: HashMap::new(), order: Vec::new(), refused: Vec::new() };
    let last = setup.jobs.iter().map(|job| job.after).max().unwrap_or(0);
    for step in 0.. {
        assert!(step < 200_000, "the jobs do not end");
        for (number, job) in setup.jobs.iter().enumerate() {
            let id = JobId(number as u64);
            if job.after == step {
                let suffix = tokens(job.suffix, number as u64);
                if schedule.submit(id, prefixes[job.prefix], Arc::clone(&plans[job.plan]), suffix).is_err() {
                    run.refused.push(number);
                }
            }
            if job.cancelled.is_some_and(|later| job.after + later == step) && schedule.cancel(id) {
                assert!(run.ended.insert(number, None).is_none(), "{number} ended before it was cancelled");
            }
        }
        if step > last && schedule.idle() {
            break;
        }
        for (JobId(number), ended) in schedule.step() {
            let number = usize::try_from(number).unwrap();
            assert!(run.ended.insert(number, Some(ended)).is_none(), "{number} ended twice");
            run.order.push(number);
        }
    }
    for prefix in prefixes {
        schedule.remove_prefix(prefix);
    }
    let Limits { layout, cells, sequences, .. } = setup.limits;
    let cells = if layout == Layout::Split { cells * sequences } else { cells };
    assert_eq!(schedule.unreserved(), (cells, sequences), "every cell and every sequence is given back");
    run
}

/// Returns the result of a job that has the backend alone.
fn alone(setup: &Setup, number: usize) -> Completion {
    let job = Job { after: 0, prefix: 0, cancelled: None, ..setup.jobs[number].clone() };
    let limits = setup.limits;
    let mut backend = backend(limits);
    let mut schedule = Schedule::new(&mut backend, 1, 0);
    let seed = 1000 + setup.jobs[number].prefix as u64;
    let prefix = schedule.add_prefix(tokens(setup.prefixes[setup.jobs[number].prefix], seed));
    let suffix = tokens(job.suffix, number as u64);
    schedule.submit(JobId(0), prefix, Arc::clone(&plans()[job.plan]), suffix).unwrap();
    loop {
        if let Some((_, ended)) = schedule.step().pop() {
            return ended.unwrap().unwrap();
        }
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let limits = (any::<bool>(), 300usize..1500, 3usize..80, 1usize..40, 3usize..20).prop_map(
        |(split, cells, batch, outputs, sequences)| Limits {
            layout: if split { Layout::Split } else { Layout::Unified },
            cells,
            batch,
            outputs,
            sequences,
        },
    );
    let job = (0usize..60, 0usize..4, 1usize..150, 0usize..9, prop::option::weighted(0.2, 0usize..40))
        .prop_map(|(after, prefix, suffix, plan, cancelled)| Job { after, prefix, suffix, plan, cancelled });
    let lengths = prop::collection::vec(1usize..250, 4);
    (limits, prop::bool::weighted(0.2), 1usize..20, 0usize..2000, lengths, prop::collection::vec(job, 1..40)).prop_map(
        |(limits, alone, parallel, saved, prefixes, jobs)| Setup { limits, alone, parallel, saved, prefixes, jobs },
    )
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{:?} alone {} parallel {} saved {} {:?}\n{:#?}",
            self.limits, self.alone, self.parallel, self.saved, self.prefixes, self.jobs
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_job_ends_once_and_as_it_would_alone(setup in setups()) {
        let mut backend = backend(setup.limits);
        let run = run(&setup, &mut backend);
        for number in 0..setup.jobs.len() {
            match (run.ended.get(&number), run.refused.contains(&number)) {
                (None, true) => {}
                (Some(None), false) => prop_assert!(setup.jobs[number].cancelled.is_some()),
                (Some(Some(Ok(Some(completion)))), false) => {
                    let alone = alone(&setup, number);
                    prop_assert!(same(completion, &alone), "{number}: {completion:?}\nalone: {alone:?}");
                }
                other => prop_assert!(false, "{number}: {other:?}"),
            }
        }
    }

    #[test]
    fn nobody_is_overtaken_more_often_than_the_limit_says(setup in setups()) {
        let mut backend = backend(setup.limits);
        let run = run(&setup, &mut backend);
        for (place, number) in run.order.iter().enumerate() {
            let came = |number: usize| (setup.jobs[number].after, number);
            let overtook = run.order[..place].iter().filter(|other| came(**other) > came(*number)).count();
            // Jobs beside it may end sooner, too.
            prop_assert!(overtook <= OVERTAKEN + 2 * setup.parallel, "{number} was overtaken {overtook} times");
        }
    }
}

/// Scores agree to the last digits: forks may be fed in other orders.
fn same(one: &Completion, two: &Completion) -> bool {
    let close = match (&one.outcome, &two.outcome) {
        (Outcome::Verdict(one), Outcome::Verdict(two)) => {
            let near = match (one.scores, two.scores) {
                (Some(one), Some(two)) => {
                    (one.probability - two.probability).abs() < 1e-9 && (one.mass - two.mass).abs() < 1e-9
                }
                (one, two) => one == two,
            };
            near && (one.verdict, &one.category, &one.rationale) == (two.verdict, &two.category, &two.rationale)
        }
        (one, two) => one == two,
    };
    close && one.reasoning == two.reasoning && one.usage.rationale == two.usage.rationale
}

fn jobs(count: usize, job: &Job) -> Vec<Job> {
    vec![job.clone(); count]
}

const PLAIN: Job = Job { after: 0, prefix: 0, suffix: 20, plan: 1, cancelled: None };

fn setup(jobs: Vec<Job>) -> Setup {
    let limits = Limits { layout: Layout::Unified, cells: 4000, batch: 256, outputs: 64, sequences: 16 };
    Setup { limits, alone: false, parallel: 8, saved: 0, prefixes: vec![100, 100, 100], jobs }
}

#[test]
fn eight_at_once_take_a_fraction_of_the_batches() {
    let batches = |parallel| {
        let mut backend = Scripted::new(setup(vec![]).limits, tokenizer().len(), model);
        run(&Setup { parallel, ..setup(jobs(64, &PLAIN)) }, &mut backend);
        backend.batches
    };
    let (one, eight) = (batches(1), batches(8));
    assert!(eight * 6 < one, "{eight} batches with eight at once, {one} with one");
}

/// A store of prefixes that the test can read.
#[derive(Clone, Default)]
struct Drawer(Rc<RefCell<HashMap<Vec<Token>, Beginning>>>);

impl Store for Drawer {
    fn take(&mut self, tokens: &[Token]) -> Option<Vec<u8>> {
        self.0.borrow().get(tokens).map(|stored| stored.state.clone())
    }

    fn put(&mut self, tokens: &[Token], state: &[u8], windows: &[Window]) {
        self.0.borrow_mut().insert(tokens.to_vec(), Beginning { state: state.to_vec(), windows: windows.to_vec() });
    }

    fn begin(&mut self, tokens: &[Token]) -> Option<Beginning> {
        let drawer = self.0.borrow();
        let shared = |theirs: &[Token]| tokens.iter().zip(theirs).take_while(|(one, other)| one == other).count();
        let (theirs, stored) = drawer.iter().max_by_key(|(theirs, _)| shared(theirs))?;
        let mut beginning = stored.clone();
        beginning.windows.retain(|(length, _)| *length <= shared(theirs) && *length < tokens.len());
        Some(beginning).filter(|beginning| !beginning.windows.is_empty())
    }
}

/// Judges one item behind a prefix, and returns its result and the number of batches.
fn judge_behind(prefix: Vec<Token>, drawer: &Drawer, batch: usize, alone: bool) -> (Completion, usize) {
    let mut backend = Scripted::new(Limits { batch, ..setup(vec![]).limits }, tokenizer().len(), model);
    let mut schedule = Schedule::new(&mut backend, 8, 0).with_store(Box::new(drawer.clone()));
    if alone {
        schedule = schedule.one_by_one();
    }
    let id = schedule.add_prefix(prefix);
    schedule.submit(JobId(0), id, Arc::clone(&plans()[1]), tokens(20, 1)).unwrap();
    let completion = loop {
        if let Some((_, ended)) = schedule.step().pop() {
            break ended.unwrap().unwrap();
        }
    };
    schedule.remove_prefix(id);
    drop(schedule);
    (completion, backend.batches)
}

#[test]
fn a_prefix_that_was_changed_at_its_end_is_decoded_from_the_change_on() {
    for alone in [false, true] {
        let drawer = Drawer::default();
        let judge = |prefix: Vec<Token>, drawer: &Drawer| judge_behind(prefix, drawer, 64, alone);
        let first = tokens(1000, 1000);
        let mut changed = first.clone();
        changed[900..].reverse();
        judge(first, &drawer);
        let (from_nothing, from_the_change) =
            (judge(changed.clone(), &Drawer::default()), judge(changed.clone(), &drawer));
        assert_eq!(from_nothing.0, from_the_change.0);
        // 896 tokens are 14 batches of 64. One by one, a result does not depend on what is stored.
        assert_eq!(from_nothing.1 - from_the_change.1, if alone { 0 } else { 14 });
        let stored = drawer.0.borrow()[&changed].windows.iter().map(|(length, _)| *length).collect::<Vec<_>>();
        assert_eq!(stored, [128, 256, 384, 512, 640, 768, 896]);
    }
}

#[test]
fn a_prefix_that_is_in_the_store_is_not_decoded_and_judges_alike() {
    for alone in [false, true] {
        let (drawer, prefix) = (Drawer::default(), tokens(100, 1000));
        let judge = || judge_behind(prefix.clone(), &drawer, 256, alone);
        let (cold, warm) = (judge(), judge());
        assert_eq!(cold.0, warm.0);
        assert_eq!(cold.1, warm.1 + 1, "the batch that decodes the prefix is spared");
    }
}

#[test]
fn sessions_with_the_same_prefix_share_it_until_the_last_one_ends() {
    let mut backend = Scripted::new(setup(vec![]).limits, tokenizer().len(), model);
    let mut schedule = Schedule::new(&mut backend, 8, 0);
    let [one, same, other] = [1000, 1000, 1001].map(|seed| schedule.add_prefix(tokens(100, seed)));
    assert!(one == same && one != other);
    schedule.submit(JobId(0), one, Arc::clone(&plans()[1]), tokens(20, 1)).unwrap();
    schedule.remove_prefix(same);
    let ended = loop {
        if let Some((_, ended)) = schedule.step().pop() {
            break ended;
        }
    };
    assert!(ended.unwrap().is_some(), "the job of the other session goes on");
    for prefix in [one, other] {
        schedule.remove_prefix(prefix);
    }
}

#[test]
fn a_prefix_is_decoded_once_for_all() {
    let count = |items| watch(&setup(jobs(items, &PLAIN)), |_| None).0;
    let item = count(1) - 100;
    assert!(count(50) <= 100 + 50 * (item + 10), "{} tokens for fifty, {item} for one", count(50));
}

#[test]
fn cost_grows_in_line_with_the_work() {
    let limits = Limits { layout: Layout::Unified, cells: 8000, batch: 2000, outputs: 64, sequences: 64 };
    let count = |prefixes: usize, items: usize| {
        let jobs = (0..items).map(|number| Job { prefix: number % prefixes, plan: 0, ..PLAIN }).collect();
        let mut inner = Scripted::new(limits, tokenizer().len(), model);
        let mut backend = Observed::new(&mut inner, Faults { fault: |_: &Batch| None, tokens: 0 });
        run(&Setup { limits, prefixes: vec![100; prefixes], ..setup(jobs) }, &mut backend);
        (backend.observer.tokens, inner.batches)
    };
    let (one, two, three) = (count(1, 80), count(1, 160), count(1, 240));
    assert_eq!(two.0 - one.0, three.0 - two.0, "tokens");
    assert_eq!(two.1 - one.1, three.1 - two.1, "batches");
    assert_eq!(one.0 - 100, two.0 - one.0, "a policy is decoded once");
    assert_eq!(count(10, 80).0 - one.0, 9 * 100, "ten policies cost ten prefixes");
}

#[test]
fn ten_thousand_items_leave_nothing_behind() {
    let limits = Limits { layout: Layout::Unified, cells: 3000, batch: 512, outputs: 64, sequences: 48 };
    let jobs = (0..10_000usize)
        .map(|number| Job {
            after: number / 8,
            prefix: number % 3,
            suffix: if number % 97 == 5 { 4000 } else { number * 7919 % 120 + 1 },
            plan: number * 31 % 2,
            cancelled: (number % 23 == 7).then_some(number % 11),
        })
        .collect();
    let setup = Setup { limits, parallel: 32, ..setup(jobs) };
    let run = run(&setup, &mut backend(limits));
    let long = (0..10_000).filter(|number| number % 97 == 5).count();
    assert_eq!(run.refused.len(), long);
    assert_eq!(run.ended.len() + long, 10_000);
    assert!(run.ended.values().flatten().all(Result::is_ok));
    for number in [0, 4321, 9999] {
        if let Some(Ok(completion)) = &run.ended[&number] {
            assert!(same(completion.as_ref().unwrap(), &alone(&setup, number)), "{number}");
        }
    }
}

#[test]
fn two_policies_that_do_not_fit_together_take_turns_and_come_back_undecoded() {
    let mixed: Vec<Job> = (0..400).map(|number| Job { prefix: number % 2, ..PLAIN }).collect();
    let limits = Limits { layout: Layout::Unified, cells: 700, batch: 256, outputs: 64, sequences: 16 };
    let count = |saved| {
        let (tokens, run) = watch(&Setup { limits, saved, prefixes: vec![400, 400], ..setup(mixed.clone()) }, |_| None);
        assert_eq!(run.order.len(), 400);
        tokens
    };
    let (without, with) = (count(0), count(1 << 20));
    let turns = (without - with) / 400;
    assert_eq!((without - with) % 400, 0, "saving spares the decoding of prefixes, and nothing else");
    assert!((1..=400 / OVERTAKEN + 2).contains(&turns), "they take turns by the batch, not by the item: {turns}");
}
