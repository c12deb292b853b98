//! Each kernel against the scalar reference, to the last bit.

mod attention;

use super::pieces::Thread;
use super::product::{Choices, Product};
use super::*;
use crate::random::Random;

/// Operands in memory of their own.
struct Operands {
    format: Format,
    blocks: usize,
    rows: usize,
    experts: usize,
    tokens: usize,
    used: usize,
    shared: bool,
    weights: Vec<u8>,
    activations: Vec<f32>,
    choices: Vec<i32>,
}

impl Operands {
    /// Random weights and activations for tokens that each go to `used` of the experts.
    fn new(format: Format, [blocks, rows, experts, tokens, used]: [usize; 5], shared: bool, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut weights: Vec<u8> =
            (0..experts * rows * blocks * format.bytes()).map(|_| random.below(256) as u8).collect();
        for block in weights.chunks_exact_mut(format.bytes()) {
            match format {
                Format::Mxfp4 => block[0] = 110 + block[0] % 16,
                // The exponent of an F16 number near 0.01.
                Format::Q8_0 => block[1] = 0x20 | block[1] & 0x83,
            }
        }
        let columns = if shared { 1 } else { used };
        let activations = (0..tokens * columns * blocks * BLOCK).map(|_| random.below(4001) as f32 / 1e3 - 2.0);
        let activations = activations.collect();
        let choices = (0..tokens).flat_map(|_| {
            let first = random.below(experts);
            (0..used).map(move |number| ((first + number * 3) % experts) as i32)
        });
        let choices = choices.collect();
        Self { format, blocks, rows, experts, tokens, used, shared, weights, activations, choices }
    }

    /// A product without experts.
    fn plain(format: Format, blocks: usize, rows: usize, columns: usize, seed: u64) -> Self {
        Self { choices: Vec::new(), ..Self::new(format, [blocks, rows, 1, 1, columns], false, seed) }
    }

    fn product(&self, sums: &mut [f32]) -> Product {
        let row_stride = self.blocks * self.format.bytes();
        let columns = if self.shared { 1 } else { self.used };
        let column_stride = self.blocks * BLOCK * size_of::<f32>();
        let choices = Choices {
            first: self.choices.as_ptr().cast(),
            stride: size_of::<i32>(),
            token_stride: self.used * size_of::<i32>(),
        };
        Product {
            format: self.format,
            blocks: self.blocks,
            rows: self.rows,
            experts: self.experts,
            weights: self.weights.as_ptr(),
            row_stride,
            expert_stride: self.rows * row_stride,
            tokens: self.tokens,
            used: self.used,
            columns,
            activations: self.activations.as_ptr().cast(),
            column_stride,
            token_stride: columns * column_stride,
            choices: (!self.choices.is_empty()).then_some(choices),
            sums: sums.as_mut_ptr().cast(),
            sums_column_stride: self.rows * size_of::<f32>(),
            sums_token_stride: self.used * self.rows * size_of::<f32>(),
        }
    }

    /// The sums, as bits, computed by some threads.
    fn sums(&self, kernels: &KernelSet, threads: usize) -> Vec<u32> {
        struct Shared(Product, *mut u8);
        // SAFETY: the threads write different sums, and share the memory as `compute` asks.
        unsafe impl Sync for Shared {}
        let mut sums = vec![-1.0f32; self.tokens * self.used * self.rows];
        let product = self.product(&mut sums);
        let mut work = vec![0u8; product.work_size(kernels, threads) + 64];
        let start = work.as_ptr().align_offset(64);
        let shared = &Shared(product, work[start..].as_mut_ptr());
        together(threads, |thread, barrier| {
            let Shared(product, work) = shared;
            // SAFETY: the operands are vectors of the sizes that the product names.
            unsafe { product.compute(kernels, thread, *work, barrier) }
        });
        sums.iter().map(|sum| sum.to_bits()).collect()
    }
}

/// Runs a function on some threads at the same time, with a barrier that they share.
fn together(threads: usize, work: impl Fn(Thread, &dyn Fn()) + Sync) {
    let barrier = &std::sync::Barrier::new(threads);
    let wait = &|| {
        barrier.wait();
    };
    let work = &work;
    std::thread::scope(|scope| {
        for index in 0..threads {
            let thread = Thread { index, count: threads };
            std::thread::Builder::new().spawn_scoped(scope, move || work(thread, wait)).expect("a thread starts");
        }
    });
}

fn reference() -> &'static KernelSet {
    KernelSet::all()[0]
}

#[track_caller]
fn assert_same(operands: &Operands, threads: usize) {
    let expected = operands.sums(reference(), 1);
    for kernels in KernelSet::all() {
        let sums = operands.sums(kernels, threads);
        let wrong = sums.iter().zip(&expected).position(|(sum, expected)| {
            // All NaN are alike.
            sum != expected && !(f32::from_bits(*sum).is_nan() && f32::from_bits(*expected).is_nan())
        });
        assert_eq!(wrong, None, "{} and {:?}", kernels.name, operands.format);
    }
}

