//! A file of a run: how it is read, and its columns with samples.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hint::Hints;
use crate::label::columns;
use crate::label::records::{InputFormat, Notice, RecordFields, Text, likely_text};
use crate::label::source::{Input, Source, SourceError};
use crate::serve::api_error::ApiError;
use crate::text::{cut, harmless};

/// The facts about a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileAbout {
    /// The format.
    pub format: String,
    /// The separator of the fields, in a table in text.
    pub separator: Option<String>,
    /// The encoding of a text.
    pub encoding: Option<String>,
    /// The number of records. `None` if the file is too large to count them at once.
    pub rows: Option<u64>,
    /// The columns. Empty for plain lines.
    pub columns: Vec<Column>,
    /// Notes on how it is read.
    pub notes: Vec<String>,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The first values, shortened.
    pub samples: Vec<String>,
    /// True for the column that most likely has the text.
    pub is_likely: bool,
}

/// Samples of a column, their characters, and the records that are looked at.
const SAMPLES: usize = 3;
const LONGEST: usize = 80;
const LOOKED_AT: usize = 50;

/// Opens the file of a run to judge a column. `None` for the text of plain lines.
///
/// # Errors
///
/// Status 400. If the column is missing, the message names the others.
pub fn open(path: &Path, name: &str, column: Option<&str>) -> Result<Source, ApiError> {
    let text = column.map_or(Text::Unsaid, |column| Text::Column(column.to_owned()));
    let of_column = |error: ApiError| error.of("text_column");
    let source = source(path, name, text).map_err(|error| of_column(refused("invalid_value", &error)))?;
    let wanted: Vec<String> = source.text_columns().into_iter().map(str::to_owned).collect();
    match source.require_in_each(column.map(|_| "text_column"), &wanted) {
        Ok(_) => Ok(source),
        Err(notice) => Err(of_column(ApiError::invalid("invalid_value", notice.message))),
    }
}

fn source(path: &Path, name: &str, text: Text) -> Result<Source, SourceError> {
    let fields = RecordFields { text, ..RecordFields::default() };
    Source::new(vec![Input::file(path.to_owned()).named(name)], None, fields)
}

/// Returns the error of a file that cannot be read.
fn refused(code: &'static str, error: &SourceError) -> ApiError {
    let remedy = match error.hints().first() {
        // Other hints name flags, which a request does not have.
        Some(hint) if !hint.has_setting() => format!("; {hint}"),
        _ => String::new(),
    };
    ApiError::invalid(code, format!("{error}{remedy}"))
}

impl FileAbout {
    /// Looks at a file. `name` is that of the user.
    ///
    /// # Errors
    ///
    /// Status 400 if it cannot be read.
    pub fn of(path: &Path, name: &str) -> Result<Self, ApiError> {
        // A table without the usual column can still be read by the number of another.
        let source = source(path, name, Text::Unsaid)
            .or_else(|first| source(path, name, Text::Column("1".to_owned())).map_err(|_| first));
        let source = source.map_err(|error| refused("invalid_file", &error))?;
        let (format, encoding, separator) = source.layout().unwrap_or((InputFormat::Lines, None, None));
        let names = source.seen_columns().to_vec();
        let notes = source.notes().map(|Notice { message, .. }| message).collect();
        let rows = source.counter().and_then(|count| count());
        let columns = columns(names, source);
        Ok(Self {
            format: word(format).to_owned(),
            separator: separator.map(|byte| char::from(byte).to_string()),
            encoding: encoding.map(|encoding| encoding.to_string()),
            rows,
            columns,
            notes,
        })
    }
}

/// Returns the columns of a file, with the first values of each.
fn columns(names: Vec<String>, source: Source) -> Vec<Column> {
    let mut columns: Vec<Column> =
        names.into_iter().map(|name| Column { name, samples: Vec::new(), is_likely: false }).collect();
    let mut lengths = vec![0; columns.len()];
    for placed in source.flatten().take(LOOKED_AT) {
        let id = placed.record.id.as_deref().map(|id| ("id", columns::text(id)));
        let own = placed.record.columns.0.iter().map(|(name, value)| (name.as_str(), columns::text(value)));
        for (name, value) in id.into_iter().chain(own) {
            let Some(at) = columns.iter().position(|column| column.name == name) else { continue };
            lengths[at] += value.chars().count();
            let value = harmless(value.trim());
            if columns[at].samples.len() < SAMPLES && !value.is_empty() {
                columns[at].samples.push(cut(&value, LONGEST));
            }
        }
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let longest =
        || lengths.iter().enumerate().max_by_key(|(at, length)| (**length, usize::MAX - at)).map(|(at, _)| at);
    if let Some(at) = likely_text(&names).or_else(longest) {
        columns[at].is_likely = true;
    }
    columns
}

/// Returns the name of a format.
fn word(format: InputFormat) -> &'static str {
    match format {
        InputFormat::Jsonl => "jsonl",
        InputFormat::Json => "json",
        InputFormat::Csv => "csv",
        InputFormat::Tsv => "tsv",
        InputFormat::Lines => "lines",
        InputFormat::Batch => "batch",
        InputFormat::Parquet => "parquet",
        InputFormat::Xlsx => "xlsx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(name: &str, bytes: &[u8]) -> Result<FileAbout, ApiError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        FileAbout::of(&path, "posts.csv")
    }

    #[test]
    fn a_table_is_shown_with_its_separator_its_encoding_and_samples() {
        let about = about("input.csv", b"id;Post text;when\n1;gr\xFC\xDFe;2026-01-01\n2;;2026-01-02\n").unwrap();
        assert_eq!((about.format.as_str(), about.separator.as_deref()), ("csv", Some(";")));
        assert_eq!((about.encoding.as_deref(), about.rows), (Some("windows-1252"), Some(2)));
        let likely: Vec<(&str, bool)> =
            about.columns.iter().map(|column| (column.name.as_str(), column.is_likely)).collect();
        assert_eq!(likely, [("id", false), ("Post text", true), ("when", false)]);
        assert_eq!(about.columns[1].samples, ["gr\u{FC}\u{DF}e"]);
        assert_eq!(about.columns[0].samples, ["1", "2"]);
        assert!(about.notes.iter().any(|note| note.contains("posts.csv is not UTF-8")), "{:?}", about.notes);
    }

    #[test]
    fn lines_and_json_are_looked_at_too_and_other_files_refused() {
        let lines = about("input.txt", b"a\nb\n").unwrap();
        assert_eq!((lines.format.as_str(), lines.rows, lines.columns.len()), ("lines", Some(2), 0));
        let json = about("input.jsonl", b"{\"body\":\"hello\",\"n\":7}\n").unwrap();
        assert_eq!((json.format.as_str(), json.columns.len()), ("jsonl", 2));
        assert!(json.columns[0].is_likely);
        assert_eq!(json.columns[1].samples, ["7"]);
        assert_eq!(about("input.csv", b"\x7FELF\0\0\0\0").unwrap_err().status.as_u16(), 400);
    }
}
