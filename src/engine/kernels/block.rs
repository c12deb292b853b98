//! Blocks of weights and of activations: what their bytes mean.

use super::BLOCK;

/// The values of MXFP4's 16 codes, doubled, so that all are integers. The scale is halved instead.
pub const MXFP4: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Added to [`MXFP4`] it makes all values unsigned, as some instructions need.
pub const MXFP4_ZERO: i32 = 12;

/// [`MXFP4`], with [`MXFP4_ZERO`] added.
pub const MXFP4_UNSIGNED: [u8; 16] = [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

/// Returns half of the power of two that a scale of MXFP4 stands for, as llama.cpp reads it: 2 to the `code` - 128.
#[inline(always)]
pub const fn half_power(code: u8) -> f32 {
    // Below 2^-126 the number is denormal: its bit moves within the mantissa.
    let bits = if code < 2 { 0x0020_0000 << code } else { (code as u32 - 1) << 23 };
    f32::from_bits(bits)
}

/// Returns the value of an F16 number. In a form that compilers vectorize.
#[inline(always)]
pub fn from_half(bits: u16) -> f32 {
    let bits = u32::from(bits);
    // The exponent's bias differs by 112. The product is exact, for denormal numbers too.
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | (bits & 0x8000) << 16)
}

/// A block of activations in 8 bits.
///
/// For an instruction that needs unsigned weights, a constant is added to each weight. `correction` takes it off again.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block8 {
    pub scale: f32,
    pub correction: i32,
    pub values: [i8; BLOCK],
}

/// A block of activations in 16 bits, with values of 8 bits. In each group of four, the second and the third changed
/// places.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block16 {
    pub scale: f32,
    pub values: [i16; BLOCK],
}

/// Activations below this count as zero. It keeps their scale's inverse finite.
const LEAST: f32 = 1e-30;

/// Rounds 32 activations to numbers from -127 to 127 and a scale. A value that is not finite makes the scale NaN.
#[inline(always)]
fn rounded(values: &[f32; BLOCK]) -> (f32, [i8; BLOCK]) {
    // Magnitudes compare as their bits do, and NaN is the largest.
    let mut most = 0;
    for value in values {
        most = most.max((value.to_bits() & 0x7fff_ffff) as i32);
    }
    let most = f32::from_bits(most as u32);
    let usable = most.is_finite() && most >= LEAST;
    let inverse = if usable { 127.0 / most } else { 0.0 };
    let scale = if usable {
        most / 127.0
    } else if most < LEAST {
        0.0
    } else {
        f32::NAN
    };
    let mut numbers = [0; BLOCK];
    if usable {
        for (number, value) in numbers.iter_mut().zip(values) {
            // SAFETY: the product is at most 127 and a rounding error in magnitude.
            *number = unsafe { (value * inverse).round_ties_even().to_int_unchecked::<i32>() } as i8;
        }
    }
    (scale, numbers)
}

/// Makes blocks for weights to which `ZERO` was added.
///
/// # Safety
///
/// There are 32 values for each block, and room for all blocks.
#[inline(always)]
pub unsafe fn quantize8<const ZERO: i32>(values: *const f32, blocks: usize, to: *mut u8, step: usize) {
    for number in 0..blocks {
        // SAFETY: as the caller says.
        let (scale, numbers) = rounded(unsafe { &*values.add(number * BLOCK).cast() });
        let sum: i32 = numbers.iter().map(|&number| i32::from(number)).sum();
        let block = Block8 { scale, correction: -ZERO * sum, values: numbers };
        // SAFETY: as the caller says.
        unsafe { to.add(number * step).cast::<Block8>().write_unaligned(block) };
    }
}

/// Makes blocks of 16 bits.
///
/// # Safety
///
/// There are 32 values for each block, and room for all blocks.
#[inline(always)]
pub unsafe fn quantize16(values: *const f32, blocks: usize, to: *mut u8, step: usize) {
    for number in 0..blocks {
        // SAFETY: as the caller says.
        let (scale, numbers) = rounded(unsafe { &*values.add(number * BLOCK).cast() });
        let mut wide = [0; BLOCK];
        for (four, numbers) in wide.as_chunks_mut::<4>().0.iter_mut().zip(numbers.as_chunks::<4>().0) {
            *four = [numbers[0], numbers[2], numbers[1], numbers[3]].map(i16::from);
        }
        // SAFETY: as the caller says.
        unsafe { to.add(number * step).cast::<Block16>().write_unaligned(Block16 { scale, values: wide }) };
    }
}
