//! The container: GGUF version 3, little-endian. Keys and tensors come first, then the tensors' bytes, each at a
//! multiple of 32. Knows nothing of gpt-oss.

use magistrate::gguf::header::Value;
use magistrate::gguf::value;
use magistrate::gguf::write::{RawHeader, RawTensor};

/// Returns everything before the first tensor's bytes, padding included.
pub fn header(metadata: &[(String, Value)], tensors: &[Tensor]) -> Vec<u8> {
    let mut header = RawHeader::empty();
    header.keys = metadata.iter().map(|(key, value)| (key.as_bytes().to_vec(), value::encode(value))).collect();
    let mut offset = 0;
    for tensor in tensors {
        let (name, shape) = (tensor.name.as_bytes().to_vec(), tensor.dimensions.clone());
        header.tensors.push(RawTensor { name, shape, kind: tensor.kind as u32, offset });
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    let mut out = header.bytes();
    out.extend(padding(out.len() as u64));
    out
}

/// Returns the zeros that follow `length` bytes.
pub fn padding(length: u64) -> &'static [u8] {
    let short = length.next_multiple_of(ALIGNMENT) - length;
    &[0; 32][..usize::try_from(short).expect("less than the alignment")]
}

/// The alignment of a file without `general.alignment`.
const ALIGNMENT: u64 = 32;

/// A tensor to be written: the mean and deviation of its values, and the type in which they are stored.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    /// Dimensions, the length of a row first.
    pub dimensions: Vec<u64>,
    pub kind: TensorType,
    /// The type whose numbers are drawn. F32 stores those of any type.
    pub drawn: TensorType,
    pub mean: f32,
    pub deviation: f32,
}

impl Tensor {
    /// Returns the size in the file, without padding.
    pub fn bytes(&self) -> u64 {
        self.rows() * self.row_bytes()
    }

    pub fn rows(&self) -> u64 {
        self.dimensions[1..].iter().product()
    }

    pub fn row_bytes(&self) -> u64 {
        let (values, bytes) = self.kind.block();
        self.dimensions[0] / values * bytes
    }
}

/// The type of stored numbers. The discriminants are ggml's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorType {
    F32 = 0,
    F16 = 1,
    /// 32 signed bytes after an F16 scale.
    Q8_0 = 8,
    /// 32 four-bit floats after a shared exponent.
    Mxfp4 = 39,
}

impl TensorType {
    /// Returns the number of values in a block, and its bytes.
    pub const fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Mxfp4 => (32, 17),
        }
    }

    /// Returns the type with a name in ggml.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "F32" => Self::F32,
            "F16" => Self::F16,
            "Q8_0" => Self::Q8_0,
            "MXFP4" => Self::Mxfp4,
            _ => return None,
        })
    }
}
