//! The container: GGUF version 3, little-endian. The header lists keys and tensors; the tensors' bytes follow, each at
//! a multiple of 32. Knows nothing of gpt-oss.

/// Everything before the first tensor's bytes, padding included.
pub fn header(metadata: &[(String, Value)], tensors: &[Tensor]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_string(&mut out, key);
        value.put(&mut out);
    }
    let mut offset = 0_u64;
    for tensor in tensors {
        put_string(&mut out, &tensor.name);
        put_u32(&mut out, tensor.dimensions.len());
        for length in &tensor.dimensions {
            out.extend(length.to_le_bytes());
        }
        out.extend((tensor.kind as u32).to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    out.extend(padding(out.len() as u64));
    out
}

/// The zeros that go behind `length` bytes.
pub fn padding(length: u64) -> &'static [u8] {
    let short = length.next_multiple_of(ALIGNMENT) - length;
    &[0; 32][..usize::try_from(short).expect("less than the alignment")]
}

/// Where no `general.alignment` says otherwise.
const ALIGNMENT: u64 = 32;

/// A value of the metadata: of GGUF's types, those that a gpt-oss file uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    U16(u16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Strings(Vec<String>),
    Integers(Vec<i32>),
}

impl Value {
    fn put(&self, out: &mut Vec<u8>) {
        let kind: u32 = match self {
            Self::U16(_) => 2,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Strings(_) | Self::Integers(_) => 9,
        };
        out.extend(kind.to_le_bytes());
        match self {
            Self::U16(value) => out.extend(value.to_le_bytes()),
            Self::U32(value) => out.extend(value.to_le_bytes()),
            Self::I32(value) => out.extend(value.to_le_bytes()),
            Self::F32(value) => out.extend(value.to_le_bytes()),
            Self::Bool(value) => out.push(u8::from(*value)),
            Self::String(value) => put_string(out, value),
            Self::Strings(values) => {
                out.extend(8_u32.to_le_bytes());
                out.extend((values.len() as u64).to_le_bytes());
                for value in values {
                    put_string(out, value);
                }
            }
            Self::Integers(values) => {
                out.extend(5_u32.to_le_bytes());
                out.extend((values.len() as u64).to_le_bytes());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
    }
}

/// A tensor to be: where its values lie around, and in what form they are stored.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    /// Row length first.
    pub dimensions: Vec<u64>,
    pub kind: TensorType,
    pub mean: f32,
    pub deviation: f32,
}

impl Tensor {
    /// Size in the file, without padding.
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

/// How numbers are stored; the discriminants are ggml's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorType {
    F32 = 0,
    F16 = 1,
    /// 32 signed bytes behind an F16 scale.
    Q8_0 = 8,
    /// 32 four-bit floats behind a shared exponent.
    Mxfp4 = 39,
}

impl TensorType {
    /// How many values a block holds, and in how many bytes.
    pub const fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Mxfp4 => (32, 17),
        }
    }

    /// The type that ggml calls so.
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

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_u32(out: &mut Vec<u8>, number: usize) {
    out.extend(u32::try_from(number).expect("a tensor has few dimensions").to_le_bytes());
}
