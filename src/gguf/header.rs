//! Reads the header of a GGUF file: metadata and the list of tensors. Versions 2 and 3, little-endian.
//!
//! A number of the file is used only after it was compared with the rest of the file and with the limit on headers. So
//! a hostile header costs little memory, whatever it states and however long its file is, and never causes a panic.
//! llama.cpp's own reader accepts every header that is accepted here.
//!
//! The meanings of keys and tensors are not known here, and the tensors' data is not read.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use super::error::GgufError;
use super::ggml::Type;
use super::limits::LIMIT;
use super::source::Source;
use super::value::kind;
use crate::text::shown;
use crate::tokenizer::Strings;

pub use super::value::Value;

/// The header of one GGUF file.
#[derive(Debug)]
pub struct Header {
    metadata: HashMap<String, Value>,
    /// The tensors, in the order of their data.
    pub tensors: Vec<Tensor>,
    /// Alignment of every tensor's data, in bytes.
    pub alignment: u64,
    /// Length of the header in bytes, without the padding after it.
    pub length: u64,
    /// Start of the data, in bytes from the beginning of the file.
    pub data: u64,
}

/// A tensor in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Name.
    pub name: String,
    /// Dimensions, the contiguous one first. Missing ones are 1.
    pub shape: [u64; 4],
    /// Type of its values.
    pub kind: Type,
    /// Start of its data, in bytes from the beginning of the data.
    pub offset: u64,
    /// Length of its data in bytes.
    pub size: u64,
}

/// Longest name of a tensor in bytes. llama.cpp aborts over a longer one.
const NAME: usize = 63;
/// Alignment of tensor data in bytes, unless `general.alignment` sets another one.
const ALIGNMENT: u64 = 32;

impl Header {
    /// Reads the header of a file of `size` bytes, from its beginning.
    ///
    /// # Errors
    ///
    /// When the header is damaged or too large.
    pub fn read(file: impl Read, size: u64) -> Result<Self, GgufError> {
        Self::read_within(file, size, &mut LIMIT.clone())
    }

    /// Reads a header that takes at most `room` bytes, and subtracts its bytes from `room`.
    pub(super) fn read_within(file: impl Read, size: u64, room: &mut u64) -> Result<Self, GgufError> {
        let mut source = Source::new(file, size, *room);
        let magic = source.array("the magic number")?;
        if magic != *b"GGUF" {
            return Err(GgufError::Magic(magic));
        }
        match source.u32("the version")? {
            2 | 3 => {}
            // Read in the wrong order of bytes, a small version has zeros in its lower half.
            version if version.trailing_zeros() >= 16 => return Err(GgufError::BigEndian),
            version => return Err(GgufError::Version(version)),
        }
        let tensors = source.u64("the number of tensors")?;
        let keys = source.u64("the number of keys")?;
        let metadata = metadata(&mut source, keys)?;
        let alignment = match metadata.get("general.alignment") {
            None => ALIGNMENT,
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

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// Removes a key and returns its value, which may be too large to copy.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.metadata.remove(key)
    }

    /// Removes all keys.
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
        kind::ARRAY => self::array(source, key)?,
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
        // llama.cpp refuses gaps between tensors, too.
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
