//! Matrix products of quantized weights and F32 activations, for CPUs.
//!
//! llama.cpp unpacks a weight anew for each token that it multiplies. These kernels unpack 16 rows of weights once, in
//! registers, and multiply them by all tokens that need them. They read weights in the layout of GGUF, so a model
//! stays mapped as it is: no copy in memory, no slower start.
//!
//! Activations become blocks of 32 numbers of 8 bits with one scale, as in llama.cpp. Products within a block are exact
//! integers. Blocks are added in their order, with one rounding each. So a sum depends on its row and its column only:
//! not on the other columns, the number of threads, or the instruction set.
//!
//! [`product`] parts the work between threads. `scalar` is the reference that the others are tested against.
#![allow(unsafe_code, clippy::wildcard_imports, clippy::cast_ptr_alignment, reason = "instructions work on memory")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers have 8 bits, and sizes are below 2^31"
)]
#![allow(clippy::inline_always, reason = "a function is compiled anew for each instruction set, inside its callers")]
#![allow(clippy::needless_range_loop, reason = "compilers vectorize a loop over a range")]

pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
mod block;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod pieces;
pub mod product;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod walk;

/// Rows of weights that a kernel multiplies at once.
pub const ROWS: usize = 16;

/// Weights, or activations, that share a scale.
pub const BLOCK: usize = 32;

/// Most columns of a panel. Activations of this many tokens stay in a core's cache beside the weights.
pub const COLUMNS: usize = 64;

/// A format of weights that the kernels read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A scale of 8 bits, a power of two, then 32 numbers of 4 bits.
    Mxfp4,
    /// A scale in F16, then 32 numbers of 8 bits.
    Q8_0,
}

impl Format {
    /// Bytes of a block.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Mxfp4 => 17,
            Self::Q8_0 => 34,
        }
    }
}

/// The first rows of a matrix of weights.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The first row's first block.
    pub first: *const u8,
    /// Bytes from a row to the next.
    pub stride: usize,
    /// Blocks of a row.
    pub blocks: usize,
}

/// Activations of some columns: the first block of each column, then the second of each, and so on.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// The first column's first block.
    pub first: *const u8,
    /// The number of columns, from 1 to [`COLUMNS`].
    pub columns: usize,
}

/// The two functions of a kernel for one format of weights.
#[derive(Clone, Copy)]
pub struct Routine {
    /// Bytes of a block of activations.
    pub block: usize,
    /// Writes a column's blocks: reads 32 values for each of `blocks`, and writes one block every `step` bytes.
    pub quantize: unsafe fn(values: *const f32, blocks: usize, to: *mut u8, step: usize),
    /// Multiplies [`ROWS`] rows by a panel. Writes [`ROWS`] sums for each column.
    pub multiply: unsafe fn(rows: Rows, panel: Panel, sums: *mut f32),
}

/// The kernels for one instruction set.
pub struct KernelSet {
    /// The name of the instruction set, as `doctor` shows it.
    pub name: &'static str,
    mxfp4: Routine,
    q8_0: Routine,
    /// Computes a piece of attention.
    pub attend: attention::Attend,
}

impl KernelSet {
    /// The fastest kernels for this CPU. `None` if it has none of the instruction sets.
    #[must_use]
    pub fn for_this_cpu() -> Option<&'static Self> {
        Self::all().into_iter().next_back().filter(|kernels| kernels.name != scalar::KERNELS.name)
    }

    /// All kernels that this CPU can run, the fastest last. The first are the scalar reference.
    #[must_use]
    pub fn all() -> Vec<&'static Self> {
        let mut all = vec![&scalar::KERNELS];
        #[cfg(target_arch = "x86_64")]
        if avx2::is_supported() {
            all.push(&avx2::KERNELS);
        }
        #[cfg(target_arch = "x86_64")]
        if avxvnni::is_supported() {
            all.push(&avxvnni::KERNELS);
        }
        #[cfg(target_arch = "x86_64")]
        if avx512::is_supported() {
            all.push(&avx512::KERNELS);
        }
        #[cfg(target_arch = "aarch64")]
        if neon::is_supported() {
            all.push(&neon::KERNELS);
        }
        all
    }

    /// The functions for a format of weights.
    #[must_use]
    pub const fn routine(&self, format: Format) -> &Routine {
        match format {
            Format::Mxfp4 => &self.mxfp4,
            Format::Q8_0 => &self.q8_0,
        }
    }
}
