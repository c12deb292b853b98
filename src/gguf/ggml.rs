//! Types of tensor values in ggml, and their sizes.

use std::fmt;

/// The type of a tensor's values. They are stored in blocks of a fixed number of values and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Id in a GGUF file.
    pub id: u32,
    /// Name in ggml.
    pub name: &'static str,
    /// Values in a block.
    values: u64,
    /// Bytes of a block.
    bytes: u64,
}

impl Type {
    /// 32-bit floats, which llama.cpp demands for norms, biases and sinks.
    pub const F32: Self = row(0, "F32", 1, 4);

    pub(super) const Q5_0: Self = row(6, "Q5_0", 32, 22);
    pub(super) const Q8_0: Self = row(8, "Q8_0", 32, 34);
    pub(super) const Q4_K: Self = row(12, "Q4_K", 256, 144);

    /// 4-bit floats, 32 with a common exponent. gpt-oss was published in this type.
    pub const MXFP4: Self = row(39, "MXFP4", 32, 17);

    /// Returns the type with an id. `None` if ggml has no such type, or has removed it.
    #[must_use]
    pub fn of(id: u32) -> Option<Self> {
        TYPES.into_iter().find(|kind| kind.id == id)
    }

    /// Returns the bytes of a tensor of this shape. `None` if a dimension is 0, a row is not a whole number of blocks,
    /// or the size exceeds 2⁶³.
    #[must_use]
    pub fn size(self, shape: [u64; 4]) -> Option<u64> {
        if shape.contains(&0) || !shape[0].is_multiple_of(self.values) {
            return None;
        }
        let values = shape.iter().try_fold(1u64, |product, length| product.checked_mul(*length))?;
        let size = (values / self.values).checked_mul(self.bytes)?;
        (i64::try_from(values).is_ok() && i64::try_from(size).is_ok()).then_some(size)
    }

    /// Reports whether llama.cpp multiplies with matrices of this type: floats and quantized weights, but not integers
    /// and types of intermediate results.
    #[must_use]
    pub fn is_weight(self) -> bool {
        !matches!(self.id, 9 | 15 | 24..=28)
    }

    /// Reports whether llama.cpp can rearrange this type for the CPU that this program was built for.
    #[must_use]
    pub(super) fn is_repacked(self) -> bool {
        let arm = cfg!(target_arch = "aarch64") && matches!(self.name, "Q8_0" | "Q5_K" | "Q6_K");
        arm || matches!(self.name, "Q4_0" | "Q4_K" | "IQ4_NL" | "MXFP4")
    }
}

/// Returns a shape of four dimensions. Missing ones are 1.
pub(super) fn padded(dimensions: &[u64]) -> [u64; 4] {
    let mut shape = [1; 4];
    for (length, wanted) in shape.iter_mut().zip(dimensions) {
        *length = *wanted;
    }
    shape
}

impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

const fn row(id: u32, name: &'static str, values: u64, bytes: u64) -> Type {
    Type { id, name, values, bytes }
}

/// All types, from the size assertions in ggml-common.h.
const TYPES: [Type; 35] = [
    Type::F32,
    row(1, "F16", 1, 2),
    row(2, "Q4_0", 32, 18),
    row(3, "Q4_1", 32, 20),
    Type::Q5_0,
    row(7, "Q5_1", 32, 24),
    Type::Q8_0,
    row(9, "Q8_1", 32, 36),
    row(10, "Q2_K", 256, 84),
    row(11, "Q3_K", 256, 110),
    Type::Q4_K,
    row(13, "Q5_K", 256, 176),
    row(14, "Q6_K", 256, 210),
    row(15, "Q8_K", 256, 292),
    row(16, "IQ2_XXS", 256, 66),
    row(17, "IQ2_XS", 256, 74),
    row(18, "IQ3_XXS", 256, 98),
    row(19, "IQ1_S", 256, 50),
    row(20, "IQ4_NL", 32, 18),
    row(21, "IQ3_S", 256, 110),
    row(22, "IQ2_S", 256, 82),
    row(23, "IQ4_XS", 256, 136),
    row(24, "I8", 1, 1),
    row(25, "I16", 1, 2),
    row(26, "I32", 1, 4),
    row(27, "I64", 1, 8),
    row(28, "F64", 1, 8),
    row(29, "IQ1_M", 256, 56),
    row(30, "BF16", 1, 2),
    row(34, "TQ1_0", 256, 54),
    row(35, "TQ2_0", 256, 66),
    Type::MXFP4,
    row(40, "NVFP4", 64, 36),
    row(41, "Q1_0", 128, 18),
    row(42, "Q2_0", 64, 18),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_whole_blocks_or_none() {
        let mxfp4 = Type::of(39).expect("a type");
        assert_eq!(mxfp4.size([2880, 2880, 32, 1]), Some(2880 / 32 * 17 * 2880 * 32));
        assert_eq!(mxfp4.size([33, 1, 1, 1]), None);
        assert_eq!(Type::F32.size([1, 0, 1, 1]), None);
        assert_eq!(Type::F32.size([1 << 32, 1 << 32, 1, 1]), None);
        assert_eq!(Type::F32.size([1 << 62, 1, 1, 1]), None);
        assert_eq!(Type::of(4), None);
    }
}
