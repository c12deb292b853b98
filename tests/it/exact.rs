//! Exactness on the real llama.cpp: a fork of a pinned prefix gives the same logits as the whole sequence alone.
//!
//! The model is small and F32, so its rounding is small enough to separate right from nearly right.
#![cfg(feature = "llama")]

mod recorder;

use recorder::Recorder;

use crate::support;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use magistrate::engine::backend::{Backend, Batch, Fault, Limits, LogitsRow, SeqId};
use magistrate::engine::decode_plan::DecodePlan;
use magistrate::engine::observed::{Observed, Observer};
use magistrate::engine::schedule::{JobId, Schedule};
use magistrate::engine::{CacheType, EngineConfig, FlashAttention, Kernels, Layout, Mode, Sampling, llama};
use magistrate::gguf::inspect;
use magistrate::policy::Form;
use magistrate::tokenizer::Token;

use support::synth::{Shape, TensorType};

/// Runs `work` on a model file with F32 keys and values.
fn with<T>(path: &Path, flash_attention: FlashAttention, work: impl FnOnce(&mut dyn Backend) -> T) -> T {
    with_sequences(path, flash_attention, 10, work)
}

fn with_sequences<T>(
    path: &Path,
    flash_attention: FlashAttention,
    sequences: usize,
    work: impl FnOnce(&mut dyn Backend) -> T,
) -> T {
    let config = config(path).with_sequences(sequences).with_flash_attention(flash_attention);
    llama::with_backend(&inspect(path).unwrap(), &config, |_| true, &AtomicBool::new(false), work).unwrap()
}

