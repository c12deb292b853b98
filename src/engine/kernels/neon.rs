//! NEON with dot products: a register holds four weights of each of four rows, with their signs.

use std::arch::aarch64::*;
use std::arch::asm;

use super::attention::{self, Attention};
use super::block::{Block8, MXFP4 as TABLE, quantize8};
use super::lanes::{LANES, Lanes};
use super::walk::each_block;
use super::{Format, KernelSet, Panel, ROWS, Routine, Rows};

pub static KERNELS: KernelSet = KernelSet {
    name: "NEON dotprod",
    mxfp4: Routine { block: size_of::<Block8>(), quantize: quantize8::<0>, multiply: multiply_mxfp4 },
    q8_0: Routine { block: size_of::<Block8>(), quantize: quantize8::<0>, multiply: multiply_q8_0 },
    attend,
};

#[target_feature(enable = "neon")]
unsafe fn attend(attention: &Attention, piece: usize, memory: *mut f32) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { attention::attend::<Sixteen>(attention, piece, memory) }
}

pub fn is_supported() -> bool {
    std::arch::is_aarch64_feature_detected!("dotprod")
}

/// Rows whose weights are in registers at once.
const HALF: usize = ROWS / 2;

/// A block's weights of four rows, and their scales. A register has four weights of each row.
#[derive(Clone, Copy)]
struct Four {
    /// The first 16 weights of each row.
    first: [int8x16_t; 4],
    /// The other 16.
    second: [int8x16_t; 4],
    scales: float32x4_t,
}

/// Adds products to `$sums`: of the bytes of `$weights` and the four bytes of `$values` at a place.
///
/// The function for it in the standard library is not stable yet.
macro_rules! dot {
    ($sums:expr, $weights:expr, $values:expr, $place:literal) => {{
        let mut sums: int32x4_t = $sums;
        asm!(
            concat!("sdot {sums:v}.4s, {weights:v}.16b, {values:v}.4b[", $place, "]"),
            sums = inout(vreg) sums,
            weights = in(vreg) $weights,
            values = in(vreg) $values,
            options(pure, nomem, nostack, preserves_flags),
        );
        sums
    }};
}

/// Returns 16 bytes of each of four rows as four registers: the first has the first four bytes of each row, and so on.
///
/// # Safety
///
/// Each row has 16 bytes at `first`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn transposed(first: *const u8, stride: usize) -> [uint8x16_t; 4] {
    // SAFETY: as the caller says.
    let row = |row: usize| unsafe { vreinterpretq_u32_u8(vld1q_u8(first.add(row * stride))) };
    let (row0, row1, row2, row3) = (row(0), row(1), row(2), row(3));
    let even01 = vreinterpretq_u64_u32(vtrn1q_u32(row0, row1));
    let even23 = vreinterpretq_u64_u32(vtrn1q_u32(row2, row3));
    let odd01 = vreinterpretq_u64_u32(vtrn2q_u32(row0, row1));
    let odd23 = vreinterpretq_u64_u32(vtrn2q_u32(row2, row3));
    [
        vreinterpretq_u8_u64(vtrn1q_u64(even01, even23)),
        vreinterpretq_u8_u64(vtrn1q_u64(odd01, odd23)),
        vreinterpretq_u8_u64(vtrn2q_u64(even01, even23)),
        vreinterpretq_u8_u64(vtrn2q_u64(odd01, odd23)),
    ]
}

/// Returns the first four bytes of each of four rows.
///
/// # Safety
///
/// Each row has 16 bytes at `first`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn heads(first: *const u8, stride: usize) -> uint32x4_t {
    // SAFETY: as the caller says.
    let [heads, ..] = unsafe { transposed(first, stride) };
    vreinterpretq_u32_u8(heads)
}

/// Returns the halved powers of two that four codes stand for.
#[inline]
#[target_feature(enable = "neon")]
fn half_powers(codes: uint32x4_t) -> float32x4_t {
    let normal = vshlq_n_u32::<23>(vsubq_u32(codes, vdupq_n_u32(1)));
    let denormal = vshlq_u32(vdupq_n_u32(0x0020_0000), vreinterpretq_s32_u32(codes));
    vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(codes, vdupq_n_u32(2)), denormal, normal))
}

/// Returns the values of four F16 numbers in the lower halves of the lanes.
#[inline]
#[target_feature(enable = "neon")]
fn from_halves(lanes: uint32x4_t) -> float32x4_t {
    vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(lanes)))
}

/// Unpacks a block of MXFP4 of four rows.
///
/// # Safety
///
/// Each row has a block at `first`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn mxfp4(first: *const u8, stride: usize) -> Four {
    // SAFETY: as the caller says. The table has 16 bytes.
    unsafe {
        let table = vld1q_s8(TABLE.as_ptr());
        let lower = |codes: uint8x16_t| vqtbl1q_s8(table, vandq_u8(codes, vdupq_n_u8(15)));
        let upper = |codes: uint8x16_t| vqtbl1q_s8(table, vshrq_n_u8::<4>(codes));
        let [a, b, c, d] = transposed(first.add(1), stride);
        Four {
            first: [lower(a), lower(b), lower(c), lower(d)],
            second: [upper(a), upper(b), upper(c), upper(d)],
            scales: half_powers(vandq_u32(heads(first, stride), vdupq_n_u32(0xff))),
        }
    }
}