#[test]
fn all_kernels_give_the_bits_of_the_reference_for_one_to_600_columns() {
    for format in [Format::Mxfp4, Format::Q8_0] {
        for columns in (1..=20).chain([31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 191, 193, 600]) {
            assert_same(&Operands::plain(format, 3, 32, columns, columns as u64), 1);
        }
        assert_same(&Operands::plain(format, 90, 16, 5, 1), 1);
        assert_same(&Operands::plain(format, 1, 16, 1, 2), 1);
    }
}

#[test]
fn tokens_go_to_their_experts_with_shared_and_with_own_activations() {
    for format in [Format::Mxfp4, Format::Q8_0] {
        for (tokens, used, shared) in [(1, 4, true), (1, 4, false), (8, 4, true), (9, 4, false), (300, 2, true)] {
            let operands = Operands::new(format, [2, 48, 16, tokens, used], shared, tokens as u64);
            assert_same(&operands, 1);
        }
    }
}

#[test]
fn a_sum_does_not_depend_on_other_columns_or_on_the_number_of_threads() {
    for format in [Format::Mxfp4, Format::Q8_0] {
        let operands = Operands::new(format, [4, 160, 8, 70, 4], true, 3);
        let expected = operands.sums(reference(), 1);
        for kernels in KernelSet::all() {
            for threads in [1, 2, 3, 7] {
                assert!(operands.sums(kernels, threads) == expected, "{} on {threads} threads", kernels.name);
            }
        }
        // The last token alone.
        let size = operands.blocks * BLOCK;
        let alone = Operands {
            tokens: 1,
            activations: operands.activations[69 * size..].to_vec(),
            choices: operands.choices[69 * 4..].to_vec(),
            ..Operands::new(format, [4, 160, 8, 1, 4], true, 3)
        };
        let alone = Operands { weights: operands.weights.clone(), ..alone };
        for kernels in KernelSet::all() {
            assert!(alone.sums(kernels, 2) == expected[69 * 4 * 160..], "{}", kernels.name);
        }
    }
}

#[test]
fn extreme_scales_and_values_give_the_bits_of_the_reference() {
    let extremes =
        [0.0, -0.0, 1e-45, 1e-38, 1e-31, 1e-29, 1.0, -127.0, 3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    for format in [Format::Mxfp4, Format::Q8_0] {
        let mut operands = Operands::plain(format, 4, 256, extremes.len(), 5);
        for (number, block) in operands.weights.chunks_exact_mut(format.bytes()).enumerate() {
            match format {
                // Each code of a scale in turn.
                Format::Mxfp4 => block[0] = (number / 4) as u8,
                // Each exponent in turn, and the smallest number of 8 bits.
                Format::Q8_0 => {
                    block[1] = (number / 4) as u8;
                    block[2..6].fill(0x80);
                }
            }
        }
        for (number, values) in operands.activations.chunks_exact_mut(BLOCK).enumerate() {
            values[number % BLOCK] = extremes[number / 4];
        }
        assert_same(&operands, 1);
        // A number that is not finite is never hidden.
        let sums = operands.sums(reference(), 1);
        for (column, value) in extremes.iter().enumerate().filter(|(_, value)| !value.is_finite()) {
            let column = &sums[column * 256 + 64..][..64];
            assert!(column.iter().all(|&sum| !f32::from_bits(sum).is_finite()), "{value}");
        }
    }
}

#[test]
fn an_expert_that_does_not_exist_is_left_out() {
    let mut operands = Operands::new(Format::Mxfp4, [2, 16, 4, 3, 2], true, 9);
    operands.choices = vec![0, 4, -1, 1, i32::MAX, 3];
    let sums = operands.sums(reference(), 2);
    let written: Vec<bool> = sums.chunks_exact(16).map(|sums| sums[0] != (-1.0f32).to_bits()).collect();
    assert_eq!(written, [true, false, false, true, false, true]);
}

#[test]
fn a_product_is_that_of_the_decoded_numbers() {
    // One block of each: weights of 6.0 and -0.5 with a scale of 2, activations of 127 steps.
    let mut bytes = [0x97u8; 17 * 16];
    for row in bytes.chunks_exact_mut(17) {
        row[0] = 128;
    }
    let mut operands = Operands::plain(Format::Mxfp4, 1, 16, 1, 0);
    operands.weights = bytes.to_vec();
    operands.activations = (0..32).map(|place| if place < 16 { 127.0 } else { 1.0 }).collect();
    let sums = operands.sums(reference(), 1);
    let expected: f32 = 16.0 * (12.0 * 127.0 - 1.0);
    assert_eq!(sums, [expected.to_bits(); 16]);
}
