//! A record, and its id.

use std::fmt;

use serde_json::value::RawValue;

use super::defect::Defect;
use super::json;
use crate::content::Content;
use crate::label::columns::Columns;

/// One record of a stream.
#[derive(Clone)]
pub struct Record {
    /// The line on which it begins, from 1.
    pub number: u64,
    /// The number of bytes of the stream up to its end.
    pub end: u64,
    /// Its bytes, with the line ending if there was one. Empty if it was too large.
    pub raw: Vec<u8>,
    /// The value of the id's column, if it is a string or a number.
    pub id: Option<Box<RawValue>>,
    /// The input's own columns, as far as the record can be read. Without the id's column if that is called `id`, as a row
    /// has a field of that name.
    pub columns: Columns,
    /// The text to judge, or the defect of a record without one.
    pub content: Result<Content, Defect>,
}

/// Returns the id. Where it has the name and the value of a row's own field, it is taken out of the columns.
pub(super) fn take_id(columns: &mut Columns, name: &str) -> Option<Box<RawValue>> {
    let is_id = |value: &RawValue| matches!(json::kind(value.get()), "a string" | "a number");
    let Some(at) = columns.0.iter().rposition(|(column, _)| column == name) else {
        return columns.at(name).map(|found| found.value().to_owned()).filter(|value| is_id(value));
    };
    let value = &columns.0[at].1;
    let is_id = is_id(value);
    let id = is_id.then(|| value.clone());
    if name == "id" && (is_id || value.get() == "null") {
        columns.0.remove(at);
    }
    id
}

impl fmt::Debug for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Record")
            .field("number", &self.number)
            .field("bytes", &self.raw.len())
            .field("columns", &self.columns)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}
