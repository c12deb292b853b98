//! AVX-512 with VNNI: a register holds four weights of each of 16 rows.

use std::arch::x86_64::*;

use super::attention::{self, Attention};
use super::block::{Block8, MXFP4_UNSIGNED as TABLE, MXFP4_ZERO, quantize8};
use super::lanes::{LANES, Lanes};
use super::walk::each_block;
use super::{Format, KernelSet, Panel, ROWS, Routine, Rows};

pub static KERNELS: KernelSet = KernelSet {
    name: "AVX512 VNNI",
    mxfp4: Routine { block: size_of::<Block8>(), quantize: quantize::<MXFP4_ZERO>, multiply: multiply_mxfp4 },
    q8_0: Routine { block: size_of::<Block8>(), quantize: quantize::<128>, multiply: multiply_q8_0 },
    attend,
};

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]
unsafe fn attend(attention: &Attention, piece: usize, memory: *mut f32) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { attention::attend::<__m512>(attention, piece, memory) }
}

pub fn is_supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

/// 32 weights of each row: the first 16, then the others. A register has four of each row.
type Weights = [[__m512i; 4]; 2];

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn quantize<const ZERO: i32>(values: *const f32, blocks: usize, to: *mut u8, step: usize) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { quantize8::<ZERO>(values, blocks, to, step) }
}

/// Returns 16 bytes of each of 16 rows as four registers: the first has the first four bytes of each row, and so on.
///
/// # Safety
///
/// Each row has 16 bytes at `first`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn transposed(first: *const u8, stride: usize) -> [__m512i; 4] {
    // SAFETY: as the caller says.
    let row = |row: usize| unsafe { _mm_loadu_si128(first.add(row * stride).cast()) };
    let four = |number: usize| {
        let rows = _mm512_castsi128_si512(row(number));
        let rows = _mm512_inserti32x4::<1>(rows, row(number + 4));
        let rows = _mm512_inserti32x4::<2>(rows, row(number + 8));
        _mm512_inserti32x4::<3>(rows, row(number + 12))
    };
    let (row0, row1, row2, row3) = (four(0), four(1), four(2), four(3));
    let low01 = _mm512_unpacklo_epi32(row0, row1);
    let low23 = _mm512_unpacklo_epi32(row2, row3);
    let high01 = _mm512_unpackhi_epi32(row0, row1);
    let high23 = _mm512_unpackhi_epi32(row2, row3);
    [
        _mm512_unpacklo_epi64(low01, low23),
        _mm512_unpackhi_epi64(low01, low23),
        _mm512_unpacklo_epi64(high01, high23),
        _mm512_unpackhi_epi64(high01, high23),
    ]
}

/// Returns the first four bytes of each of 16 rows.
///
/// # Safety
///
/// Each row has 16 bytes at `first`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn heads(first: *const u8, stride: usize) -> __m512i {
    // SAFETY: as the caller says.
    let [heads, ..] = unsafe { transposed(first, stride) };
    heads
}

/// Returns the halved powers of two that 16 codes stand for.
#[inline]
#[target_feature(enable = "avx512f")]
fn half_powers(codes: __m512i) -> __m512 {
    let one = _mm512_set1_epi32(1);
    let normal = _mm512_slli_epi32::<23>(_mm512_sub_epi32(codes, one));
    // The codes 0 and 1 stand for the bits 21 and 22 of a denormal number.
    let is_denormal = _mm512_cmple_epi32_mask(codes, one);
    _mm512_castsi512_ps(_mm512_mask_slli_epi32::<21>(normal, is_denormal, _mm512_add_epi32(codes, one)))
}

/// Returns the values of 16 F16 numbers in the lower halves of the lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn from_halves(lanes: __m512i) -> __m512 {
    _mm512_cvtph_ps(_mm512_cvtepi32_epi16(lanes))
}

