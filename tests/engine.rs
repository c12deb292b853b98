//! The engine as a library has it: sessions on the real llama.cpp.
#![cfg(feature = "llama")]

mod support;

use magistrate::content::Content;
use magistrate::engine::{Engine, EngineConfig, EngineError, FlashAttention, Session};
use magistrate::policy::{Contract, Effort, Policy, PolicyLibrary};
use magistrate::verdict::{Outcome, Scores};

use support::synth::Shape;

fn engine(path: &std::path::Path) -> Engine {
    let config = EngineConfig { exact: true, flash_attention: FlashAttention::Off, ..EngineConfig::new(path) };
    Engine::load(&config).unwrap()
}

fn plain(text: &str) -> Policy {
    Policy::from_plain("plain", text, Some(Contract::parse_labels("0=safe,1=violation").unwrap())).unwrap()
}

fn scores(session: &Session<'_>, text: &str) -> Scores {
    match session.classify(&Content::new(text)).unwrap().outcome {
        Outcome::Verdict(judgement) => judgement.scores.unwrap(),
        Outcome::Unresolved(why) => panic!("{why}"),
    }
}

#[test]
fn sessions_side_by_side_do_not_disturb_each_other() {
    let (_folder, path) = support::model(&Shape::exact());
    let engine = engine(&path);
    let spam = engine.session(PolicyLibrary::shipped().get("spam").unwrap(), Effort::None).unwrap();
    let alone = scores(&spam, "A prize for you.");
    let other = engine.session(&plain("Judge it. Answer 0 or 1."), Effort::None).unwrap();
    for round in 0..3 {
        scores(&other, &"Some other text. ".repeat(40 * (round + 1)));
        let again = scores(&spam, "A prize for you.");
        assert!((again.probability - alone.probability).abs() < 1e-4, "{again:?} {alone:?}");
        assert!((again.mass / alone.mass - 1.0).abs() < 1e-2, "{again:?} {alone:?}");
    }
}

#[test]
fn a_dropped_session_makes_room() {
    let (_folder, path) = support::model(&Shape::tiny());
    let config = EngineConfig { context: 1000, sequences: 4, ..EngineConfig::new(&path) };
    let engine = Engine::load(&config).unwrap();
    let policy = plain(&"Judge it. ".repeat(100));
    for _ in 0..20 {
        let session = engine.session(&policy, Effort::None).unwrap();
        let refused = engine.session(&plain(&"Judge it. ".repeat(250)), Effort::None);
        assert!(matches!(refused, Err(EngineError::TooLong { what: "the policy", .. })), "{refused:?}");
        scores(&session, "A text.");
    }
}

#[test]
fn a_content_that_does_not_fit_costs_only_itself() {
    let (_folder, path) = support::model(&Shape::tiny());
    let engine = Engine::load(&EngineConfig { context: 1000, ..EngineConfig::new(&path) }).unwrap();
    let session = engine.session(&plain("Judge it."), Effort::None).unwrap();
    let before = scores(&session, "A text.");
    let refused = session.classify(&Content::new("word ".repeat(2000)));
    let Err(EngineError::TooLong { tokens, room, .. }) = refused else { panic!("{refused:?}") };
    assert!(tokens > room);
    assert!((scores(&session, "A text.").probability - before.probability).abs() < 1e-3);
}

/// llama.cpp aborts over what it does not expect, and would take this test's process with it.
#[test]
fn a_damaged_header_is_refused_or_does_no_harm() {
    let (_folder, path) = support::model(&Shape::tiny());
    let whole = std::fs::read(&path).unwrap();
    let header = magistrate::model::gguf::Header::read(whole.as_slice(), whole.len() as u64).unwrap();
    let length = usize::try_from(header.length).unwrap();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut refused, mut loaded) = (0, 0);
    for _ in 0..400 {
        let mut damaged = whole.clone();
        // Most of a header is its vocabulary: half of the damage goes where the numbers are, at its ends.
        let place = match random(4) {
            0 => random(600),
            1 => length - 1 - random(1800),
            _ => random(length),
        };
        damaged[place] ^= 1 << random(8);
        std::fs::write(&path, &damaged).unwrap();
        match Engine::load(&EngineConfig { context: 256, ..EngineConfig::new(&path) }) {
            Ok(engine) => {
                loaded += 1;
                let session = engine.session(&plain("Judge it."), Effort::None).unwrap();
                let _ = session.classify(&Content::new("A text."));
            }
            Err(_) => refused += 1,
        }
    }
    println!("{refused} refused, {loaded} loaded");
    assert!(refused > 50 && loaded > 5, "{refused} refused, {loaded} loaded");
}
