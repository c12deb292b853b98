//! The engine as a library: sessions on the real llama.cpp.
#![cfg(feature = "llama")]

use crate::support;

use magistrate::content::Content;
use magistrate::engine::{
    Band, CacheType, Completion, Engine, EngineConfig, EngineError, FlashAttention, Layout, Session,
};
use magistrate::policy::{Effort, Policy, PolicyLibrary};
use magistrate::verdict::{Outcome, Scores};

use support::synth::Shape;

fn engine(path: &std::path::Path) -> Engine {
    let config = EngineConfig::new(path).with_cache(CacheType::F32).with_flash_attention(FlashAttention::Off);
    Engine::load(&config).unwrap()
}

fn plain(text: &str) -> Policy {
    support::plain("plain", text, "0=safe,1=violation")
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
    let spam = engine.session(PolicyLibrary::shipped().get("spam").unwrap(), support::noisy(Effort::None)).unwrap();
    let alone = scores(&spam, "A prize for you.");
    let other = engine.session(&plain("Judge it. Answer 0 or 1."), support::noisy(Effort::None)).unwrap();
    for round in 0..3 {
        scores(&other, &"Some other text. ".repeat(40 * (round + 1)));
        let again = scores(&spam, "A prize for you.");
        assert!((again.probability - alone.probability).abs() < 1e-4, "{again:?} {alone:?}");
        assert!((again.mass / alone.mass - 1.0).abs() < 1e-2, "{again:?} {alone:?}");
    }
}

#[test]
fn more_sessions_than_the_cache_holds_take_turns() {
    let (_folder, path) = support::model(&Shape::exact());
    let exact = EngineConfig::new(&path).with_cache(CacheType::F32).with_flash_attention(FlashAttention::Off);
    let policies: Vec<Policy> =
        (0..4).map(|number| plain(&format!("Policy {number}. {}", "Judge it. ".repeat(100)))).collect();
    let wide = Engine::load(&exact).unwrap();
    let expected: Vec<f64> = policies
        .iter()
        .map(|policy| scores(&wide.session(policy, support::noisy(Effort::None)).unwrap(), "A text.").probability)
        .collect();
    for saved in [0, 1 << 30] {
        let narrow = Engine::load(&exact.clone().with_context(1000).with_saved(saved)).unwrap();
        let sessions: Vec<_> =
            policies.iter().map(|policy| narrow.session(policy, support::noisy(Effort::None)).unwrap()).collect();
        for _ in 0..3 {
            for (session, expected) in sessions.iter().zip(&expected) {
                let probability = scores(session, "A text.").probability;
                assert!((probability - expected).abs() < 1e-4, "{probability} {expected}");
            }
        }
    }
}

#[test]
fn a_policy_that_another_engine_decoded_comes_from_the_store_and_a_damaged_copy_does_not() {
    let (_folder, path) = support::model(&Shape::tiny());
    let store = tempfile::tempdir().unwrap();
    let config = EngineConfig::new(&path).with_prefixes(Some(store.path().join("prefixes"))).with_threads(1);
    let copies = || std::fs::read_dir(config.prefixes.as_ref().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let policy = plain(&"Judge it. ".repeat(300));
    for layout in [Layout::Unified, Layout::Split] {
        let config = config.clone().with_layout(layout).with_context(4096);
        // Tokens that were decoded while the session opened, and the scores of a text.
        let judge = || {
            let engine = Engine::load(&config).unwrap();
            let mut decoded = Vec::new();
            let session =
                engine.session_with(&policy, &support::noisy(Effort::None), &mut |done, _| decoded.push(done)).unwrap();
            (decoded, scores(&session, "A text."))
        };
        let (cold, warm) = (judge(), judge());
        assert!(!cold.0.is_empty() && warm.0.is_empty(), "{:?} {:?}", cold.0, warm.0);
        assert_eq!(cold.1, warm.1);
        for copy in copies() {
            let mut bytes = std::fs::read(&copy).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&copy, bytes).unwrap();
        }
        let again = judge();
        assert!(!again.0.is_empty(), "a damaged copy is not used");
        assert_eq!(cold.1, again.1);
        assert!(judge().0.is_empty(), "it is written anew");
    }
    assert_eq!(copies().count(), 2, "one for each layout");
}

