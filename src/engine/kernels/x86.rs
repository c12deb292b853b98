//! The prefetch that all kernels of x86 share.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::{ROWS, Rows};

/// Asks for the weights of the next rows, as many bytes as one block of each of these rows has.
///
/// The processor sees one row as one stream, and this many streams are too many for it.
#[inline]
#[target_feature(enable = "sse")]
pub fn fetch_ahead<const BYTES: usize>(rows: Rows, number: usize) {
    let next = rows.first.wrapping_add(ROWS * (rows.stride + number * BYTES));
    for line in 0..(ROWS * BYTES).div_ceil(64) {
        _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(line * 64).cast());
    }
}
