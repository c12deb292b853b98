//! Metadata values, and their bytes in a header.

use crate::tokenizer::Strings;

/// A metadata value.
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
    /// An array of Booleans.
    Bools(Vec<bool>),
    /// An array of another type of number, by the id of that type. Its elements are not read.
    Array {
        kind: u32,
        count: u64,
    },
}

/// Ids of value types in a GGUF file.
#[allow(missing_docs, reason = "the names are the types")]
pub mod kind {
    pub const U16: u32 = 2;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
}

/// Returns a value as a header has it: its type and its content. Of a [`Value::Array`] only the beginning is returned,
/// because its elements are not known.
#[must_use]
pub fn encode(value: &Value) -> Vec<u8> {
    match value {
        Value::U8(number) => scalar(0, number.to_le_bytes()),
        Value::I8(number) => scalar(1, number.to_le_bytes()),
        Value::U16(number) => scalar(kind::U16, number.to_le_bytes()),
        Value::I16(number) => scalar(3, number.to_le_bytes()),
        Value::U32(number) => scalar(kind::U32, number.to_le_bytes()),
        Value::I32(number) => scalar(kind::I32, number.to_le_bytes()),
        Value::F32(number) => scalar(kind::F32, number.to_le_bytes()),
        Value::Bool(flag) => scalar(kind::BOOL, [u8::from(*flag)]),
        Value::String(text) => self::text(text.as_bytes()),
        Value::U64(number) => scalar(10, number.to_le_bytes()),
        Value::I64(number) => scalar(11, number.to_le_bytes()),
        Value::F64(number) => scalar(12, number.to_le_bytes()),
        Value::Strings(all) => strings_of(all.len(), all.iter()),
        Value::I32s(all) => numbers(all),
        Value::Bools(all) => {
            [array(kind::BOOL, all.len() as u64), all.iter().map(|flag| u8::from(*flag)).collect()].concat()
        }
        Value::Array { kind, count } => array(*kind, *count),
    }
}

/// Returns a value of fixed width.
#[must_use]
pub fn scalar<const N: usize>(kind: u32, content: [u8; N]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &content].concat()
}

/// Returns a string without a type: its length and its bytes.
#[must_use]
pub fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// Returns a value that is text.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    [&kind::STRING.to_le_bytes(), &(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

/// Returns the beginning of an array: everything before its elements.
#[must_use]
pub fn array(kind: u32, count: u64) -> Vec<u8> {
    [&kind::ARRAY.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes()].concat()
}

/// Returns an array of strings.
#[must_use]
pub fn strings(all: &[impl AsRef<[u8]>]) -> Vec<u8> {
    strings_of(all.len(), all.iter())
}

fn strings_of(count: usize, all: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut value = array(kind::STRING, count as u64);
    for text in all {
        let text = text.as_ref();
        value.extend((text.len() as u64).to_le_bytes());
        value.extend(text);
    }
    value
}

/// Returns an array of 32-bit integers.
#[must_use]
pub fn numbers(all: &[i32]) -> Vec<u8> {
    let mut value = array(kind::I32, all.len() as u64);
    value.extend(all.iter().flat_map(|number| number.to_le_bytes()));
    value
}
