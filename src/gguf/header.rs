//! The header of a GGUF file: metadata and the list of tensors. Versions 2 and 3, little-endian.
//!
//! The one idea: no number of the file is believed before it is compared with what is left of the file, and of the
//! room that headers may take. So a hostile header costs little memory whatever it says and however long its
//! file is, and none of it makes a panic. What is accepted here llama.cpp's own reader accepts too.
//!
//! It does not know what the keys and tensors mean, and reads none of the tensors' data.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};

use super::ggml::Type;
use super::source::Source;
use crate::text::shown;
use crate::tokenizer::Strings;

/// The header of one GGUF file.
#[derive(Debug)]
pub struct Header {
    metadata: HashMap<String, Value>,
    /// The tensors, in the order of their data.
    pub tensors: Vec<Tensor>,
    /// To this many bytes the data of every tensor is aligned.
    pub alignment: u64,
    /// The length of the header in bytes, without the padding behind it.
    pub length: u64,
    /// Where the data begins, in bytes from the beginning of the file.
    pub data: u64,
}

/// One metadata value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    U64(u64),
    I64(i64),
    F64(f64),
    /// An array of strings.
    Strings(Strings),
    /// An array of `i32`.
    I32s(Vec<i32>),
    /// An array of truth values.
    Bools(Vec<bool>),
    /// An array of some other type of number, by the id of that type; its elements are left where they are.
    Array {
        kind: u32,
        count: u64,
    },
}

/// One tensor, as the header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its dimensions, the contiguous one first; those that it lacks are 1.
    pub shape: [u64; 4],
    /// The type of its values.
    pub kind: Type,
    /// Where its data begins, in bytes from the beginning of the data.
    pub offset: u64,
    /// The length of its data in bytes.
    pub size: u64,
}

/// Why a header could not be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum GgufError {
    #[error("it could not be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is not a GGUF file: it begins with {0:?}")]
    Magic([u8; 4]),
    #[error("it is a big-endian GGUF file")]
    BigEndian,
    #[error("its GGUF version is {0}; 2 and 3 are known")]
    Version(u32),
    #[error("the file ends at {size} bytes, within its header ({what} at {place} would need {length} bytes)")]
    Short { what: &'static str, place: u64, length: u64, size: u64 },
    #[error("its header is larger than {} MB, more than any gpt-oss model has", LIMIT >> 20)]
    Long,
    #[error("{what} is not text")]
    Text { what: String },
    #[error("the key `{0}` stands there twice")]
    DuplicateKey(String),
    #[error("the value of `{key}` has the unknown type {kind}")]
    ValueType { key: String, kind: u32 },
    #[error("the alignment is not a power of two")]
    Alignment,
    #[error("the tensor `{0}` stands there twice")]
    DuplicateTensor(String),
    #[error("the name of a tensor, `{0}`, is longer than 63 bytes")]
    TensorName(String),
    #[error("the tensor `{tensor}` has the unknown type {kind}")]
    TensorType { tensor: String, kind: u32 },
    #[error("the tensor `{0}` has a shape that is not possible for its type")]
    Shape(String),
    #[error("the data of tensor `{tensor}` should begin at {expected}, not at {found}")]
    Offset { tensor: String, expected: u64, found: u64 },
}

/// The bytes that the headers of a model may have, all parts together, with [`ENTRY`] for each key, tensor and part.
/// With the whole vocabulary it is 13 MB. What is read of a header is held in as many bytes, and for a moment in twice as
/// many.
pub(super) const LIMIT: u64 = 24 << 20;
/// What an entry takes beside its bytes, at most.
pub(super) const ENTRY: u64 = 512;
/// llama.cpp asserts shorter names, in bytes.
const NAME: usize = 63;
const DEFAULT_ALIGNMENT: u64 = 32;

impl Header {
    /// Reads the header of a file of `size` bytes, from its beginning.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(file: impl Read, size: u64) -> Result<Self, GgufError> {
        Self::read_within(file, size, &mut LIMIT.clone())
    }

    /// The same within `room`, of which what was read is taken.
    pub(super) fn read_within(file: impl Read, size: u64, room: &mut u64) -> Result<Self, GgufError> {
        let mut source = Source::new(file, size, *room);
        let magic = source.array("the magic number")?;
        if magic != *b"GGUF" {
            return Err(GgufError::Magic(magic));
        }
        match source.u32("the version")? {
            2 | 3 => {}
            version if version.trailing_zeros() >= 16 => return Err(GgufError::BigEndian),
            version => return Err(GgufError::Version(version)),
        }
        let tensors = source.u64("the number of tensors")?;
        let keys = source.u64("the number of keys")?;
        let metadata = metadata(&mut source, keys)?;
        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::U32(alignment)) if alignment.is_power_of_two() => u64::from(*alignment),
            Some(_) => return Err(GgufError::Alignment),
        };
        let tensors = self::tensors(&mut source, tensors, alignment)?;
        let length = source.place;
        *room = source.room;
        Ok(Self {
            metadata,
            tensors,
            alignment,
            length,
            data: length.next_multiple_of(alignment), // both are far below 2^63
        })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// Takes the value of a key out, for what is too large to copy.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.metadata.remove(key)
    }

    /// Lets go of all keys.
    pub(super) fn forget(&mut self) {
        self.metadata = HashMap::new();
    }
}

