//! Records: a stream, cut into the texts that are judged, each with all that came with it.
//!
//! The one idea: a record is damaged alone. Whatever bytes come in, each record comes out once and as it stood; one
//! that holds no text says why, and its neighbours do not notice. What becomes of a record is not known here.

mod batch;
#[cfg(feature = "parquet")]
mod calendar;
mod cut;
mod defect;
mod format;
mod jsonl;
mod lines;
#[cfg(feature = "parquet")]
pub mod parquet;
mod seen;
mod separated;
mod start;
mod table;
mod text;

use std::fmt;
use std::io::{self, BufRead};

use serde::Serialize;
use serde_json::value::RawValue;

use super::columns::Columns;
use crate::content::Content;
use cut::{Cut, Cutter};
use table::Table;

pub(crate) use batch::MODERATIONS;
pub use defect::Defect;
pub(super) use defect::{Names, shown};
pub use format::Format;
pub(super) use seen::Seen;
pub(super) use start::{begun, no_text};
pub use text::{Template, Text};

/// Bytes of a record: far more than any context holds.
pub const LARGEST: usize = 4 << 20;

/// Columns of a record: each costs some hundred bytes of memory, even where it is but a comma.
pub const MOST_COLUMNS: usize = 1 << 16;

/// One record of a stream.
pub struct Record {
    /// The line on which it begins, from 1.
    pub number: u64,
    /// How many bytes of the stream end with it.
    pub end: u64,
    /// Its bytes as they stood, with the line ending if there was one. Nothing if it was too large.
    pub raw: Vec<u8>,
    /// The value of the id's column, if it is a string or a number.
    pub id: Option<Box<RawValue>>,
    /// The input's own columns, as far as the record can be read. The id's column is not among them if it is called
    /// `id`, as any row of ours has that.
    pub columns: Columns,
    /// The text to be judged, or why there is none.
    pub content: Result<Content, Defect>,
}

/// Which columns have a meaning. Plain lines have just one, `text`. A column of a table has a name, and a number from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fields {
    /// What is judged.
    pub text: Text,
    /// What tells records apart; `id` if it is not said, and then it may be missing.
    pub id: Option<String>,
    /// The first record of CSV or TSV is a record, and columns have no names.
    pub no_header: bool,
    /// Records before the first, or before the header, that are none.
    pub skip: usize,
    /// Quotes in CSV and TSV are ordinary characters.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unquoted: bool,
}

/// Why a stream cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The header of CSV or TSV is no header for what is wanted.
    #[error(transparent)]
    Header(#[from] Defect),
}

/// The records of a stream, in order. It ends at the first error of reading.
pub struct Records<R> {
    cutter: Cutter<R>,
    format: Format,
    wanted: Fields,
    /// Only CSV and TSV are tables.
    table: Option<Table>,
    /// A record that was cut to see how many columns there are.
    first: Option<Cut>,
    ended: bool,
}

impl<R: BufRead> Records<R> {
    /// Begins to read: of CSV and TSV, the header.
    ///
    /// # Errors
    ///
    /// [`RecordsError`]: reading fails, or the header lacks a column that is wanted, names one twice, or cannot be read.
    pub fn new(stream: R, format: Format, wanted: Fields) -> Result<Self, RecordsError> {
        let mut cutter = Cutter::new(stream, format, !wanted.unquoted);
        for _ in 0..wanted.skip {
            if cutter.next()?.is_none() {
                break;
            }
        }
        let (mut table, mut first) = (None, None);
        if matches!(format, Format::Csv | Format::Tsv) {
            let cut = cutter.next()?;
            if wanted.no_header {
                first = cut;
                if let Some(cut) = &mut first {
                    if let Some(defect) = cut.defect.take() {
                        return Err(defect.into());
                    }
                    table = Some(Table::headless(cutter.separated().count(), &wanted, cut.line)?);
                }
            } else {
                let header = cut.ok_or_else(|| {
                    Defect::new("no-header", 1, "the input is empty, where a header must name the columns")
                })?;
                table = Some(Table::new(header, cutter.separated(), &wanted)?);
            }
        }
        Ok(Self { cutter, format, wanted, table, first, ended: false })
    }

    /// The names of the columns; none in formats whose records have their own.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        self.table.as_ref().map(Table::names)
    }

    /// The header as it stood, with its line ending; none in formats that have none.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.table.as_ref().and_then(|table| table.raw.as_deref())
    }

    fn record(&self, cut: Cut) -> Record {
        let Cut { line: number, end, raw, defect } = cut;
        let (mut columns, content) = match defect {
            Some(defect) => (Columns::default(), Err(defect)),
            None => self.read(&raw, number),
        };
        let name = match (&self.table, self.format) {
            (Some(table), _) => table.id(),
            (None, Format::Batch) => "custom_id",
            (None, _) => self.wanted.id.as_deref().unwrap_or("id"),
        };
        let id = take_id(&mut columns, name);
        Record { number, end, raw, id, columns, content }
    }

    fn read(&self, raw: &[u8], number: u64) -> (Columns, Result<Content, Defect>) {
        if let Some(table) = &self.table {
            return table.read(raw, self.cutter.separated(), number);
        }
        let line = lines::without_ending(raw);
        match (defect::readable(line, number), self.format) {
            (Err(defect), _) => (Columns::default(), Err(defect)),
            (Ok(line), Format::Jsonl) => jsonl::read(line, &self.wanted, number),
            (Ok(line), Format::Batch) => batch::read(line, number),
            (Ok(line), _) => {
                let mut columns = Columns::default();
                columns.push("text", line);
                (columns, defect::judged(line.to_owned(), number))
            }
        }
    }
}

/// The id is our row's own as well: where it has the same name and value, it is taken out of the columns.
fn take_id(columns: &mut Columns, name: &str) -> Option<Box<RawValue>> {
    let at = columns.0.iter().rposition(|(column, _)| column == name)?;
    let value = &columns.0[at].1;
    let tells = matches!(jsonl::kind(value.get()), "a string" | "a number");
    let id = tells.then(|| value.clone());
    if name == "id" && (tells || value.get() == "null") {
        columns.0.remove(at);
    }
    id
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => self.cutter.next().transpose(),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        Some(next?.map(|cut| self.record(cut)))
    }
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
