//! Writes GGUF headers, little-endian.
//!
//! An entry is held as the bytes of the file, so an entry that nobody changes stays as it was. Nothing is checked:
//! tests write headers whose counts, types and lengths are wrong.

use std::io::{self, Write};

use super::ggml::{Type, padded};
use super::value::{self, kind};

/// A header, entry by entry.
#[derive(Clone, Debug)]
pub struct RawHeader {
    /// The version of the format.
    pub version: u32,
    /// The number of tensors that the header states. `None` is their true number.
    pub tensor_count: Option<u64>,
    /// The number of keys that the header states. `None` is their true number.
    pub key_count: Option<u64>,
    /// Keys, each with its value as [`value::encode`] returns it.
    pub keys: Vec<(Vec<u8>, Vec<u8>)>,
    /// Tensors, in the order of their data.
    pub tensors: Vec<RawTensor>,
}

/// A tensor in a header.
#[derive(Clone, Debug)]
pub struct RawTensor {
    /// The name.
    pub name: Vec<u8>,
    /// The dimensions, the contiguous one first.
    pub shape: Vec<u64>,
    /// The id of the type of its values.
    pub kind: u32,
    /// The start of its data, in bytes from the beginning of the data.
    pub offset: u64,
}

impl RawHeader {
    /// Returns a header of version 3 without keys and tensors.
    #[must_use]
    pub fn empty() -> Self {
        Self { version: 3, tensor_count: None, key_count: None, keys: Vec::new(), tensors: Vec::new() }
    }

    /// Reports whether the header has a key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Returns the value of a key: its type and its content.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.keys.iter().find(|(other, _)| other == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Returns the value of a key that is text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        let text = self.get(key)?.strip_prefix(&kind::STRING.to_le_bytes())?.get(8..)?;
        std::str::from_utf8(text).ok()
    }

    /// Sets the value of a key. A new key is the last one.
    pub fn set(&mut self, key: &str, value: Vec<u8>) {
        match self.keys.iter_mut().find(|(other, _)| other == key.as_bytes()) {
            Some((_, known)) => *known = value,
            None => self.keys.push((key.into(), value)),
        }
    }

    /// Sets the value of a key to a text. A new key is the last one.
    pub fn set_text(&mut self, key: &str, text: &str) {
        self.set(key, value::text(text.as_bytes()));
    }

    /// Places each tensor after the one before it.
    pub fn lay_out(&mut self, alignment: u64) {
        let mut next = 0;
        for tensor in &mut self.tensors {
            tensor.offset = next;
            next = (next + tensor.size()).next_multiple_of(alignment);
        }
    }

    /// Writes the header, without the padding after it.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"GGUF")?;
        out.write_all(&self.version.to_le_bytes())?;
        out.write_all(&self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes())?;
        out.write_all(&self.key_count.unwrap_or(self.keys.len() as u64).to_le_bytes())?;
        for (key, value) in &self.keys {
            out.write_all(&(key.len() as u64).to_le_bytes())?;
            out.write_all(key)?;
            out.write_all(value)?;
        }
        for RawTensor { name, shape, kind, offset } in &self.tensors {
            out.write_all(&(name.len() as u64).to_le_bytes())?;
            out.write_all(name)?;
            out.write_all(&u32::try_from(shape.len()).map_err(io::Error::other)?.to_le_bytes())?;
            for length in shape {
                out.write_all(&length.to_le_bytes())?;
            }
            out.write_all(&kind.to_le_bytes())?;
            out.write_all(&offset.to_le_bytes())?;
        }
        Ok(())
    }

    /// Returns the header in bytes, without the padding after it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out).expect("memory takes every byte");
        out
    }
}

impl RawTensor {
    /// Returns the length of the data in bytes. It is 0 for a type that ggml does not know or a shape that is not
    /// possible for the type.
    #[must_use]
    pub fn size(&self) -> u64 {
        Type::of(self.kind).and_then(|kind| kind.size(padded(&self.shape))).unwrap_or(0)
    }
}
