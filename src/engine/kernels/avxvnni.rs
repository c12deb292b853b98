//! AVX-VNNI: registers of 256 bits, as for AVX2, and an instruction that multiplies and adds bytes in one step.

use std::arch::x86_64::*;

use super::avx2::{HALF, add, from_halves, half_powers, heads, transposed};
use super::block::{Block8, MXFP4_UNSIGNED as TABLE, MXFP4_ZERO, quantize8};
use super::walk::each_block;
use super::{Format, KernelSet, Panel, ROWS, Routine, Rows};

pub static KERNELS: KernelSet = KernelSet {
    name: "AVX-VNNI",
    mxfp4: Routine { block: size_of::<Block8>(), quantize: quantize::<MXFP4_ZERO>, multiply: multiply_mxfp4 },
    q8_0: Routine { block: size_of::<Block8>(), quantize: quantize::<128>, multiply: multiply_q8_0 },
    attend: super::avx2::attend,
};

pub fn is_supported() -> bool {
    super::avx2::is_supported() && is_x86_feature_detected!("avxvnni")
}

/// 32 weights of each row: the first 16, then the others. A register has four of each row.
type Weights = [[__m256i; 4]; 2];

#[target_feature(enable = "avx2,fma")]
unsafe fn quantize<const ZERO: i32>(values: *const f32, blocks: usize, to: *mut u8, step: usize) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { quantize8::<ZERO>(values, blocks, to, step) }
}

/// Adds the products of a block of unsigned weights of eight rows to the sums of all columns.
///
/// # Safety
///
/// There is a block of activations for each column, and eight sums every [`ROWS`] numbers.
#[inline]
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn add_all(weights: &Weights, scales: __m256, activations: *const Block8, columns: usize, sums: *mut f32) {
    let [first, second] = weights;
    for column in 0..columns {
        // SAFETY: as the caller says.
        unsafe {
            let block = &*activations.add(column);
            let four =
                |place: usize| _mm256_set1_epi32(block.values.as_ptr().cast::<i32>().add(place).read_unaligned());
            let even = _mm256_dpbusd_avx_epi32(_mm256_set1_epi32(block.correction), first[0], four(0));
            let odd = _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), first[1], four(1));
            let even = _mm256_dpbusd_avx_epi32(even, first[2], four(2));
            let odd = _mm256_dpbusd_avx_epi32(odd, first[3], four(3));
            let even = _mm256_dpbusd_avx_epi32(even, second[0], four(4));
            let odd = _mm256_dpbusd_avx_epi32(odd, second[1], four(5));
            let even = _mm256_dpbusd_avx_epi32(even, second[2], four(6));
            let odd = _mm256_dpbusd_avx_epi32(odd, second[3], four(7));
            add(sums.add(column * ROWS), _mm256_add_epi32(even, odd), scales, block.scale);
        }
    }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn multiply_mxfp4(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Mxfp4.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(TABLE.as_ptr().cast()));
        let low = _mm256_set1_epi8(15);
        each_block::<Block8, BYTES, HALF>(rows, panel, sums, |bytes, activations, sums| {
            let scales = half_powers(_mm256_and_si256(heads(bytes, rows.stride), _mm256_set1_epi32(0xff)));
            let [a, b, c, d] = transposed(bytes.add(1), rows.stride);
            let lower = |codes: __m256i| _mm256_shuffle_epi8(table, _mm256_and_si256(codes, low));
            let upper = |codes: __m256i| lower(_mm256_srli_epi16::<4>(codes));
            let weights = [[lower(a), lower(b), lower(c), lower(d)], [upper(a), upper(b), upper(c), upper(d)]];
            add_all(&weights, scales, activations, panel.columns, sums);
        });
    }
}

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn multiply_q8_0(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Q8_0.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        // A number with a sign becomes one without: 128 is added.
        let changed = |weights: __m256i| _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
        let raised = |[a, b, c, d]: [__m256i; 4]| [changed(a), changed(b), changed(c), changed(d)];
        each_block::<Block8, BYTES, HALF>(rows, panel, sums, |bytes, activations, sums| {
            let scales = from_halves(heads(bytes, rows.stride));
            let first = raised(transposed(bytes.add(2), rows.stride));
            let second = raised(transposed(bytes.add(18), rows.stride));
            add_all(&[first, second], scales, activations, panel.columns, sums);
        });
    }
}
