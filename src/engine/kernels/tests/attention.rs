//! Attention against the definition, in F64.

use super::super::attention::{Attention, HEAD, Vectors};
use super::super::block::from_half;
use super::super::{KernelSet, scalar};
use super::together;
use crate::random::Random;

const HIDDEN: u16 = 0xfc00;

/// Operands in memory of their own, of one stream.
struct Operands {
    tokens: usize,
    cells: usize,
    key_heads: usize,
    /// Heads of queries for each head of keys.
    share: usize,
    queries: Vec<f32>,
    keys: Vec<u16>,
    values: Vec<u16>,
    mask: Vec<u16>,
    sinks: Vec<f32>,
}

impl Operands {
    /// Random numbers, with tokens that see the cells for which `sees` holds.
    fn new(tokens: usize, cells: usize, key_heads: usize, share: usize, sees: impl Fn(usize, usize) -> bool) -> Self {
        let mut random = Random::new(tokens as u64 + cells as u64);
        let mut floats = |count: usize| (0..count).map(|_| random.below(2001) as f32 / 1e3 - 1.0).collect::<Vec<_>>();
        let queries = floats(tokens * key_heads * share * HEAD);
        let sinks = floats(key_heads * share);
        // Numbers from about -2 to 2.
        let mut halves =
            |count: usize| (0..count).map(|_| (random.below(0x4000) | random.below(2) << 15) as u16).collect();
        let (keys, values) = (halves(cells * key_heads * HEAD), halves(cells * key_heads * HEAD));
        let mask =
            (0..tokens * cells).map(|place| if sees(place / cells, place % cells) { 0 } else { HIDDEN }).collect();
        Self { tokens, cells, key_heads, share, queries, keys, values, mask, sinks }
    }

    fn heads(&self) -> usize {
        self.key_heads * self.share
    }

    fn attention(&self, results: &mut [f32]) -> Attention {
        let vectors = |first: *const u8, heads: usize, size: usize| Vectors {
            first,
            stride: heads * HEAD * size,
            head_stride: HEAD * size,
            stream_stride: 0,
        };
        Attention {
            tokens: self.tokens,
            streams: 1,
            cells: self.cells,
            heads: self.heads(),
            key_heads: self.key_heads,
            scale: 0.125,
            queries: vectors(self.queries.as_ptr().cast(), self.heads(), 4),
            keys: vectors(self.keys.as_ptr().cast(), self.key_heads, 2),
            values: vectors(self.values.as_ptr().cast(), self.key_heads, 2),
            mask: Vectors {
                first: self.mask.as_ptr().cast(),
                stride: self.cells * 2,
                head_stride: 0,
                stream_stride: 0,
            },
            sinks: self.sinks.as_ptr(),
            results: results.as_mut_ptr(),
        }
    }

    /// The results, computed by some threads.
    fn results(&self, kernels: &KernelSet, threads: usize) -> Vec<f32> {
        struct Shared(Attention, *mut u8);
        // SAFETY: the threads write different results, and share the memory as `compute` asks.
        unsafe impl Sync for Shared {}
        let mut results = vec![-1.0f32; self.tokens * self.heads() * HEAD];
        let attention = self.attention(&mut results);
        let mut work = vec![0u8; attention.work_size(threads) + 64];
        let start = work.as_ptr().align_offset(64);
        let shared = &Shared(attention, work[start..].as_mut_ptr());
        together(threads, |thread, barrier| {
            let Shared(attention, work) = shared;
            // SAFETY: the operands are vectors of the sizes that the attention names.
            unsafe { attention.compute(kernels.attend, thread, *work, barrier) }
        });
        results
    }

    /// A head's result for a token, by the definition.
    fn defined(&self, token: usize, head: usize) -> Vec<f64> {
        let key_head = head / self.share;
        let vector = |list: &[u16], cell: usize| -> Vec<f64> {
            let first = (cell * self.key_heads + key_head) * HEAD;
            list[first..first + HEAD].iter().map(|&bits| f64::from(from_half(bits))).collect()
        };
        let query = &self.queries[(token * self.heads() + head) * HEAD..][..HEAD];
        let mut total = f64::from(self.sinks[head]).exp();
        let mut sums = vec![0.0; HEAD];
        for cell in (0..self.cells).filter(|cell| self.mask[token * self.cells + cell] != HIDDEN) {
            let score: f64 =
                vector(&self.keys, cell).iter().zip(query).map(|(key, &query)| key * f64::from(query)).sum();
            let weight = (score * 0.125).exp();
            total += weight;
            for (sum, value) in sums.iter_mut().zip(vector(&self.values, cell)) {
                *sum += weight * value;
            }
        }
        sums.iter().map(|sum| sum / total).collect()
    }

