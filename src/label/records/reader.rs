//! Reading the records of a stream.

use std::io::{self, BufRead};

use super::cut::{Cut, Cutter};
use super::defect::{self, Defect};
use super::format::InputFormat;
use super::record::{Record, take_id};
use super::record_fields::RecordFields;
use super::table::Table;
use super::{batch, dialect, jsonl, lines};
use crate::content::Content;
use crate::hint::{Hint, Hints};
use crate::label::columns::Columns;

/// The reason why a stream cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The header of CSV or TSV lacks a wanted column, or is no header.
    #[error(transparent)]
    Header(#[from] Defect),
}

impl Hints for RecordsError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Read(_) => Vec::new(),
            Self::Header(defect) => defect.hints(),
        }
    }
}

/// The records of a stream, in order. It ends after the first read error.
pub struct Records<R> {
    cutter: Cutter<R>,
    format: InputFormat,
    wanted: RecordFields,
    /// Only CSV and TSV are tables.
    table: Option<Table>,
    /// A record that was cut to count the columns.
    first: Option<Cut>,
    ended: bool,
}

impl<R: BufRead> Records<R> {
    /// Starts to read. Of CSV and TSV, the header is read.
    ///
    /// # Errors
    ///
    /// [`RecordsError`]: reading fails, or the header lacks a column that is wanted, names one twice, or cannot be read.
    pub fn new(stream: R, format: InputFormat, wanted: RecordFields) -> Result<Self, RecordsError> {
        let mut cutter = Cutter::new(stream, format, &wanted);
        for _ in 0..wanted.skip {
            if cutter.next()?.is_none() {
                break;
            }
        }
        let (mut table, mut first) = (None, None);
        if matches!(format, InputFormat::Csv | InputFormat::Tsv) {
            let mut cut = cutter.next()?;
            // A spreadsheet's line that names the separator is no record.
            if wanted.skip == 0 && cut.as_ref().is_some_and(|cut| dialect::named_separator(&cut.raw).is_some()) {
                cut = cutter.next()?;
            }
            if wanted.no_header {
                first = cut;
                if let Some(cut) = &mut first {
                    if let Some(defect) = cut.defect.take() {
                        return Err(defect.into());
                    }
                    table = Some(Table::headless(cutter.separated().count(), &wanted)?);
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

    /// Numbers the lines as if this many others came before.
    #[must_use]
    pub fn after(mut self, lines: u64) -> Self {
        self.cutter.count_before(lines);
        self
    }

    /// Returns the names of the columns. `None` in formats whose records have their own.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        self.table.as_ref().map(Table::names)
    }

    /// Returns the header with its line ending. `None` in formats without one.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.table.as_ref().and_then(|table| table.raw.as_deref())
    }

    /// Returns the column of a table that is judged in place of `text`, if its name is that in other letters.
    #[must_use]
    pub fn assumed(&self) -> Option<&str> {
        self.table.as_ref().and_then(Table::assumed)
    }

    fn record(&self, cut: Cut) -> Record {
        let Cut { line: number, end, raw, defect } = cut;
        let (mut columns, content) = match defect {
            Some(defect) => (Columns::default(), Err(defect)),
            None => self.read(&raw, number),
        };
        let name = match (&self.table, self.format) {
            (Some(table), _) => table.id(),
            (None, InputFormat::Batch) => "custom_id",
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
            (Ok(line), InputFormat::Jsonl | InputFormat::Json) => jsonl::read(line, &self.wanted, number),
            (Ok(line), InputFormat::Batch) => batch::read(line, number),
            (Ok(line), _) => {
                let mut columns = Columns::default();
                columns.push("text", line);
                (columns, defect::judged(line.to_owned(), number))
            }
        }
    }
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
