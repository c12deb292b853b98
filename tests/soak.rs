//! A long run on the real llama.cpp, disturbed in every way that a caller can. It runs in a process of its own, because
//! the memory of the process is measured.
#![cfg(feature = "llama")]

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use magistrate::content::Content;
use magistrate::engine::{CacheType, Completion, Engine, EngineConfig, EngineError, FlashAttention, Pending, Session};
use magistrate::policy::Effort;
use magistrate::verdict::Outcome;
use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

use support::synth::Shape;

/// Items of the usual run.
const ITEMS: usize = 400;

/// Most kilobytes by which the memory may grow from half of the run to its end.
const GROWTH: usize = 4_000;

/// Takes seconds. `MAGISTRATE_SOAK=10000 cargo test --release --test soak -- --nocapture` takes some minutes.
#[test]
fn every_item_of_a_disturbed_run_ends_once_and_nothing_is_lost_by_it() {
    match std::env::var("MAGISTRATE_SOAK") {
        Ok(items) => soak(1, items.parse().expect("MAGISTRATE_SOAK is a number of items")),
        Err(_) => soak(2, ITEMS),
    }
}

/// An item at work, with the result that it must have.
enum Sent<'session> {
    Kept(Pending<'session>),
    TooLong(Pending<'session>),
    /// An item whose result is never read.
    Dropped(Pending<'session>),
}

/// Numbers of items by their end.
#[derive(Default)]
struct Counts {
    kept: usize,
    too_long: usize,
    dropped: usize,
}

impl Counts {
    /// Waits for the result of an item, and checks it.
    fn settle(&mut self, sent: Sent<'_>) {
        match sent {
            Sent::Kept(pending) => {
                probability(&pending.wait().unwrap());
                self.kept += 1;
            }
            Sent::TooLong(pending) => {
                let refused = pending.wait();
                assert!(matches!(refused, Err(EngineError::TooLong { .. })), "{refused:?}");
                self.too_long += 1;
            }
            Sent::Dropped(pending) => {
                drop(pending);
                self.dropped += 1;
            }
        }
    }
}

fn soak(workers: usize, items: usize) {
    let (_folder, path) = support::model(&Shape::tiny());
    let config = EngineConfig::new(&path)
        .with_workers(workers)
        .with_parallel(32)
        .with_sequences(48)
        .with_context(3000)
        .with_threads(2)
        .with_cache(CacheType::F32)
        .with_flash_attention(FlashAttention::Off);
    let engine = Engine::load(&config).unwrap();
    let policy = |text: &str| support::plain("plain", text, "0=safe,1=violation");
    let reasoning = support::noisy(Effort::Low).with_budget(Some(12));
    let sessions = [
        engine.session(&policy("Judge it."), support::noisy(Effort::None)).unwrap(),
        engine.session(&policy(&"Judge it otherwise. ".repeat(40)), reasoning).unwrap(),
    ];
    let probe = |session: &Session<'_>| probability(&session.classify(&Content::new("A text.")).unwrap());
    let before = sessions.each_ref().map(probe);
    let largest = largest(&sessions[1]);

    let mut random = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let mut counts = Counts::default();
    let mut flight = VecDeque::new();
    let mut memory = Vec::new();
    for number in 0..items {
        let words = if random.random_bool(0.03) { 4000 } else { random.random_range(0..120) };
        let content = Content::new("word ".repeat(words));
        let pending = sessions[random.random_range(0..2)].submit(&content).unwrap();
        match () {
            () if words > 120 => flight.push_back(Sent::TooLong(pending)),
            () if random.random_bool(0.1) => counts.dropped += 1,
            () if random.random_bool(0.1) => flight.push_back(Sent::Dropped(pending)),
            () => flight.push_back(Sent::Kept(pending)),
        }
        while flight.len() > 96 || number + 1 == items && !flight.is_empty() {
            counts.settle(flight.pop_front().unwrap());
        }
        if number % (items / 8).max(1) == 0 {
            memory.extend(resident());
        }
    }
    let Counts { kept, too_long, dropped } = counts;
    assert_eq!(kept + too_long + dropped, items);
    let after = sessions.each_ref().map(probe);
    for (before, after) in before.iter().zip(after) {
        assert!((before - after).abs() < 1e-4, "it drifted: {before} {after}");
    }
    // It needs all cells of the cache, so it fits only if no cell is lost.
    let pending = sessions[1].submit(&largest).unwrap();
    let judged = pending.wait_for(Duration::from_mins(1)).expect("there is room for it no more");
    probability(&judged.unwrap());
    memory.extend(resident());
    println!("{workers} workers: {kept} judged, {too_long} too long, {dropped} dropped; kB at each eighth: {memory:?}");
    assert!(memory.is_empty() || memory.len() > 8, "{memory:?}");
    if let [.., end] = memory[..] {
        let middle = memory[memory.len() / 2];
        assert!(end < middle + GROWTH, "{middle} kB at half, {end} kB at the end");
    }
}

fn probability(completion: &Completion) -> f64 {
    match &completion.outcome {
        Outcome::Verdict(judgement) => judgement.scores.unwrap().probability,
        Outcome::Unresolved(why) => panic!("{why}"),
    }
}

/// Returns the longest content that a session accepts. All its words are the same tokens.
fn largest(session: &Session<'_>) -> Content {
    let text = |words: usize| Content::new("word ".repeat(words));
    let (mut fits, mut not) = (0, 4000);
    while not - fits > 1 {
        let words = usize::midpoint(fits, not);
        match session.classify(&text(words)) {
            Ok(_) => fits = words,
            Err(EngineError::TooLong { .. }) => not = words,
            Err(error) => panic!("{error}"),
        }
    }
    text(fits)
}

/// Returns the memory of this process in kB. `None` on a system without `/proc`.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches("kB").trim().parse().ok()
}
