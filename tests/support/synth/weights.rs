//! The weights: random numbers in the form of each tensor type, with a given mean and deviation.
//!
//! Each tensor draws from its own generator, seeded by its name, so its bytes do not depend on its part. Only operations
//! that IEEE 754 rounds exactly are used, so the bytes do not depend on the machine. The first 8 MiB are fresh. Longer
//! tensors repeat them from another row each time, so large files are made at the speed of the disk.

// Numbers are cut into bits and bytes here, always on purpose.
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

use std::io::{self, Write};

use super::gguf::{Tensor, TensorType};

/// Writes the bytes of one tensor.
pub fn write(out: &mut impl Write, tensor: &Tensor, seed: u64) -> io::Result<()> {
    let mut random = Random::of(seed, &tensor.name);
    let row = tensor.row_bytes();
    let fresh = tensor.rows().min((POOL / row).max(1));
    let mut pool = rows(&mut random, tensor, fresh * tensor.dimensions[0]);
    if tensor.kind != tensor.drawn {
        pool = unpacked(tensor.drawn, &pool);
    }
    out.write_all(&pool)?;

    let position = |row_number: u64| usize::try_from(row_number * row).expect("within the pool");
    let mut left = tensor.rows() - fresh;
    while left > 0 {
        let start = random.next() % fresh;
        let count = left.min(fresh - start);
        out.write_all(&pool[position(start)..position(start + count)])?;
        left -= count;
    }
    Ok(())
}

/// Bytes of fresh numbers per tensor: two experts of the 20b's size, drawn in a few milliseconds.
const POOL: u64 = 8 << 20;

fn rows(random: &mut Random, tensor: &Tensor, values: u64) -> Vec<u8> {
    let (values_per_block, bytes_per_block) = tensor.drawn.block();
    let blocks = values / values_per_block;
    let mut out = Vec::with_capacity(usize::try_from(blocks * bytes_per_block).expect("at most the pool, or a row"));
    for _ in 0..blocks {
        match tensor.drawn {
            TensorType::F32 => out.extend(random.normal(tensor).to_le_bytes()),
            TensorType::F16 => out.extend(half(random.normal(tensor)).to_le_bytes()),
            TensorType::Q8_0 => {
                out.extend(half(tensor.deviation / Q8_0_DEVIATION).to_le_bytes());
                for _ in 0..4 {
                    // The quantizer never makes -128, kernels rely on that, and zero keeps the mean at zero.
                    out.extend(random.next().to_le_bytes().map(|byte| if byte == 0x80 { 0 } else { byte }));
                }
            }
            TensorType::Mxfp4 => {
                let jitter = [0, 1, 2, 1][usize::from(random.next().to_le_bytes()[7] >> 6)];
                out.push(exponent(tensor.deviation / MXFP4_DEVIATION) - 1 + jitter);
                out.extend(random.next().to_le_bytes());
                out.extend(random.next().to_le_bytes());
            }
        }
    }
    out
}

/// Returns the values of quantized blocks as F32.
fn unpacked(kind: TensorType, blocks: &[u8]) -> Vec<u8> {
    const MXFP4: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let (values, bytes) = kind.block();
    let mut out = Vec::with_capacity(blocks.len() * 4 * values as usize / bytes as usize);
    for block in blocks.chunks_exact(bytes as usize) {
        let mut push = |value: f32| out.extend(value.to_le_bytes());
        match kind {
            TensorType::Q8_0 => {
                let scale = whole(u16::from_le_bytes([block[0], block[1]]));
                block[2..].iter().for_each(|&byte| push(scale * f32::from(byte.cast_signed())));
            }
            TensorType::Mxfp4 => {
                let scale = f32::from_bits(u32::from(block[0]) << 23);
                let value = |code: u8| if code < 8 { MXFP4[usize::from(code)] } else { -MXFP4[usize::from(code - 8)] };
                block[1..].iter().for_each(|&pair| push(scale * value(pair & 15)));
                block[1..].iter().for_each(|&pair| push(scale * value(pair >> 4)));
            }
            TensorType::F16 => push(whole(u16::from_le_bytes([block[0], block[1]]))),
            TensorType::F32 => out.extend(block),
        }
    }
    out
}

/// Returns a normal F16 number as F32.
fn whole(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    f32::from_bits(sign | ((u32::from(half & 0x7fff) << 13) + (112 << 23)))
}

/// Deviation of a byte drawn evenly from -127 to 127.
const Q8_0_DEVIATION: f32 = 73.3;

/// Deviation of a four-bit float drawn evenly: its magnitudes are 0, ½, 1, 1½, 2, 3, 4 and 6.
const MXFP4_DEVIATION: f32 = 2.926;

/// Steele, Lea and Flood's `SplitMix64`.
struct Random(u64);

impl Random {
    /// Returns the generator of a tensor, seeded with FNV-1a of its name.
    fn of(seed: u64, name: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        Self(Self(seed).next() ^ hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws from nearly a normal distribution: the sum of four even ones, with a variance of a third.
    fn normal(&mut self, tensor: &Tensor) -> f32 {
        let bits = self.next();
        let sum: u32 = [0, 16, 32, 48].into_iter().map(|at| u32::from((bits >> at) as u16)).sum();
        // Below 2^18, so exact.
        let centred = sum as f32 / 65_536.0 - 2.0;
        tensor.mean + tensor.deviation * 3_f32.sqrt() * centred
    }
}

/// Returns the square root of a row's length.
pub fn square_root(length: u64) -> f32 {
    (length as f32).sqrt()
}

/// Returns a number in IEEE 754 half precision, rounded to nearest, ties to even.
fn half(value: f32) -> u16 {
    let sign = (value.to_bits() >> 16) as u16 & 0x8000;
    let magnitude = value.abs();
    if magnitude < 1.0 / 16_384.0 {
        // Subnormal: counts of 2^-24.
        return sign | (magnitude * 16_777_216.0).round_ties_even() as u16;
    }
    let rebiased = magnitude.to_bits() - (112 << 23);
    let rounded = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13;
    sign | rounded.min(0x7c00) as u16
}

/// Returns the exponent byte of the power of two nearest `scale`.
fn exponent(scale: f32) -> u8 {
    let rounded = scale * std::f32::consts::SQRT_2;
    (rounded.to_bits() >> 23) as u8
}
