//! Exactness on the real llama.cpp: what is forked from a pinned prefix is computed as if it stood alone.
//!
//! All on a small F32 model, whose rounding is small enough to see the difference between right and nearly right.
#![cfg(feature = "llama")]

mod support;

use magistrate::engine::backend::{Backend, Batch, Fault, Limits, Row, Seq};
use magistrate::engine::{EngineConfig, FlashAttention, llama};
use magistrate::model::inspect;
use magistrate::tokenizer::Token;

use support::synth::Shape;

/// Runs `work` on a model file with F32 keys and values.
fn with<T>(path: &std::path::Path, flash_attention: FlashAttention, work: impl FnOnce(&mut dyn Backend) -> T) -> T {
    let config = EngineConfig {
        context: 9 * 1024,
        micro_batch: 512,
        batch: 512,
        sequences: 10,
        flash_attention,
        exact: true,
        ..EngineConfig::new(path)
    };
    llama::with_backend(&inspect(path).unwrap(), &config, |_| true, work).unwrap()
}

/// Some ordinary tokens, different for each seed.
fn tokens(length: usize, seed: u64) -> Vec<Token> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Token(u32::try_from((state >> 33) % 15_000).unwrap())
        })
        .collect()
}

/// Feeds a sequence and returns the logits behind each of its last `rows` tokens.
fn feed(backend: &mut dyn Backend, seq: Seq, from: usize, tokens: &[Token], rows: usize) -> Vec<Vec<f32>> {
    let mut logits = Vec::new();
    let mut batch = Batch::new(backend.limits());
    let size = backend.limits().batch;
    for (number, chunk) in tokens.chunks(size).enumerate() {
        batch.clear();
        let mut wanted: Vec<Row> = Vec::new();
        for (place, &token) in chunk.iter().enumerate() {
            let index = number * size + place;
            let want = index + rows >= tokens.len();
            let row = batch.push(token, from + index, seq, want).unwrap();
            if want {
                wanted.push(row);
            }
        }
        backend.decode(&batch).unwrap();
        logits.extend(wanted.into_iter().map(|row| backend.logits(row).to_vec()));
    }
    logits
}

/// The largest difference between two sets of logits.
fn difference(one: &[Vec<f32>], two: &[Vec<f32>]) -> f32 {
    assert_eq!(one.len(), two.len());
    one.iter().flatten().zip(two.iter().flatten()).map(|(one, two)| (one - two).abs()).fold(0.0, f32::max)
}

fn seqs(limits: Limits) -> Vec<Seq> {
    limits.seqs().collect()
}

/// Forks eight suffixes from a pinned prefix, decodes them side by side, and compares each with prefix and suffix alone.
fn forked_against_alone(backend: &mut dyn Backend, prefix: usize) -> f32 {
    let seqs = seqs(backend.limits());
    let policy = tokens(prefix, 1);
    feed(backend, seqs[0], 0, &policy, 0);
    backend.compact(seqs[0]).unwrap();

    let suffixes: Vec<Vec<Token>> =
        (0..8u8).map(|item| tokens(5 + 23 * usize::from(item), 2 + u64::from(item))).collect();
    let mut forked = Vec::new();
    for (suffix, &seq) in suffixes.iter().zip(&seqs[1..9]) {
        backend.fork(seqs[0], seq);
        forked.push(feed(backend, seq, prefix, suffix, 4));
    }
    // Then a token of each in every batch, as continuous batching has it.
    let mut batch = Batch::new(backend.limits());
    for step in 0..4 {
        batch.clear();
        let rows: Vec<Row> = suffixes
            .iter()
            .zip(&seqs[1..9])
            .map(|(suffix, &seq)| {
                batch.push(Token(100 + step), prefix + suffix.len() + step as usize, seq, true).unwrap()
            })
            .collect();
        backend.decode(&batch).unwrap();
        for (logits, row) in forked.iter_mut().zip(rows) {
            logits.push(backend.logits(row).to_vec());
        }
    }
    for &seq in &seqs {
        backend.clear(seq);
    }
    let mut worst = 0f32;
    for (suffix, forked) in suffixes.iter().zip(&forked) {
        let whole = [policy.as_slice(), suffix, &[100, 101, 102, 103].map(Token)].concat();
        let alone = feed(backend, seqs[0], 0, &whole, 8);
        backend.clear(seqs[0]);
        worst = worst.max(difference(forked, &alone));
    }
    worst
}

#[test]
fn forks_of_a_pinned_prefix_equal_prefix_and_suffix_alone() {
    let (_folder, path) = support::model(&Shape::exact());
    with(&path, FlashAttention::Off, |backend| {
        for prefix in [40, 700, 2000, 4000] {
            let worst = forked_against_alone(backend, prefix);
            println!("flash attention off, prefix {prefix}: {worst:.1e}");
            assert!(worst < 1e-3, "prefix {prefix}: {worst}");
        }
    });
    with(&path, FlashAttention::On, |backend| {
        for prefix in [700, 4000] {
            let worst = forked_against_alone(backend, prefix);
            println!("flash attention on, prefix {prefix}: {worst:.1e}");
            assert!(worst < 5e-2, "prefix {prefix}: {worst}");
        }
    });
}

