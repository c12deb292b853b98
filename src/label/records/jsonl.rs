//! A line of JSONL.
//!
//! A column's value keeps its bytes. So a large number, the order, a repeated name and half of a surrogate pair all survive.
//! Only the text to judge is decoded.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::defect::{Defect, judged};
use super::limits::MOST_COLUMNS;
use super::names::{Names, missing_text, quoted};
use super::record_fields::RecordFields;
use super::text::Text;
use crate::content::Content;
use crate::hint::{Hint, Setting};
use crate::label::columns::Columns;

/// Returns the columns of a line, if it is a JSON object, and its text.
pub(super) fn read(line: &str, wanted: &RecordFields, number: u64) -> (Columns, Result<Content, Defect>) {
    match object(line, number) {
        Ok(columns) => {
            let text = text(&columns, &wanted.text, number);
            (columns, text)
        }
        Err(defect) => (Columns::default(), Err(defect)),
    }
}

pub(super) fn object(line: &str, number: u64) -> Result<Columns, Defect> {
    let Object { columns, count } = serde_json::from_str(line).map_err(|error| not_an_object(&error, line, number))?;
    if count > columns.0.len() {
        let what = format!("an object with {count} columns, and at most {MOST_COLUMNS} are read");
        return Err(Defect::new("too-large", number, what));
    }
    Ok(columns)
}

/// Returns the defect of a line that is no object. The parser's message may quote the line, so only its place is used.
fn not_an_object(error: &serde_json::Error, line: &str, number: u64) -> Defect {
    if error.is_data() {
        let found = kind(line);
        let what =
            format!("{found}, where each line must be a JSON object; `jq -c '.[]'` makes such lines of an array");
        return Defect::new("not-an-object", number, what);
    }
    let place = error.column();
    let what = if let Some(word) = no_number(line, place) {
        format!("{word} at byte {place}, which is no JSON; write null for it, or a string")
    } else if error.is_eof() {
        format!(
            "JSON that stops short after byte {place}; each line must be a whole JSON object, as `jq -c .` writes it"
        )
    } else {
        format!("not JSON at byte {place}; each line must be a JSON object, such as {{\"text\": \"…\"}}")
    };
    Defect::new("not-json", number, what)
}

/// Finds a number that Python and JavaScript write and JSON does not have, where the parser stopped.
fn no_number(line: &str, place: usize) -> Option<&'static str> {
    let around = place.saturating_sub(2)..=place;
    let stands =
        |word: &&str| around.clone().any(|at| line.as_bytes()[at.min(line.len())..].starts_with(word.as_bytes()));
    ["NaN", "Infinity"].into_iter().find(stands)
}

fn text(columns: &Columns, text: &Text, number: u64) -> Result<Content, Defect> {
    let wanted = text.columns();
    let there = |name: &&str| columns.named(name).next().is_some();
    // A single absent column counts as null. If all are absent, the record is at fault.
    if let Some(missing) = wanted.first().filter(|_| !wanted.iter().any(there)) {
        let names: Vec<&str> = columns.names().collect();
        return Err(missing_text(missing, Names::Object(&names), number));
    }
    let values = wanted.into_iter().map(|name| value(columns, name, text.is_one(), number));
    judged(text.compose(values.collect::<Result<_, _>>()?), number)
}

/// Returns the text of a column. Among several columns one may be missing, or a number.
fn value(columns: &Columns, name: &str, alone: bool, number: u64) -> Result<String, Defect> {
    let mut values = columns.named(name);
    let Some(value) = values.next() else { return Ok(String::new()) };
    if values.next().is_some() {
        // Programs differ in the one that they read. The judged text must be the one that is shown.
        let what = format!("the column `{name}` occurs twice; keep only one of them");
        return Err(Defect::new("duplicate-text", number, what));
    }
    match kind(value.get()) {
        STRING => string(value).ok_or_else(|| half(&format!("the column `{name}`"), number)),
        "null" if !alone => Ok(String::new()),
        "a number" | "a boolean" if !alone => Ok(value.get().to_owned()),
        "an array" if is_conversation(value.get()) => {
            let jq = format!(
                " reads such lists in requests, which jq makes: \
                 jq -c '{{custom_id: .id, url: \"/v1/chat/completions\", body: {{messages: .[\"{name}\"]}}}}'"
            );
            let hint = Hint::of_value(Setting::Format, "batch").text(jq);
            let what = format!("the column {} is a list of messages and not a string", quoted(name));
            Err(Defect::new("wrong-type", number, what).with_hint(hint))
        }
        found => {
            let what = format!("the column {} is {found} and not a string", quoted(name));
            Err(Defect::new("wrong-type", number, what))
        }
    }
}

/// Reports whether a value is an array of messages, each with a role.
fn is_conversation(json: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Message {
        #[serde(rename = "role")]
        _role: String,
    }
    serde_json::from_str::<Vec<Message>>(json).is_ok_and(|messages| !messages.is_empty())
}

/// Returns the text of a JSON string. `None` for half of a surrogate pair.
pub(super) fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

pub(super) fn half(place: &str, number: u64) -> Defect {
    let what = format!("{place} holds half of a surrogate pair, such as \\ud800, which is no character");
    Defect::new("not-utf8", number, what)
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
