//! The header of CSV or TSV, and the records under it.
//!
//! The header is accepted or refused as a whole, before the first record. A record must have the header's number of columns.
//! Without a header, the first record fixes that number.

use std::collections::HashSet;

use super::conversation;
use super::cut::Cut;
use super::defect::{Defect, Location, judged, readable};
use super::dialect;
use super::limits::MOST_COLUMNS;
use super::lines::without_ending;
use super::names::{Names, missing_id, missing_text, shown};
use super::record_fields::RecordFields;
use super::separated::Separated;
use super::text::Text;
use crate::content::Content;
use crate::hint::{Hint, Setting};
use crate::label::columns::Columns;

/// The columns of all records, from the header.
pub(super) struct Table {
    /// The bytes of the header, if there is one.
    pub raw: Option<Vec<u8>>,
    names: Vec<String>,
    /// The text to judge, and the columns that make it.
    text: Text,
    takes: Vec<usize>,
    /// The id's column.
    id: Option<String>,
    /// The column that was taken for `text`, which has it in other letters.
    assumed: Option<String>,
}

impl Table {
    /// Reads a header, which must have the wanted columns.
    pub fn new(header: Cut, fields: &Separated, wanted: &RecordFields) -> Result<Self, Defect> {
        let line = header.line;
        if wanted.separator.is_none() && (fields.count() <= 1 || header.defect.is_some()) {
            suspicious(&header.raw, fields.separator(), line)?;
        }
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
            let what = format!("duplicate columns: {}; rename all but one of each name", shown(&twice, false));
            return Err(Defect::new("duplicate-columns", line, what));
        }
        Self::of(names, Some(header.raw), wanted)
    }

    /// A table without a header: its columns are `column_1` and so on, as many as the first record has.
    pub fn headless(fields: usize, wanted: &RecordFields) -> Result<Self, Defect> {
        let names: Vec<String> = (1..=fields).map(|number| format!("column_{number}")).collect();
        let only = RecordFields { text: Text::Column("column_1".to_owned()), ..wanted.clone() };
        let wanted = if fields == 1 && wanted.text == Text::Unsaid { &only } else { wanted };
        Self::of(names, None, wanted)
    }

    fn of(names: Vec<String>, raw: Option<Vec<u8>>, wanted: &RecordFields) -> Result<Self, Defect> {
        // A name before a number, from 1: a column may be called 2.
        let place = |wanted: &str| {
            let number =
                || wanted.parse().ok().filter(|number| (1..=names.len()).contains(number)).map(|number| number - 1);
            names.iter().position(|name| name == wanted).or_else(number)
        };
        let id = match &wanted.id {
            None => None,
            Some(id) => Some(place(id).ok_or_else(|| missing_id(id, Names::Table(&names), Location::File))?),
        };
        let near = |wanted: &str| Names::Table(&names).only_near(wanted).and_then(place);
        let (mut takes, mut assumed) = (Vec::new(), None);
        for name in wanted.text.columns() {
            if wanted.text == Text::Unsaid && place(name).is_none() {
                assumed = near(name).map(|column| names[column].clone());
            }
            let column = assumed.as_deref().map_or_else(|| place(name), place);
            takes.push(column.ok_or_else(|| missing_text(name, Names::Table(&names), Location::File))?);
        }
        let id = id.map(|id| names[id].clone());
        Ok(Self { raw, names, text: wanted.text.clone(), takes, id, assumed })
    }

    /// Returns the names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the column that is judged in place of `text`, if its name is that in other letters.
    pub fn assumed(&self) -> Option<&str> {
        self.assumed.as_deref()
    }

    /// Returns the name of the id's column.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("id")
    }

    /// Returns the columns of a record, and its text. A value that is not UTF-8 cannot be a JSON string and is left out.
    pub fn read(&self, raw: &[u8], fields: &Separated, line: u64) -> (Columns, Result<Content, Defect>) {
        if fields.count() != self.names.len() {
            let (found, expected) = (fields.count(), self.names.len());
            let fields = if found == 1 { "field" } else { "fields" };
            let what = format!(
                "{found} {fields}, where the header has {expected}; put a text that holds separators or quotes in quotes"
            );
            return (Columns::default(), Err(Defect::new("fields", line, what)));
        }
        let mut columns = Columns::default();
        for (name, field) in self.names.iter().zip(fields.fields()) {
            if let Ok(value) = std::str::from_utf8(field) {
                columns.push(name, value);
            }
        }
        // The whole record must be UTF-8: in a wrong encoding, other columns would be damaged, too.
        let text = readable(raw, line).and_then(|_| {
            let all: Vec<&[u8]> = fields.fields().collect();
            let value = |column: &usize| {
                let text = String::from_utf8_lossy(all[*column]).into_owned();
                conversation::in_text(&self.names[*column], text, line)
            };
            judged(self.text.compose(self.takes.iter().map(value).collect::<Result<_, _>>()?), line)
        });
        (columns, text)
    }
}

/// Returns a column's name. A blank name in the header is replaced by the number.
fn name(field: &[u8], number: usize) -> String {
    let name = String::from_utf8_lossy(field);
    if name.trim().is_empty() { format!("column_{number}") } else { name.into_owned() }
}

/// Refuses a header that is one column by its separator and several by another, if the records do not settle it.
fn suspicious(header: &[u8], separator: u8, line: u64) -> Result<(), Defect> {
    let header = without_ending(header);
    let whole = header.len() > 1
        && header.starts_with(b"\"")
        && header[1..].iter().position(|byte| *byte == b'"') == Some(header.len() - 2);
    if whole || header.contains(&separator) {
        return Ok(());
    }
    let Some(other) = b";\t,|".iter().copied().find(|other| header.contains(other)) else { return Ok(()) };
    let (own, other_name) = (dialect::in_words(separator), dialect::in_words(other));
    let what = format!("the separator is not clear: the header is one column by {own}, and holds {other_name}");
    let value = |separator| if separator == b'\t' { "tab".to_owned() } else { dialect::in_words(separator) };
    let hint =
        Hint::of_value(Setting::Delimiter, value(other)).text(", or ").value(Setting::Delimiter, value(separator));
    Err(Defect::new("separator", line, what).with_hint(hint))
}
