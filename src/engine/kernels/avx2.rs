//! AVX2, for CPUs without instructions that multiply and add bytes in one step.

use std::arch::x86_64::*;

use super::attention::{self, Attention};
use super::block::{Block8, Block16, MXFP4_UNSIGNED as TABLE, MXFP4_ZERO, quantize8, quantize16};
use super::lanes::{LANES, Lanes};
use super::walk::each_block;
use super::{COLUMNS, Format, KernelSet, Panel, ROWS, Routine, Rows};

pub static KERNELS: KernelSet = KernelSet {
    name: "AVX2",
    mxfp4: Routine { block: size_of::<Block8>(), quantize: quantize_mxfp4, multiply: multiply_mxfp4 },
    q8_0: Routine { block: size_of::<Block16>(), quantize: quantize_q8_0, multiply: multiply_q8_0 },
    attend,
};

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn attend(attention: &Attention, piece: usize, memory: *mut f32) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { attention::attend::<Pair>(attention, piece, memory) }
}

pub fn is_supported() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

#[target_feature(enable = "avx2,fma")]
unsafe fn quantize_mxfp4(values: *const f32, blocks: usize, to: *mut u8, step: usize) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { quantize8::<MXFP4_ZERO>(values, blocks, to, step) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn quantize_q8_0(values: *const f32, blocks: usize, to: *mut u8, step: usize) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { quantize16(values, blocks, to, step) }
}

/// Half of the rows: as many as a register has lanes of 32 bits.
pub(super) const HALF: usize = ROWS / 2;

/// Returns 16 bytes of each of eight rows as four registers: the first has the first four bytes of each row, and so on.
///
/// # Safety
///
/// Each row has 16 bytes at `first`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transposed(first: *const u8, stride: usize) -> [__m256i; 4] {
    // SAFETY: as the caller says.
    let pair = |row: usize| unsafe {
        let low = _mm_loadu_si128(first.add(row * stride).cast());
        let high = _mm_loadu_si128(first.add((row + 4) * stride).cast());
        _mm256_set_m128i(high, low)
    };
    let (row0, row1, row2, row3) = (pair(0), pair(1), pair(2), pair(3));
    let low01 = _mm256_unpacklo_epi32(row0, row1);
    let low23 = _mm256_unpacklo_epi32(row2, row3);
    let high01 = _mm256_unpackhi_epi32(row0, row1);
    let high23 = _mm256_unpackhi_epi32(row2, row3);
    [
        _mm256_unpacklo_epi64(low01, low23),
        _mm256_unpackhi_epi64(low01, low23),
        _mm256_unpacklo_epi64(high01, high23),
        _mm256_unpackhi_epi64(high01, high23),
    ]
}

/// Returns the first four bytes of each of eight rows.
///
/// # Safety
///
/// Each row has 16 bytes at `first`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn heads(first: *const u8, stride: usize) -> __m256i {
    // SAFETY: as the caller says.
    let row = |row: usize| unsafe { _mm_loadu_si128(first.add(row * stride).cast()) };
    let pair = |number: usize| _mm_unpacklo_epi32(row(number), row(number + 1));
    _mm256_set_m128i(_mm_unpacklo_epi64(pair(4), pair(6)), _mm_unpacklo_epi64(pair(0), pair(2)))
}

/// Returns the halved powers of two that eight codes stand for.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn half_powers(codes: __m256i) -> __m256 {
    let normal = _mm256_slli_epi32(_mm256_sub_epi32(codes, _mm256_set1_epi32(1)), 23);
    let denormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x0020_0000), codes);
    let is_denormal = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), codes);
    _mm256_castsi256_ps(_mm256_blendv_epi8(normal, denormal, is_denormal))
}

/// Returns the values of eight F16 numbers in the lower halves of the lanes.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) fn from_halves(lanes: __m256i) -> __m256 {
    let packed = _mm256_packus_epi32(_mm256_and_si256(lanes, _mm256_set1_epi32(0xffff)), _mm256_setzero_si256());
    let packed = _mm256_permute4x64_epi64::<0b1000>(packed);
    _mm256_cvtph_ps(_mm256_castsi256_si128(packed))
}