/// Adds the products of a block of unsigned weights to the sums of all columns.
///
/// # Safety
///
/// There is a block of activations for each column, and [`ROWS`] sums.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn add(weights: &Weights, scales: __m512, activations: *const Block8, columns: usize, sums: *mut f32) {
    let [first, second] = weights;
    for column in 0..columns {
        // SAFETY: as the caller says.
        unsafe {
            let block = &*activations.add(column);
            let four =
                |place: usize| _mm512_set1_epi32(block.values.as_ptr().cast::<i32>().add(place).read_unaligned());
            let even = _mm512_dpbusd_epi32(_mm512_set1_epi32(block.correction), first[0], four(0));
            let odd = _mm512_dpbusd_epi32(_mm512_setzero_si512(), first[1], four(1));
            let even = _mm512_dpbusd_epi32(even, first[2], four(2));
            let odd = _mm512_dpbusd_epi32(odd, first[3], four(3));
            let even = _mm512_dpbusd_epi32(even, second[0], four(4));
            let odd = _mm512_dpbusd_epi32(odd, second[1], four(5));
            let even = _mm512_dpbusd_epi32(even, second[2], four(6));
            let odd = _mm512_dpbusd_epi32(odd, second[3], four(7));
            let products = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
            let scale = _mm512_mul_ps(scales, _mm512_set1_ps(block.scale));
            let sums = sums.add(column * ROWS);
            _mm512_storeu_ps(sums, _mm512_fmadd_ps(products, scale, _mm512_loadu_ps(sums)));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply_mxfp4(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Mxfp4.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        let table = _mm512_broadcast_i32x4(_mm_loadu_si128(TABLE.as_ptr().cast()));
        let low = _mm512_set1_epi8(15);
        each_block::<Block8, BYTES, ROWS>(rows, panel, sums, |bytes, activations, sums| {
            let scales = half_powers(_mm512_and_si512(heads(bytes, rows.stride), _mm512_set1_epi32(0xff)));
            let [a, b, c, d] = transposed(bytes.add(1), rows.stride);
            let lower = |codes: __m512i| _mm512_shuffle_epi8(table, _mm512_and_si512(codes, low));
            let upper = |codes: __m512i| lower(_mm512_srli_epi16::<4>(codes));
            let weights = [[lower(a), lower(b), lower(c), lower(d)], [upper(a), upper(b), upper(c), upper(d)]];
            add(&weights, scales, activations, panel.columns, sums);
        });
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply_q8_0(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Q8_0.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        // A number with a sign becomes one without: 128 is added.
        let changed = |weights: __m512i| _mm512_xor_si512(weights, _mm512_set1_epi8(-128));
        let raised = |[a, b, c, d]: [__m512i; 4]| [changed(a), changed(b), changed(c), changed(d)];
        each_block::<Block8, BYTES, ROWS>(rows, panel, sums, |bytes, activations, sums| {
            let scales = from_halves(heads(bytes, rows.stride));
            let first = raised(transposed(bytes.add(2), rows.stride));
            let second = raised(transposed(bytes.add(18), rows.stride));
            add(&[first, second], scales, activations, panel.columns, sums);
        });
    }
}

// SAFETY of all blocks: the methods are inlined into functions for AVX-512, as the trait says, and arrays have 16
// numbers.
impl Lanes for __m512 {
    #[inline(always)]
    fn splat(number: f32) -> Self {
        unsafe { _mm512_set1_ps(number) }
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Self {
        unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), self) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        unsafe { _mm512_fmadd_ps(self, factor, summand) }
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        // The instruction returns the second number unless the first is larger.
        unsafe { _mm512_max_ps(self, other) }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        unsafe {
            let bits = _mm512_slli_epi32::<23>(_mm512_castps_si512(self));
            _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(127 << 23)))
        }
    }

    #[inline(always)]
    fn if_above(self, least: Self, result: Self) -> Self {
        unsafe {
            let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self, least);
            let kept = _mm512_mask_blend_ps(below, result, _mm512_setzero_ps());
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self, self), kept, self)
        }
    }
}