fn metadata<R: Read>(source: &mut Source<R>, keys: u64) -> Result<HashMap<String, Value>, GgufError> {
    let mut metadata = HashMap::new();
    for _ in 0..keys {
        source.entry()?;
        let key = source.string("a key")?;
        if key.is_empty() {
            return Err(GgufError::Text { what: "an empty key".into() });
        }
        let value = value(source, &key)?;
        if metadata.contains_key(&key) {
            return Err(GgufError::DuplicateKey(shown(&key)));
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

const ARRAY: u32 = 9;

fn value<R: Read>(source: &mut Source<R>, key: &str) -> Result<Value, GgufError> {
    let what = "a value";
    let kind = source.u32(what)?;
    Ok(match kind {
        0 => Value::U8(u8::from_le_bytes(source.array(what)?)),
        1 => Value::I8(i8::from_le_bytes(source.array(what)?)),
        2 => Value::U16(u16::from_le_bytes(source.array(what)?)),
        3 => Value::I16(i16::from_le_bytes(source.array(what)?)),
        4 => Value::U32(source.u32(what)?),
        5 => Value::I32(i32::from_le_bytes(source.array(what)?)),
        6 => Value::F32(f32::from_le_bytes(source.array(what)?)),
        7 => Value::Bool(source.array::<1>(what)? != [0]),
        8 => Value::String(source.text(|| format!("the value of `{}`", shown(key)))?),
        ARRAY => self::array(source, key)?,
        10 => Value::U64(source.u64(what)?),
        11 => Value::I64(i64::from_le_bytes(source.array(what)?)),
        12 => Value::F64(f64::from_le_bytes(source.array(what)?)),
        kind => {
            return Err(GgufError::ValueType { key: shown(key), kind });
        }
    })
}

fn array<R: Read>(source: &mut Source<R>, key: &str) -> Result<Value, GgufError> {
    let what = "an array";
    let kind = source.u32(what)?;
    let count = source.u64(what)?;
    let width = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8, // of a string, at least its length
        kind => {
            return Err(GgufError::ValueType { key: shown(key), kind });
        } // arrays of arrays too
    };
    source.has(what, count.saturating_mul(width))?;
    match kind {
        5 => source.elements(count, |source| source.array(what).map(i32::from_le_bytes)).map(Value::I32s),
        7 => source.elements(count, |source| source.array::<1>(what).map(|byte| byte != [0])).map(Value::Bools),
        8 => strings(source, key, count),
        _ => {
            source.skip(count * width)?;
            Ok(Value::Array { kind, count })
        }
    }
}

fn strings<R: Read>(source: &mut Source<R>, key: &str, count: u64) -> Result<Value, GgufError> {
    let mut bytes = Vec::new();
    let ends = source.elements(count, |source| {
        source.append("a string", &mut bytes)?;
        Ok(bytes.len())
    })?;
    bytes.shrink_to_fit();
    let text = |number| GgufError::Text { what: format!("string {number} of `{}`", shown(key)) };
    Strings::from_bytes(bytes, ends).map(Value::Strings).map_err(text)
}

fn tensors<R: Read>(source: &mut Source<R>, count: u64, alignment: u64) -> Result<Vec<Tensor>, GgufError> {
    let (mut tensors, mut names) = (Vec::new(), HashSet::new());
    let mut expected = 0u64;
    for _ in 0..count {
        source.entry()?;
        let tensor = tensor(source)?;
        let Tensor { name, offset, size, .. } = &tensor;
        if !names.insert(name.clone()) {
            return Err(GgufError::DuplicateTensor(shown(name)));
        }
        if *offset != expected {
            return Err(GgufError::Offset { tensor: shown(name), expected, found: *offset });
        }
        expected = expected
            .checked_add(*size)
            .and_then(|end| end.checked_next_multiple_of(alignment))
            .filter(|end| i64::try_from(*end).is_ok())
            .ok_or_else(|| GgufError::Shape(shown(name)))?;
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn tensor<R: Read>(source: &mut Source<R>) -> Result<Tensor, GgufError> {
    let what = "a tensor";
    let name = source.string(what)?;
    if name.len() > NAME {
        return Err(GgufError::TensorName(shown(&name)));
    }
    let mut shape = [1; 4];
    let dimensions = source.u32(what)?;
    let Some(used) = usize::try_from(dimensions).ok().and_then(|used| shape.get_mut(..used)) else {
        return Err(GgufError::Shape(shown(&name)));
    };
    for length in used {
        *length = source.u64(what)?;
    }
    let kind = source.u32(what)?;
    let Some(kind) = Type::of(kind) else {
        return Err(GgufError::TensorType { tensor: shown(&name), kind });
    };
    let Some(size) = kind.size(shape) else {
        return Err(GgufError::Shape(shown(&name)));
    };
    let offset = source.u64(what)?;
    Ok(Tensor { name, shape, kind, offset, size })
}

#[cfg(test)]
mod tests;
