//! The walk over the blocks of some rows, which all kernels share.

use super::{Panel, ROWS, Rows};

/// Calls `add` for each block of `HEIGHT` of the rows at a time, in order: with the block's first byte in the first of
/// these rows, the blocks of activations of all columns, and the first of their sums, which begin at zero.
///
/// # Safety
///
/// Each of [`ROWS`] rows has its blocks of `BYTES` bytes, each column has blocks of the type `Block`, and there are
/// [`ROWS`] sums for each column.
#[inline(always)]
pub unsafe fn each_block<Block, const BYTES: usize, const HEIGHT: usize>(
    rows: Rows,
    panel: Panel,
    sums: *mut f32,
    mut add: impl FnMut(*const u8, *const Block, *mut f32),
) {
    // SAFETY: as the caller says.
    unsafe {
        std::ptr::write_bytes(sums, 0, panel.columns * ROWS);
        for number in 0..rows.blocks {
            let activations = panel.first.cast::<Block>().add(number * panel.columns);
            fetch_ahead(rows.first.wrapping_add(ROWS * (rows.stride + number * BYTES)), ROWS * BYTES);
            for row in (0..ROWS).step_by(HEIGHT) {
                add(rows.first.add(row * rows.stride + number * BYTES), activations, sums.add(row));
            }
        }
    }
}

/// Asks for weights of the next rows: as many bytes as one block of each of them has.
///
/// The processor sees one row as one stream, and this many streams are too many for it.
#[inline(always)]
fn fetch_ahead(first: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        fetch(first.wrapping_add(line));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: all CPUs of this architecture have the instruction, which accepts any address.
    #[allow(unused_unsafe, reason = "a build for the machine's own instruction set needs no block")]
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
}

/// The function for it in the standard library is not stable yet.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn fetch(line: *const u8) {
    use std::arch::asm;
    // SAFETY: the instruction is a hint. It does not fail, whatever the address.
    unsafe { asm!("prfm pldl1keep, [{line}]", line = in(reg) line, options(nostack, preserves_flags, readonly)) }
}
