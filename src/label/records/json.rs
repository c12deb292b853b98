//! Values of JSON.
//!
//! A column's value keeps its bytes. So a large number, the order, a repeated name and half of a surrogate pair all survive.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::defect::{Defect, Location};
use super::limits::MOST_COLUMNS;
use super::numbers::as_texts;
use crate::label::columns::Columns;

/// Returns the columns of a line. Numbers that JSON lacks become texts.
pub(super) fn object(line: &str, number: u64) -> Result<Columns, Defect> {
    parsed(line, number).map(|object| object.columns)
}

/// Returns the object of a line, and whether it was repaired.
pub(super) fn parsed(line: &str, number: u64) -> Result<Object, Defect> {
    let parsed = serde_json::from_str(line).or_else(|error| {
        let repaired = as_texts(line).and_then(|line| serde_json::from_str(&line).ok());
        repaired.map(|object| Object { repaired: true, ..object }).ok_or(error)
    });
    let object: Object = parsed.map_err(|error| not_an_object(&error, line, number))?;
    if object.count > object.columns.0.len() {
        let what = format!("an object with {} columns, and at most {MOST_COLUMNS} are read", object.count);
        return Err(Defect::new("too-large", number, what));
    }
    Ok(object)
}

/// Returns the defect of a line that is no object. The parser's message may quote the line, so only its place is used.
fn not_an_object(error: &serde_json::Error, line: &str, number: u64) -> Defect {
    if error.is_data() {
        let found = kind(line);
        let what = format!("{found}, where each record must be a JSON object; `jq -c '.[]'` makes lines of an array");
        return Defect::new("not-an-object", number, what);
    }
    let place = error.column();
    let what = if error.is_eof() {
        format!(
            "JSON that stops short after byte {place}; each record must be a whole JSON object, as `jq -c .` writes it"
        )
    } else {
        format!("not JSON at byte {place}; each record must be a JSON object, such as {{\"text\": \"…\"}}")
    };
    Defect::new("not-json", number, what)
}

/// Returns the text of a JSON string. `None` for half of a surrogate pair.
pub(super) fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

pub(super) fn half(what: &str, place: impl Into<Location>) -> Defect {
    let what = format!("{what} holds half of a surrogate pair, such as \\ud800, which is no character");
    Defect::new("not-utf8", place, what)
}

pub(super) const STRING: &str = "a string";

/// Returns the type of a JSON value, from its first byte.
pub(super) fn kind(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'"') => STRING,
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// An object, with its columns.
pub(super) struct Object {
    /// At most [`MOST_COLUMNS`].
    pub columns: Columns,
    count: usize,
    /// Set if the line had numbers that JSON lacks.
    pub repaired: bool,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object, A::Error> {
                let mut columns = Vec::new();
                while columns.len() < MOST_COLUMNS
                    && let Some(column) = entries.next_entry::<String, Box<RawValue>>()?
                {
                    columns.push(column);
                }
                let mut count = columns.len();
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Object { columns: Columns(columns), count, repaired: false })
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
