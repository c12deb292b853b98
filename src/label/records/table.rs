//! The header of CSV or TSV, and records under it.
//!
//! The one idea: the header is believed or refused as a whole, before the first record. After it, a record is held to
//! the header's number of columns and nothing else.

use std::collections::HashSet;

use super::cut::Cut;
use super::defect::{Defect, judged, missing_text, readable, shown};
use super::separated::Separated;
use super::{Fields, MOST_COLUMNS};
use crate::content::Content;
use crate::label::columns::Columns;

/// What a header fixes for all records.
pub(super) struct Table {
    /// The header as it stood.
    pub raw: Vec<u8>,
    names: Vec<String>,
    /// Which column is judged.
    text: usize,
}

impl Table {
    /// A table of this header, which must have the columns that are wanted.
    pub fn new(header: Cut, fields: &Separated, wanted: &Fields) -> Result<Self, Defect> {
        let line = header.line;
        if let Some(defect) = header.defect {
            return Err(defect);
        }
        let text = readable(&header.raw, line)?;
        if text.replace("\r\n", "").contains('\r') {
            // Ended by these alone, all of the file would be the header.
            let what = "a carriage return without a newline in the header; end each line with a newline";
            return Err(Defect::new("carriage-return", line, what));
        }
        if fields.count() > MOST_COLUMNS {
            let what = format!("a header of {} columns, and at most {MOST_COLUMNS} are read", fields.count());
            return Err(Defect::new("too-large", line, what));
        }
        let names: Vec<String> = (1..).zip(fields.fields()).map(|(number, field)| name(field, number)).collect();
        let mut seen = HashSet::new();
        let twice: Vec<&String> = names.iter().filter(|name| !seen.insert(*name)).collect();
        if !twice.is_empty() {
            let what = format!("columns of the same name stand in the header: {}; rename all but one", shown(twice));
            return Err(Defect::new("duplicate-columns", line, what));
        }
        if let Some(id) = wanted.id.as_ref().filter(|id| !names.contains(id)) {
            let what = format!("the column `{id}` for the id is missing, found: {}", shown(&names));
            return Err(Defect::new("missing-id", line, what));
        }
        let text = names
            .iter()
            .position(|name| name == wanted.text())
            .ok_or_else(|| missing_text(wanted.text(), &names, line))?;
        Ok(Self { raw: header.raw, names, text })
    }

    /// The columns of a record, and its text. A value that is not UTF-8 cannot be a JSON string and is left out.
    pub fn read(&self, raw: &[u8], fields: &Separated, line: u64) -> (Columns, Result<Content, Defect>) {
        if fields.count() != self.names.len() {
            let (found, expected) = (fields.count(), self.names.len());
            let what = format!(
                "{found} fields, where the header has {expected}; put a text that holds separators or quotes in quotes"
            );
            return (Columns::default(), Err(Defect::new("fields", line, what)));
        }
        let mut columns = Columns::default();
        for (name, field) in self.names.iter().zip(fields.fields()) {
            if let Ok(value) = std::str::from_utf8(field) {
                columns.push_text(name, value);
            }
        }
        // All of the record: what is in one wrong encoding is seldom in it by halves.
        let text = readable(raw, line).and_then(|_| {
            let text = fields.fields().nth(self.text).unwrap_or_default();
            judged(String::from_utf8_lossy(text).into_owned(), line)
        });
        (columns, text)
    }
}

/// A column's name; one that is left blank in the header is named by its number.
fn name(field: &[u8], number: usize) -> String {
    let name = String::from_utf8_lossy(field);
    if name.trim().is_empty() { format!("column_{number}") } else { name.into_owned() }
}
