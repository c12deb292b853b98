//! The rows of a workbook's sheet.
//!
//! The first row with a value is the header. An empty cell is null. A value beyond the header gets the number of its
//! column as its name, so that nothing is lost.

use std::fs::File;
use std::io;

use super::defect::{Defect, Location};
use super::names::{in_quotes, shown};
use super::notice::Notice;
use super::record::{Record, take_id};
use super::record_fields::RecordFields;
use super::sheet_columns::SheetColumns;
use crate::hint::{Hint, Hints, Setting};
use crate::label::columns::Columns;
use crate::workbook::{Row, SheetRows, Workbook, WorkbookError};

/// The rows of a sheet, in order.
pub struct SheetRecords {
    rows: SheetRows,
    columns: SheetColumns,
    /// A row that was read to count the columns.
    first: Option<Row>,
    /// Bytes of the file.
    size: u64,
    ended: bool,
}

/// The reason why a sheet cannot be read at all.
#[derive(Debug)]
pub enum SheetError {
    /// The file is no workbook, is damaged, or lacks the sheet.
    Refused(Notice),
    /// The header lacks a wanted column, or is no header.
    Header(Defect),
}

impl From<Notice> for SheetError {
    fn from(notice: Notice) -> Self {
        Self::Refused(notice)
    }
}

impl From<Defect> for SheetError {
    fn from(defect: Defect) -> Self {
        Self::Header(defect)
    }
}

impl SheetRecords {
    /// Opens a file, and reads the header of a sheet. Also returns a note if the workbook has other sheets.
    ///
    /// # Errors
    ///
    /// A [`SheetError`]: the file is no workbook or is damaged, it lacks the sheet, or the sheet lacks a wanted column.
    pub fn new(file: File, fields: &RecordFields) -> Result<(Self, Option<Notice>), SheetError> {
        let size = file.metadata().map_or(0, |about| about.len());
        let book = Workbook::open(file).map_err(|error| refused(&error))?;
        let sheets: Vec<(&str, bool)> = book.sheets().collect();
        let sheet = chosen(&sheets, fields.sheet.as_deref())?;
        let (name, _) = sheets[sheet];
        let mut rows = book.rows(sheet).map_err(|error| refused(&error))?;
        for _ in 0..fields.skip {
            rows.next().transpose().map_err(|error| refused(&error))?;
        }
        let (columns, first) = match rows.next().transpose().map_err(|error| refused(&error))? {
            Some(first) if fields.no_header => (SheetColumns::headless(&first, fields)?, Some(first)),
            Some(header) => (SheetColumns::new(&header, fields)?, None),
            None if fields.no_header => (SheetColumns::default(), None),
            None => return Err(empty(name, &sheets).into()),
        };
        let note = fields.sheet.is_none().then(|| others(sheet, &sheets)).flatten();
        Ok((Self { rows, columns, first, size, ended: false }, note))
    }

    /// Returns the names of the header's columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.columns.names
    }

    /// Returns the column that is judged in place of `text`, if its name is that in other letters.
    #[must_use]
    pub fn assumed(&self) -> Option<&str> {
        self.columns.assumed.as_deref()
    }

    fn record(&self, row: &Row) -> Record {
        let (mut columns, content) = if row.too_large {
            let what = "a row of more than 4 MiB, which no context holds";
            (Columns::default(), Err(Defect::new("too-large", Location::Row(row.number), what)))
        } else {
            (self.columns.values(row), self.columns.content(row))
        };
        let id = take_id(&mut columns, &self.columns.id);
        let (done, all) = self.rows.progress();
        let end = u128::from(self.size) * u128::from(done) / u128::from(all.max(1));
        let end = u64::try_from(end).unwrap_or(self.size);
        Record { number: row.number, end, raw: Vec::new(), id, columns, content }
    }
}

impl Iterator for SheetRecords {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.first.take().map(Ok).or_else(|| self.rows.next())?;
        self.ended = next.is_err();
        let failed = |error| io::Error::new(io::ErrorKind::InvalidData, refused(&error));
        Some(next.map_err(failed).map(|row| self.record(&row)))
    }
}

fn refused(error: &WorkbookError) -> Notice {
    let notice = Notice::new(error.to_string());
    match error.hints().into_iter().next() {
        Some(hint) => notice.with_hint(hint),
        None => notice,
    }
}

/// Returns the chosen sheet: by its name, or by its number from 1. The first that is not hidden is the default.
fn chosen(sheets: &[(&str, bool)], wanted: Option<&str>) -> Result<usize, Notice> {
    let Some(wanted) = wanted else {
        return Ok(sheets.iter().position(|(_, hidden)| !hidden).unwrap_or(0));
    };
    let number = || wanted.parse::<usize>().ok()?.checked_sub(1).filter(|number| *number < sheets.len());
    let plain = |name: &str| name.trim().to_lowercase();
    let exact = sheets.iter().position(|(name, _)| *name == wanted);
    let near = || sheets.iter().position(|(name, _)| plain(name) == plain(wanted));
    exact.or_else(number).or_else(near).ok_or_else(|| {
        let names: Vec<&str> = sheets.iter().map(|(name, _)| *name).collect();
        let what = format!("the sheet {} is missing. Sheets: {}", in_quotes(wanted), shown(&names, true));
        Notice::new(what).with_hint(Hint::of_value(Setting::Sheet, "NAME").text(", or its number, chooses the sheet"))
    })
}

fn empty(name: &str, sheets: &[(&str, bool)]) -> Notice {
    let notice = Notice::new(format!("the sheet {} is empty, where a header must name the columns", in_quotes(name)));
    if sheets.len() == 1 { notice } else { notice.with_hint(another(sheets)) }
}

fn others(sheet: usize, sheets: &[(&str, bool)]) -> Option<Notice> {
    (sheets.len() > 1).then(|| {
        let what = format!("the sheet {} is read, of {} in the workbook", in_quotes(sheets[sheet].0), sheets.len());
        Notice::new(what).with_hint(another(sheets))
    })
}

fn another(sheets: &[(&str, bool)]) -> Hint {
    let names: Vec<&str> = sheets.iter().map(|(name, _)| *name).collect();
    Hint::of(Setting::Sheet).text(format!(" chooses another: {}", shown(&names, true)))
}