#[test]
fn two_pinned_prefixes_do_not_disturb_each_other() {
    let (_folder, path) = support::model(&Shape::exact());
    with(&path, FlashAttention::Off, |backend| {
        let seqs = seqs(backend.limits());
        let (one, two, suffix) = (tokens(900, 1), tokens(1500, 2), tokens(30, 3));
        let alone = feed(backend, seqs[0], 0, &[one.as_slice(), &suffix].concat(), 30);
        backend.clear(seqs[0]);
        for (seq, prefix) in [(seqs[0], &one), (seqs[1], &two)] {
            feed(backend, seq, 0, prefix, 0);
            backend.compact(seq).unwrap();
        }
        for round in 0..3 {
            backend.fork(seqs[1], seqs[3]);
            feed(backend, seqs[3], two.len(), &tokens(300, 4 + round), 1);
            backend.fork(seqs[0], seqs[2]);
            let forked = feed(backend, seqs[2], one.len(), &suffix, 30);
            assert!(difference(&forked, &alone) < 1e-3, "round {round}: {}", difference(&forked, &alone));
            backend.clear(seqs[2]);
            backend.clear(seqs[3]);
        }
    });
}

/// An item far longer than the window is forked for its answers: the sliding layers' cells must suffice for that.
#[test]
fn a_long_item_is_compacted_forked_and_still_exact() {
    let (_folder, path) = support::model(&Shape::exact());
    with(&path, FlashAttention::Off, |backend| {
        let seqs = seqs(backend.limits());
        let (policy, item) = (tokens(700, 1), tokens(3000, 2));
        let branches: Vec<Vec<Token>> = (0..8u64).map(|branch| tokens(6, 10 + branch)).collect();
        feed(backend, seqs[0], 0, &policy, 0);
        backend.compact(seqs[0]).unwrap();
        backend.fork(seqs[0], seqs[1]);
        feed(backend, seqs[1], policy.len(), &item, 1);
        backend.compact(seqs[1]).unwrap();
        let forked: Vec<_> = (branches.iter().zip(&seqs[2..10]))
            .map(|(branch, &seq)| {
                backend.fork(seqs[1], seq);
                feed(backend, seq, policy.len() + item.len(), branch, 6)
            })
            .collect();
        for &seq in &seqs {
            backend.clear(seq);
        }
        for (branch, forked) in branches.iter().zip(&forked) {
            let whole = [policy.as_slice(), &item, branch].concat();
            let alone = feed(backend, seqs[0], 0, &whole, 6);
            backend.clear(seqs[0]);
            assert!(difference(forked, &alone) < 1e-3, "{}", difference(forked, &alone));
        }
    });
}

#[test]
fn a_model_in_two_parts_computes_what_the_whole_one_does() {
    let (_folder, whole) = support::model(&Shape::exact());
    let (_folder, parts) = support::model(&Shape { parts: 2, ..Shape::exact() });
    assert!(parts.to_string_lossy().ends_with("-00001-of-00002.gguf"));
    let logits = |path| {
        with(path, FlashAttention::Off, |backend| {
            let seq = seqs(backend.limits())[0];
            feed(backend, seq, 0, &tokens(300, 7), 300)
        })
    };
    assert!(difference(&logits(&whole), &logits(&parts)) == 0.0);
}

#[test]
fn a_batch_of_what_is_not_there_is_a_fault_and_the_context_lives_on() {
    let (_folder, path) = support::model(&Shape::exact());
    with(&path, FlashAttention::Off, |backend| {
        let seqs = seqs(backend.limits());
        let mut batch = Batch::new(backend.limits());
        let _ = batch.push(Token(4_000_000), 0, seqs[0], true);
        assert!(matches!(backend.decode(&batch), Err(Fault::Other(_))));
        batch.clear();
        let _ = batch.push(Token(5), 7, seqs[0], true);
        let _ = batch.push(Token(5), 3, seqs[0], true);
        assert!(matches!(backend.decode(&batch), Err(Fault::Other(_))), "a position that goes back");
        backend.clear(seqs[0]);
        assert_eq!(feed(backend, seqs[0], 0, &tokens(20, 1), 1).len(), 1);
        backend.clear(seqs[0]);
        // More than the cache holds: refused, and what is there stays.
        feed(backend, seqs[0], 0, &tokens(9 * 1024, 1), 1);
        batch.clear();
        let _ = batch.push(Token(5), 0, seqs[1], true);
        assert_eq!(backend.decode(&batch), Err(Fault::NoCells));
        backend.clear(seqs[0]);
        assert_eq!(backend.decode(&batch), Ok(()));
    });
}

#[test]
fn loading_can_be_stopped_and_says_so() {
    let (_folder, path) = support::model(&Shape::exact());
    let config = EngineConfig::new(&path);
    assert!(llama::with_backend(&inspect(&path).unwrap(), &config, |_| false, |_| ()).is_err());
}