    #[track_caller]
    fn assert_right(&self) {
        for kernels in KernelSet::all() {
            let results = self.results(kernels, 2);
            for token in 0..self.tokens {
                for head in 0..self.heads() {
                    let result = &results[(token * self.heads() + head) * HEAD..][..HEAD];
                    for (result, defined) in result.iter().zip(self.defined(token, head)) {
                        let off = (f64::from(*result) - defined).abs();
                        assert!(off < 2e-6, "{}: token {token}, head {head}: {off:e}", kernels.name);
                    }
                }
            }
        }
    }
}

#[test]
fn attention_is_that_of_the_definition() {
    // A prefix that all see, and cells of their own, mixed as texts that are written side by side mix them.
    Operands::new(5, 300, 2, 8, |token, cell| cell < 90 || cell % 5 == token).assert_right();
    // One sequence, each token behind the other; a window of 40; heads that do not fill a group; one cell.
    Operands::new(40, 77, 1, 6, |token, cell| cell <= token + 37).assert_right();
    Operands::new(33, 100, 2, 1, |token, cell| (token..token + 40).contains(&cell)).assert_right();
    Operands::new(1, 1, 1, 4, |_, _| true).assert_right();
}

#[test]
fn a_token_that_sees_nothing_gets_nothing() {
    let operands = Operands::new(3, 50, 1, 4, |token, _| token != 1);
    let results = operands.results(KernelSet::all()[0], 1);
    assert!(results[4 * HEAD..8 * HEAD].iter().all(|&result| result == 0.0));
}

#[test]
fn a_result_does_not_depend_on_other_tokens_or_on_the_number_of_threads() {
    let sees = |token: usize, cell: usize| cell < 64 || cell % 20 == token;
    let operands = Operands::new(20, 400, 2, 8, sees);
    for kernels in KernelSet::all() {
        let results = operands.results(kernels, 1);
        assert!(operands.results(kernels, 3) == results, "{}", kernels.name);
        let size = operands.heads() * HEAD;
        for token in [0, 7, 19] {
            let mut alone = Operands::new(20, 400, 2, 8, sees);
            alone.tokens = 1;
            alone.queries.drain(..token * size);
            alone.mask.drain(..token * 400);
            assert!(alone.results(kernels, 1) == results[token * size..][..size], "{}: {token}", kernels.name);
        }
    }
}

#[test]
fn a_result_does_not_depend_on_the_places_of_the_cells() {
    let sees = |token: usize, cell: usize| cell < 70 || cell % 3 == token;
    let operands = Operands::new(3, 200, 2, 3, sees);
    // The same cells behind 45 others, and from the 100th on with a gap of 7 behind each.
    let place = |cell: usize| 45 + cell + 7 * cell.saturating_sub(100);
    let mut moved = Operands::new(3, place(200), 2, 3, |_, _| false);
    moved.queries.clone_from(&operands.queries);
    moved.sinks.clone_from(&operands.sinks);
    for cell in 0..200 {
        let (from, to) = (cell * 2 * HEAD, place(cell) * 2 * HEAD);
        moved.keys[to..to + 2 * HEAD].copy_from_slice(&operands.keys[from..from + 2 * HEAD]);
        moved.values[to..to + 2 * HEAD].copy_from_slice(&operands.values[from..from + 2 * HEAD]);
        for token in 0..3 {
            moved.mask[token * moved.cells + place(cell)] = operands.mask[token * 200 + cell];
        }
    }
    for kernels in KernelSet::all() {
        assert!(moved.results(kernels, 1) == operands.results(kernels, 1), "{}", kernels.name);
    }
}

#[test]
fn another_tokens_infinity_does_not_spread() {
    let mut operands = Operands::new(2, 64, 1, 4, |token, cell| cell < 20 || cell % 2 == token);
    let expected = operands.results(scalar_set(), 1);
    // Cell 41 belongs to the second token.
    operands.values[41 * HEAD..42 * HEAD].fill(0x7c00);
    for kernels in KernelSet::all() {
        let results = operands.results(kernels, 1);
        let first = results[..4 * HEAD].iter().zip(&expected);
        assert!(first.clone().all(|(result, expected)| (result - expected).abs() < 1e-6), "{}", kernels.name);
        assert!(results[4 * HEAD..].iter().all(|result| !result.is_finite()), "{}", kernels.name);
    }
}

fn scalar_set() -> &'static KernelSet {
    &scalar::KERNELS
}