#[test]
fn one_by_one_is_the_same_to_the_last_bit_whatever_the_order_and_the_number_of_places() {
    let (_folder, path) = support::model(&Shape::tiny());
    let policies = [plain("Judge it."), PolicyLibrary::shipped().get("spam").unwrap().clone()];
    let mut contents: Vec<Content> =
        (0..12usize).map(|number| Content::new(format!("Text {number}. ").repeat(number % 5 * 9 + 1))).collect();
    let options = support::noisy(Effort::Low).with_budget(Some(12));
    let mut seen = Vec::new();
    for (parallel, rotated) in [(1, 0), (8, 5), (32, 3)] {
        contents.rotate_left(rotated);
        let config =
            EngineConfig::new(&path).with_parallel(parallel).with_sequences(parallel + 16).with_reproducible(true);
        let engine = Engine::load(&config.with_threads(1).with_context(8192.max(parallel * 1024))).unwrap();
        let sessions = policies.each_ref().map(|policy| engine.session(policy, options.clone()).unwrap());
        let mut judged: Vec<String> = sessions
            .iter()
            .flat_map(|session| session.classify_all(&contents).collect::<Vec<_>>())
            .zip(contents.iter().cycle())
            .map(|(completion, content)| format!("{} {:?}", content.text(), completion.unwrap()))
            .collect();
        judged.sort_unstable();
        seen.push(judged);
    }
    assert_eq!(seen[0].len(), 24);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[test]
fn a_cascade_reasons_only_about_what_is_too_close_to_call() {
    let (_folder, path) = support::model(&Shape::exact());
    let engine = engine(&path);
    let policy = plain("Judge it.");
    let content = Content::new("A text. ".repeat(40));
    let judge = |cascade: Option<Band>, budget| {
        let options = support::noisy(Effort::Low).with_cascade(cascade).with_budget(Some(budget));
        engine.session(&policy, options).unwrap().classify(&content).unwrap()
    };
    let probability = |completion: &Completion| match &completion.outcome {
        Outcome::Verdict(judgement) => judgement.scores.unwrap().probability,
        Outcome::Unresolved(why) => panic!("{why}"),
    };
    let (straight, reasoned) = (judge(None, 0), judge(None, 9));
    let all = judge(Some(Band { low: 0.0, high: 1.0 }), 9);
    let first = probability(&straight);
    let none = judge(Some(Band { low: first + 0.01, high: 1.0 }), 9);

    let cascade = none.cascade.unwrap();
    assert!(!cascade.escalated && (cascade.first.unwrap() - first).abs() < 1e-4, "{cascade:?} {first}");
    assert!((probability(&none) - first).abs() < 1e-4 && none.reasoning.is_none());

    let cascade = all.cascade.unwrap();
    assert!(cascade.escalated && (cascade.first.unwrap() - first).abs() < 1e-4, "{cascade:?} {first}");
    assert!((probability(&all) - probability(&reasoned)).abs() < 1e-4);
    assert_eq!(all.reasoning, reasoned.reasoning);
    assert_eq!(all.usage.suffix, straight.usage.suffix, "the content is read once");
}

#[test]
fn a_dropped_session_leaves_nothing_behind() {
    let (_folder, path) = support::model(&Shape::tiny());
    let engine = Engine::load(&EngineConfig::new(&path).with_context(1000).with_sequences(4)).unwrap();
    let policy = plain(&"Judge it. ".repeat(100));
    for _ in 0..20 {
        scores(&engine.session(&policy, support::noisy(Effort::None)).unwrap(), "A text.");
    }
    let refused = engine.session(&plain(&"Judge it. ".repeat(400)), support::noisy(Effort::None));
    assert!(matches!(refused, Err(EngineError::TooLong { what: "the policy", .. })), "{refused:?}");
}

#[test]
fn answers_come_in_the_order_of_the_contents_and_bad_ones_cost_only_themselves() {
    let (_folder, path) = support::model(&Shape::exact());
    let config = EngineConfig::new(&path).with_cache(CacheType::F32).with_flash_attention(FlashAttention::Off);
    let engine = Engine::load(&config.with_context(2000).with_parallel(8)).unwrap();
    let session = engine.session(&plain("Judge it."), support::noisy(Effort::None)).unwrap();
    let contents: Vec<Content> = (0..100)
        .map(|number| {
            Content::new(format!("Text {number}. ").repeat(if number % 10 == 3 { 900 } else { number % 7 + 1 }))
        })
        .collect();
    let alone: Vec<_> = contents.iter().map(|content| session.classify(content)).collect();
    let together: Vec<_> = session.classify_all(&contents).collect();
    assert_eq!(together.len(), 100);
    for (number, (alone, together)) in alone.iter().zip(&together).enumerate() {
        match (alone, together) {
            (Ok(alone), Ok(together)) => {
                let probability = |outcome: &Outcome| match outcome {
                    Outcome::Verdict(judgement) => judgement.scores.unwrap().probability,
                    Outcome::Unresolved(why) => panic!("{why}"),
                };
                let (one, two) = (probability(&alone.outcome), probability(&together.outcome));
                assert!((one - two).abs() < 1e-4, "{number}: {one} {two}");
            }
            (Err(EngineError::TooLong { .. }), Err(EngineError::TooLong { .. })) => assert_eq!(number % 10, 3),
            other => panic!("{number}: {other:?}"),
        }
    }
}

#[test]
fn workers_share_the_contents_and_change_nothing_about_them() {
    let (_folder, path) = support::model(&Shape::exact());
    let exact = EngineConfig::new(&path).with_cache(CacheType::F32).with_flash_attention(FlashAttention::Off);
    let contents: Vec<Content> =
        (0..24usize).map(|number| Content::new(format!("Text {number}. ").repeat(number % 7 + 1))).collect();
    let judged = |workers: usize| {
        let engine = Engine::load(&exact.clone().with_workers(workers).with_threads(2).with_context(3000)).unwrap();
        let sessions = ["Judge it.", "Judge it otherwise."]
            .map(|text| engine.session(&plain(text), support::noisy(Effort::None)).unwrap());
        let all = sessions.iter().flat_map(|session| session.classify_all(&contents).collect::<Vec<_>>());
        let probability = |completion: Completion| match completion.outcome {
            Outcome::Verdict(judgement) => judgement.scores.unwrap().probability,
            Outcome::Unresolved(why) => panic!("{why}"),
        };
        let probabilities: Vec<f64> = all.map(|completion| probability(completion.unwrap())).collect();
        let too_long = engine.session(&plain(&"Judge it. ".repeat(2000)), support::noisy(Effort::None));
        assert!(matches!(too_long, Err(EngineError::TooLong { what: "the policy", .. })), "{too_long:?}");
        let content = Content::new("word ".repeat(4000));
        assert!(matches!(sessions[0].classify(&content), Err(EngineError::TooLong { what: "the content", .. })));
        probabilities
    };
    let (one, three) = (judged(1), judged(3));
    assert_eq!(one.len(), 48);
    for (number, (one, three)) in one.iter().zip(&three).enumerate() {
        assert!((one - three).abs() < 1e-4, "{number}: {one} {three}");
    }
}

#[test]
fn who_sends_more_than_the_queue_takes_is_told_so() {
    let (_folder, path) = support::model(&Shape::exact());
    let engine = Engine::load(&EngineConfig::new(&path).with_parallel(1)).unwrap();
    let session = engine.session(&plain("Judge it."), support::noisy(Effort::None)).unwrap();
    let content = Content::new("A text of some length. ".repeat(100));
    let mut sent = Vec::new();
    let refused = loop {
        match session.try_submit(&content) {
            Ok(pending) => sent.push(pending),
            Err(error) => break error,
        }
        assert!(sent.len() < 10_000, "the queue has no end");
    };
    assert!(matches!(refused, EngineError::Overloaded { .. }), "{refused}");
    // Submitted contents are answered, except for the ones whose result is dropped.
    for pending in sent.into_iter().take(3) {
        assert!(pending.wait().is_ok());
    }
    assert!(session.classify(&content).is_ok());
}

#[test]
fn dropping_the_engine_gives_up_what_is_being_decoded() {
    let _alone = support::alone();
    let (_folder, path) = support::model(&Shape::exact());
    let engine = Engine::load(&EngineConfig::new(&path).with_context(60_000)).unwrap();
    let content = Content::new("word ".repeat(50_000));
    let session = engine.session(&plain("Judge it."), support::noisy(Effort::None)).unwrap();
    let pending = session.submit(&content).unwrap();
    // Decoding takes minutes, so it has begun and not ended after a second, even on a busy machine.
    assert!(pending.wait_for(std::time::Duration::from_secs(1)).is_none(), "50,000 tokens took no time");
    let begun = std::time::Instant::now();
    drop(pending);
    drop(session);
    drop(engine);
    // One batch is waited for, and not the rest.
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn a_content_that_does_not_fit_costs_only_itself() {
    let (_folder, path) = support::model(&Shape::tiny());
    let engine = Engine::load(&EngineConfig::new(&path).with_context(1000)).unwrap();
    let session = engine.session(&plain("Judge it."), support::noisy(Effort::None)).unwrap();
    let before = scores(&session, "A text.");
    let refused = session.classify(&Content::new("word ".repeat(2000)));
    let Err(EngineError::TooLong { tokens, room, .. }) = refused else { panic!("{refused:?}") };
    assert!(tokens > room);
    assert!((scores(&session, "A text.").probability - before.probability).abs() < 1e-3);
}

/// An assertion of llama.cpp would abort the process of this test.
#[test]
fn a_damaged_header_is_refused_or_does_no_harm() {
    let (_folder, path) = support::model(&Shape::tiny());
    let whole = std::fs::read(&path).unwrap();
    let header = magistrate::gguf::header::Header::read(whole.as_slice(), whole.len() as u64).unwrap();
    let length = usize::try_from(header.length).unwrap();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut refused, mut loaded) = (0, 0);
    for _ in 0..400 {
        let mut damaged = whole.clone();
        // Most of a header is its vocabulary. So half of the damage goes to its ends, where the numbers are.
        let place = match random(4) {
            0 => random(600),
            1 => length - 1 - random(1800),
            _ => random(length),
        };
        damaged[place] ^= 1 << random(8);
        std::fs::write(&path, &damaged).unwrap();
        match Engine::load(&EngineConfig::new(&path).with_context(256)) {
            Ok(engine) => {
                loaded += 1;
                let session = engine.session(&plain("Judge it."), support::noisy(Effort::None)).unwrap();
                let _ = session.classify(&Content::new("A text."));
            }
            Err(_) => refused += 1,
        }
    }
    println!("{refused} refused, {loaded} loaded");
    assert!(refused > 50 && loaded > 5, "{refused} refused, {loaded} loaded");
}