/// Adds the products of a block to the sums of a column.
///
/// # Safety
///
/// There are eight sums.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn add(sums: *mut f32, products: __m256i, weights: __m256, activations: f32) {
    let scale = _mm256_mul_ps(weights, _mm256_set1_ps(activations));
    // SAFETY: as the caller says.
    unsafe { _mm256_storeu_ps(sums, _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scale, _mm256_loadu_ps(sums))) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_mxfp4(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Mxfp4.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(TABLE.as_ptr().cast()));
        let low = _mm256_set1_epi8(15);
        let ones = _mm256_set1_epi16(1);
        each_block::<Block8, BYTES, HALF>(rows, panel, sums, |bytes, activations, sums| {
            let codes = transposed(bytes.add(1), rows.stride);
            let scales = half_powers(_mm256_and_si256(heads(bytes, rows.stride), _mm256_set1_epi32(0xff)));
            let values = |codes: __m256i| _mm256_shuffle_epi8(table, _mm256_and_si256(codes, low));
            let [a, b, c, d] = codes;
            let first = [values(a), values(b), values(c), values(d)];
            let upper = |codes: __m256i| values(_mm256_srli_epi16(codes, 4));
            let second = [upper(a), upper(b), upper(c), upper(d)];
            for column in 0..panel.columns {
                let block = &*activations.add(column);
                let four =
                    |place: usize| _mm256_set1_epi32(block.values.as_ptr().cast::<i32>().add(place).read_unaligned());
                // Four products of at most 2 × 24 × 127 each: the sum fits 16 bits.
                let sum = |weights: &[__m256i; 4], place: usize| {
                    let a = _mm256_maddubs_epi16(weights[0], four(place));
                    let b = _mm256_maddubs_epi16(weights[1], four(place + 1));
                    let c = _mm256_maddubs_epi16(weights[2], four(place + 2));
                    let d = _mm256_maddubs_epi16(weights[3], four(place + 3));
                    _mm256_madd_epi16(_mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d)), ones)
                };
                let products = _mm256_add_epi32(sum(&first, 0), sum(&second, 4));
                let products = _mm256_add_epi32(products, _mm256_set1_epi32(block.correction));
                add(sums.add(column * ROWS), products, scales, block.scale);
            }
        });
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn multiply_q8_0(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Q8_0.bytes();
    let mut partial = [_mm256_setzero_si256(); COLUMNS];
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        each_block::<Block16, BYTES, HALF>(rows, panel, sums, |bytes, activations, sums| {
            let scales = from_halves(heads(bytes, rows.stride));
            partial[..panel.columns].fill(_mm256_setzero_si256());
            // 16 weights of each row at a time: their numbers of 16 bits fill eight registers.
            for first in [0, 16] {
                let [a, b, c, d] = transposed(bytes.add(2 + first), rows.stride);
                let even = |bytes: __m256i| _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
                let odd = |bytes: __m256i| _mm256_srai_epi16(bytes, 8);
                let weights = [even(a), odd(a), even(b), odd(b), even(c), odd(c), even(d), odd(d)];
                for column in 0..panel.columns {
                    let values = (*activations.add(column)).values.as_ptr().add(first).cast::<i32>();
                    for (place, weights) in weights.into_iter().enumerate() {
                        let two = _mm256_set1_epi32(values.add(place).read_unaligned());
                        partial[column] = _mm256_add_epi32(partial[column], _mm256_madd_epi16(weights, two));
                    }
                }
            }
            for column in 0..panel.columns {
                add(sums.add(column * ROWS), partial[column], scales, (*activations.add(column)).scale);
            }
        });
    }
}

/// Sixteen numbers in two registers.
#[derive(Clone, Copy)]
struct Pair(__m256, __m256);

// SAFETY of all blocks: the methods are inlined into functions for AVX2, as the trait says, and arrays have 16 numbers.
impl Lanes for Pair {
    #[inline(always)]
    fn splat(number: f32) -> Self {
        unsafe { Self(_mm256_set1_ps(number), _mm256_set1_ps(number)) }
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Self {
        let first = numbers.as_ptr();
        unsafe { Self(_mm256_loadu_ps(first), _mm256_loadu_ps(first.add(8))) }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32; LANES]) {
        let first = numbers.as_mut_ptr();
        unsafe {
            _mm256_storeu_ps(first, self.0);
            _mm256_storeu_ps(first.add(8), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, summand.0), _mm256_fmadd_ps(self.1, factor.1, summand.1)) }
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        // The instruction returns the second number unless the first is larger.
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        let power = |number: __m256| unsafe {
            let bits = _mm256_slli_epi32(_mm256_castps_si256(number), 23);
            _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(127 << 23)))
        };
        Self(power(self.0), power(self.1))
    }

    #[inline(always)]
    fn if_above(self, least: Self, result: Self) -> Self {
        let choose = |power: __m256, least: __m256, result: __m256| unsafe {
            let kept = _mm256_andnot_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(power, least), result);
            _mm256_blendv_ps(kept, power, _mm256_cmp_ps::<_CMP_UNORD_Q>(power, power))
        };
        Self(choose(self.0, least.0, result.0), choose(self.1, least.1, result.1))
    }
}