/// Reads a block of `Q8_0` of four rows.
///
/// # Safety
///
/// Each row has a block at `first`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn q8_0(first: *const u8, stride: usize) -> Four {
    // SAFETY: as the caller says.
    unsafe {
        let changed = |weights: uint8x16_t| vreinterpretq_s8_u8(weights);
        let signed = |[a, b, c, d]: [uint8x16_t; 4]| [changed(a), changed(b), changed(c), changed(d)];
        Four {
            first: signed(transposed(first.add(2), stride)),
            second: signed(transposed(first.add(18), stride)),
            scales: from_halves(heads(first, stride)),
        }
    }
}

/// Adds the products of a block of eight rows to the sums of all columns.
///
/// # Safety
///
/// There is a block of activations for each column, and eight sums every [`ROWS`] numbers.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add(rows: &[Four; 2], activations: *const Block8, columns: usize, sums: *mut f32) {
    for column in 0..columns {
        // SAFETY: as the caller says.
        unsafe {
            let block = &*activations.add(column);
            let start = vld1q_s8(block.values.as_ptr());
            let end = vld1q_s8(block.values.as_ptr().add(16));
            let add_four = |rows: &Four, sums: *mut f32| {
                let Four { first, second, scales } = rows;
                let lower = dot!(vdupq_n_s32(0), first[0], start, 0);
                let upper = dot!(vdupq_n_s32(0), second[0], end, 0);
                let lower = dot!(lower, first[1], start, 1);
                let upper = dot!(upper, second[1], end, 1);
                let lower = dot!(lower, first[2], start, 2);
                let upper = dot!(upper, second[2], end, 2);
                let lower = dot!(lower, first[3], start, 3);
                let upper = dot!(upper, second[3], end, 3);
                let products = vcvtq_f32_s32(vaddq_s32(lower, upper));
                let scales = vmulq_n_f32(*scales, block.scale);
                vst1q_f32(sums, vfmaq_f32(vld1q_f32(sums), products, scales));
            };
            add_four(&rows[0], sums.add(column * ROWS));
            add_four(&rows[1], sums.add(column * ROWS + 4));
        }
    }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn multiply_mxfp4(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Mxfp4.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        each_block::<Block8, BYTES, HALF>(rows, panel, sums, |bytes, activations, sums| {
            let weights = [mxfp4(bytes, rows.stride), mxfp4(bytes.add(4 * rows.stride), rows.stride)];
            add(&weights, activations, panel.columns, sums);
        });
    }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn multiply_q8_0(rows: Rows, panel: Panel, sums: *mut f32) {
    const BYTES: usize = Format::Q8_0.bytes();
    // SAFETY: the caller gives ROWS rows of that many blocks, a panel of that many columns, and room for all sums.
    unsafe {
        each_block::<Block8, BYTES, HALF>(rows, panel, sums, |bytes, activations, sums| {
            let weights = [q8_0(bytes, rows.stride), q8_0(bytes.add(4 * rows.stride), rows.stride)];
            add(&weights, activations, panel.columns, sums);
        });
    }
}

/// Sixteen numbers in four registers.
#[derive(Clone, Copy)]
struct Sixteen([float32x4_t; 4]);

/// Applies an instruction to each of four registers.
macro_rules! each {
    ($($number:literal)*; $of:expr) => { Sixteen([$($of($number)),*]) };
}

// SAFETY of all blocks: every CPU of this architecture has the instructions, and arrays have 16 numbers.
impl Lanes for Sixteen {
    #[inline(always)]
    fn splat(number: f32) -> Self {
        unsafe { Self([vdupq_n_f32(number); 4]) }
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Self {
        let part = |part: usize| unsafe { vld1q_f32(numbers.as_ptr().add(4 * part)) };
        each!(0 1 2 3; part)
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32; LANES]) {
        for (part, register) in self.0.into_iter().enumerate() {
            unsafe { vst1q_f32(numbers.as_mut_ptr().add(4 * part), register) }
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let part = |part: usize| unsafe { vaddq_f32(self.0[part], other.0[part]) };
        each!(0 1 2 3; part)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let part = |part: usize| unsafe { vmulq_f32(self.0[part], other.0[part]) };
        each!(0 1 2 3; part)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        let part = |part: usize| unsafe { vfmaq_f32(summand.0[part], self.0[part], factor.0[part]) };
        each!(0 1 2 3; part)
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        let part =
            |part: usize| unsafe { vbslq_f32(vcgtq_f32(self.0[part], other.0[part]), self.0[part], other.0[part]) };
        each!(0 1 2 3; part)
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        let part = |part: usize| unsafe {
            let bits = vshlq_n_s32::<23>(vreinterpretq_s32_f32(self.0[part]));
            vreinterpretq_f32_s32(vaddq_s32(bits, vdupq_n_s32(127 << 23)))
        };
        each!(0 1 2 3; part)
    }

    #[inline(always)]
    fn if_above(self, least: Self, result: Self) -> Self {
        let part = |part: usize| unsafe {
            let power = self.0[part];
            let kept = vbslq_f32(vcltq_f32(power, least.0[part]), vdupq_n_f32(0.0), result.0[part]);
            vbslq_f32(vceqq_f32(power, power), kept, power)
        };
        each!(0 1 2 3; part)
    }
}
