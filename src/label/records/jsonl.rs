//! A line of JSONL.
//!
//! The one idea: a column's value stays the bytes that came in, so that a large number, the order, a name that stands
//! twice and half of a surrogate pair all survive. Only the text that is judged is decoded.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::defect::{Defect, judged, missing_text};
use super::{Fields, MOST_COLUMNS};
use crate::content::Content;
use crate::label::columns::Columns;

/// The columns of a line, as far as it is a JSON object, and its text.
pub(super) fn read(line: &str, wanted: &Fields, number: u64) -> (Columns, Result<Content, Defect>) {
    match object(line, number) {
        Ok(columns) => {
            let text = text(&columns, wanted.text(), number);
            (columns, text)
        }
        Err(defect) => (Columns::default(), Err(defect)),
    }
}

fn object(line: &str, number: u64) -> Result<Columns, Defect> {
    let Object { columns, count } = serde_json::from_str(line).map_err(|error| not_an_object(&error, line, number))?;
    if count > columns.0.len() {
        let what = format!("an object with {count} columns, and at most {MOST_COLUMNS} are read");
        return Err(Defect::new("too-large", number, what));
    }
    Ok(columns)
}

/// The parser's own words may quote the line, so that only its place is taken over.
fn not_an_object(error: &serde_json::Error, line: &str, number: u64) -> Defect {
    if error.is_data() {
        let found = kind(line);
        let what =
            format!("{found}, where each line must be a JSON object; `jq -c '.[]'` makes such lines of an array");
        return Defect::new("not-an-object", number, what);
    }
    let place = error.column();
    let what = if error.is_eof() {
        format!(
            "JSON that stops short after byte {place}; each line must be a whole JSON object, as `jq -c .` writes it"
        )
    } else {
        format!("not JSON at byte {place}; each line must be a JSON object, such as {{\"text\": \"…\"}}")
    };
    Defect::new("not-json", number, what)
}

fn text(columns: &Columns, name: &str, number: u64) -> Result<Content, Defect> {
    let mut values = columns.named(name);
    let Some(value) = values.next() else {
        return Err(missing_text(name, columns.names(), number));
    };
    if values.next().is_some() {
        // Programs differ in which of them they see, and what is judged must be what is shown.
        let what = format!("the column `{name}` stands twice; leave the one that is meant");
        return Err(Defect::new("duplicate-text", number, what));
    }
    let found = kind(value.get());
    if found != STRING {
        return Err(Defect::new("wrong-type", number, format_args!("the column `{name}` is {found} and not a string")));
    }
    let Ok(text) = serde_json::from_str(value.get()) else {
        let what =
            format!("the column `{name}` holds half of a surrogate pair, such as \\ud800, which is no character");
        return Err(Defect::new("not-utf8", number, what));
    };
    judged(text, number)
}

const STRING: &str = "a string";

/// What sort of value this JSON is, by how it begins.
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

struct Object {
    /// At most [`MOST_COLUMNS`].
    columns: Columns,
    count: usize,
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
                Ok(Object { columns: Columns(columns), count })
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