fn config(path: &Path) -> EngineConfig {
    EngineConfig::new(path)
        .with_context(12 * 1024)
        .with_micro_batch(512)
        // Tests run side by side, so threads of one test would wait for cores that other tests use.
        .with_threads(1)
        .with_batch(512)
        .with_cache(CacheType::F32)
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

/// Feeds a sequence and returns the logits after each of its last `rows` tokens.
fn feed(backend: &mut dyn Backend, seq: SeqId, from: usize, tokens: &[Token], rows: usize) -> Vec<Vec<f32>> {
    let mut logits = Vec::new();
    let mut batch = Batch::new(backend.limits());
    let Limits { batch: size, outputs, .. } = backend.limits();
    let size = if rows > outputs { outputs } else { size };
    for (number, chunk) in tokens.chunks(size).enumerate() {
        batch.clear();
        let mut wanted: Vec<LogitsRow> = Vec::new();
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

fn seqs(limits: Limits) -> Vec<SeqId> {
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
    // Then a token of each in every batch, as in continuous batching.
    let mut batch = Batch::new(backend.limits());
    for step in 0..4 {
        batch.clear();
        let rows: Vec<LogitsRow> = suffixes
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

/// All kernels for quantized weights round activations to 8 bits. The same weights in F32 show how much that costs.
#[test]
fn our_kernels_are_as_near_to_exact_activations_as_llama_cpp_is() {
    let shape = Shape {
        attention: TensorType::Q8_0,
        embeddings: TensorType::Q8_0,
        expert: TensorType::Mxfp4,
        ..Shape::exact()
    };
    let (_folder, quantized) = support::model(&shape);
    let (_other, unpacked) = support::model(&Shape { unpacked: true, ..shape });
    let logits = |path: &Path, kernels: Kernels, layout: Layout| {
        let config = config(path)
            .with_cache(CacheType::F16)
            .with_flash_attention(FlashAttention::On)
            .with_threads(2)
            .with_sequences(3)
            .with_context(1024)
            .with_layout(layout)
            .with_kernels(kernels);
        let work = |backend: &mut dyn Backend| {
            let seqs = seqs(backend.limits());
            let mut logits = feed(backend, seqs[0], 0, &tokens(300, 1), 40);
            backend.fork(seqs[0], seqs[1]);
            // One token at a time, too.
            for step in 0..4 {
                logits.extend(feed(backend, seqs[1], 300 + step, &tokens(1, 2), 1));
            }
            logits
        };
        llama::with_backend(&inspect(path).unwrap(), &config, |_| true, &AtomicBool::new(false), work).unwrap()
    };
    for layout in [Layout::Unified, Layout::Split] {
        let exact = logits(&unpacked, Kernels::Llama, layout);
        let (ours, theirs) = (logits(&quantized, Kernels::here(), layout), logits(&quantized, Kernels::Llama, layout));
        let (our, their) = (deviation(&ours, &exact), deviation(&theirs, &exact));
        println!("{layout:?}: ours is off by {our:.2e}, llama.cpp by {their:.2e}, of {:.2e}", deviation(&exact, &[]));
        assert!(our < 1.1 * their, "{layout:?}: {our} and {their}");
        assert!(Kernels::here() == Kernels::Llama || ours != theirs, "our kernels were not used");
    }
}

/// The root of the mean squared difference. With nothing to compare, the size of the logits.
fn deviation(one: &[Vec<f32>], two: &[Vec<f32>]) -> f64 {
    let mut others = two.iter().flatten().copied().chain(std::iter::repeat(0.0));
    let logits = one.iter().flatten();
    let (sum, count) = logits.fold((0.0, 0.0), |(sum, count), &logit| {
        let difference = f64::from(logit) - f64::from(others.next().unwrap_or(0.0));
        (sum + difference * difference, count + 1.0)
    });
    (sum / count).sqrt()
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

/// Everything that continuous batching does, against the same items one by one, and against each alone in an empty cache.
#[test]
fn a_thousand_items_batched_with_up_to_32_others_equal_each_alone() {
    let (_folder, path) =
        support::model(&Shape { ranks: Some(2000), layers: 2, heads: 2, kv_heads: 1, head_dim: 32, ..Shape::exact() });
    let tokenizer = Arc::new(inspect(&path).unwrap().tokenizer().unwrap());
    let plan = Arc::new(DecodePlan::new(
        Arc::clone(&tokenizer),
        Form::Label,
        support::plain("plain", "Judge.", "0=safe,1=violation").answers(),
        Mode::Reason { budget: 3 },
        support::any_mass(),
        Sampling::default(),
    ));
    let lengths = [200, 4000];
    let prefixes = lengths.map(|length| ordinary(tokens(length, length as u64)));
    let items: Vec<(usize, Vec<Token>)> =
        (0..1000).map(|item| (item % 2, ordinary(tokens(3 + item * 37 % 40, 10_000 + item as u64)))).collect();
    // Ids of a run must differ from one another, so the first item again is one more.
    let again: Vec<_> = items.iter().chain([&items[0]]).cloned().collect();

    with_sequences(&path, FlashAttention::Off, 48, |backend| {
        let seqs = seqs(backend.limits());
        let mut alone = Recorder::watch(&mut *backend, HashMap::new());
        judge_all(&mut alone, &prefixes, &plan, &items, 1);
        let rows = alone.observer.notes.into_inner().rows;
        // The sliding layers hold a prefix's last 127 tokens, which the next one sees, and perhaps one more.
        let windows = |backend: &dyn Backend| {
            let spans = [0, 1].map(|prefix| backend.span(seqs[prefix]).unwrap());
            println!("windows of the prefixes: {spans:?}");
            spans.iter().zip(lengths).all(|(span, length)| span.0 <= length - 127 && span.1 == length - 1)
        };
        assert!(windows(backend));
        for &seq in &seqs {
            backend.clear(seq);
        }

        let expected = rows.len();
        let mut together = Recorder::watch(&mut *backend, rows);
        let most = judge_all(&mut together, &prefixes, &plan, &again, 33);
        let notes = together.observer.notes.into_inner();
        println!("{} rows, at most {most} items at once: {:.1e}", notes.seen, notes.worst);
        assert_eq!(notes.unknown, 0, "rows that no item had alone");
        assert!(notes.seen >= expected, "{} rows of {expected}", notes.seen);
        assert_eq!(most, 33);
        assert!(notes.worst < 1e-3, "{}", notes.worst);

        // No cell is lost: the prefixes' windows are complete, and all other cells are free.
        assert!(windows(backend));
        let free = backend.limits().cells - lengths.iter().sum::<usize>();
        let mut batch = Batch::new(backend.limits());
        for position in 0..free {
            if batch.push(Token(5), position, seqs[2], false).is_none() {
                backend.decode(&batch).unwrap();
                batch.clear();
                let _ = batch.push(Token(5), position, seqs[2], false);
            }
        }
        backend.decode(&batch).unwrap();
        batch.clear();
        let _ = batch.push(Token(5), free, seqs[2], false);
        assert_eq!(backend.decode(&batch), Err(Fault::NoCells), "one cell more than there should be");
        backend.clear(seqs[2]);

        // Some items without a fork: prefix and item in one empty cache.
        let mut judge = Recorder::watch(&mut *backend, HashMap::new());
        judge_all(&mut judge, &prefixes, &plan, &items[..2], 2);
        let (rows, mut worst) = (judge.observer.notes.into_inner().rows, 0f32);
        for &seq in &seqs {
            backend.clear(seq);
        }
        for (history, forked) in rows {
            let whole = feed(backend, seqs[0], 0, &history, 1);
            backend.clear(seqs[0]);
            worst = worst.max(difference(&[forked], &whole));
        }
        println!("against prefix and item in one empty cache: {worst:.1e}");
        assert!(worst < 1e-3, "{worst}");
    });
}

/// A token in the small vocabulary's text.
fn ordinary(tokens: Vec<Token>) -> Vec<Token> {
    tokens.into_iter().map(|token| Token(token.0 % 1900)).collect()
}

/// Judges all items, and returns the largest number that were at work at once.
fn judge_all(
    backend: &mut dyn Backend,
    prefixes: &[Vec<Token>],
    plan: &Arc<DecodePlan>,
    items: &[(usize, Vec<Token>)],
    parallel: usize,
) -> usize {
    let mut schedule = Schedule::new(backend, parallel, 0);
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| schedule.add_prefix(prefix.clone())).collect();
    for (prefix, id) in prefixes.iter().zip(10_000..) {
        schedule.pin(JobId(id), *prefix).unwrap();
    }
    let (mut sent, mut ended, mut most) = (0, 0, 0);
    while ended < items.len() + prefixes.len() {
        while sent < items.len() && schedule.waiting() < 64 {
            let (prefix, suffix) = &items[sent];
            schedule.submit(JobId(sent as u64), prefixes[*prefix], Arc::clone(plan), suffix.clone()).unwrap();
            sent += 1;
        }
        for (_, result) in schedule.step() {
            result.unwrap();
            ended += 1;
        }
        most = most.max(schedule.active());
    }
    most
}

#[test]
fn a_fork_in_a_stream_of_its_own_computes_what_stands_alone_computes() {
    let (_folder, path) = support::model(&Shape::exact());
    let split = config(&path)
        .with_layout(Layout::Split)
        .with_context(3 * 1024)
        .with_sequences(10)
        .with_flash_attention(FlashAttention::Off);
    let file = inspect(&path).unwrap();
    let worst = llama::with_backend(
        &file,
        &split,
        |_| true,
        &AtomicBool::new(false),
        |backend| [40, 700, 2000].map(|prefix| forked_against_alone(backend, prefix)),
    );
    let worst = worst.unwrap();
    println!("split: {worst:?}");
    assert!(worst.iter().all(|worst| *worst < 1e-3), "{worst:?}");
}

#[test]
fn a_saved_prefix_comes_back_exact() {
    let (_folder, path) = support::model(&Shape::exact());
    with(&path, FlashAttention::Off, |backend| {
        let seqs = seqs(backend.limits());
        let (prefix, suffix) = (tokens(2000, 1), tokens(40, 2));
        feed(backend, seqs[0], 0, &prefix, 0);
        backend.compact(seqs[0]).unwrap();
        let judge = |backend: &mut dyn Backend, from: SeqId| {
            backend.fork(from, seqs[2]);
            let logits = feed(backend, seqs[2], prefix.len(), &suffix, 40);
            backend.clear(seqs[2]);
            logits
        };
        let before = judge(backend, seqs[0]);
        let saved = backend.save(seqs[0]).unwrap();
        backend.clear(seqs[0]);
        feed(backend, seqs[1], 0, &tokens(3000, 3), 0);
        backend.restore(&saved, seqs[0]).unwrap();
        assert_eq!(backend.span(seqs[0]), Some((2000 - 128, 1999)));
        assert!(difference(&before, &judge(backend, seqs[0])) < 1e-3);
    });
}

#[test]
fn a_prefix_goes_on_from_any_length_whose_window_is_whole() {
    let (_folder, path) = support::model(&Shape::exact());
    for flash_attention in [FlashAttention::Off, FlashAttention::On] {
        with(&path, flash_attention, |backend| {
            let seqs = seqs(backend.limits());
            let policy = tokens(2000, 1);
            feed(backend, seqs[0], 0, &policy, 0);
            let lengths: Vec<usize> = (128..2000).step_by(128).collect();
            let windows: Vec<_> =
                lengths.iter().map(|length| backend.window(seqs[0], *length, seqs[1]).unwrap()).collect();
            assert!(windows[0].is_none(), "the cells of the beginning were reused");
            assert!(windows[8..].iter().all(Option::is_some), "those of the last thousand tokens are there");
            assert_eq!(backend.span(seqs[1]), None, "the scratch sequence is empty");
            backend.compact(seqs[0]).unwrap();
            let saved = backend.save(seqs[0]).unwrap();
            backend.clear(seqs[0]);
            for (length, window) in lengths.iter().zip(&windows) {
                let Some(window) = window else { continue };
                let changed = tokens(300, 5);
                backend.restore_part(&saved, *length, window, seqs[0]).unwrap();
                let resumed = feed(backend, seqs[0], *length, &changed, 8);
                let whole = [&policy[..*length], &changed].concat();
                let alone = feed(backend, seqs[2], 0, &whole, 8);
                let difference = difference(&resumed, &alone);
                assert!(difference < 1e-3, "{length} tokens, {flash_attention:?}: {difference}");
                backend.clear(seqs[0]);
                backend.clear(seqs[2]);
            }
        });
    }
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
        // More than the cache holds is refused, and the cells stay.
        let cells = backend.limits().cells;
        feed(backend, seqs[0], 0, &tokens(cells, 1), 1);
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
    assert!(
        llama::with_backend(&inspect(&path).unwrap(), &config, |_| false, &AtomicBool::new(false), |_| ()).is_err()
    );
}
