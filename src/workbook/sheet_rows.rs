//! The rows of a sheet, one after another. Rows and cells without a value are left out.

use std::sync::Arc;

use super::archive::Unpacked;
use super::cell::{Value, of_number};
use super::column::{self, letters};
use super::error::WorkbookError;
use super::escapes::resolve;
use super::formats::{Formats, NumberKind};
use super::texts::{self, SharedTexts};
use super::xml::{LARGEST_PIECE, Piece, Tag, Xml};
use super::{MOST_COLUMNS, MOST_ROWS};

/// The rows of a sheet. It ends after the first error.
pub struct SheetRows {
    xml: Xml,
    texts: Arc<SharedTexts>,
    formats: Formats,
    from_1904: bool,
    /// The number of the last row.
    last: u64,
    ended: bool,
}

/// A row with a value.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Its number in the sheet, from 1.
    pub number: u64,
    /// Its values, each with its column from 0, in order.
    pub cells: Vec<(usize, Value)>,
    /// Set if it has too many bytes. The values beyond the limit are left out.
    pub too_large: bool,
}

/// Bytes of a row's values, at most: as many as a record has at most.
const LARGEST_ROW: usize = 4 << 20;

/// A cell that is read.
struct CellHead {
    column: usize,
    kind: String,
    number: NumberKind,
}

impl SheetRows {
    pub(super) fn new(sheet: Unpacked, texts: Arc<SharedTexts>, formats: Formats, from_1904: bool) -> Self {
        Self { xml: Xml::new(sheet), texts, formats, from_1904, last: 0, ended: false }
    }

    /// Returns the share of the sheet that was read, as bytes of bytes.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.xml.progress()
    }

    fn next_row(&mut self) -> Result<Option<Row>, WorkbookError> {
        loop {
            match self.xml.next()? {
                Piece::Open(tag) if tag.name() == "row" => {
                    let number = tag.number("r").unwrap_or(self.last + 1);
                    if !(1..=MOST_ROWS).contains(&number) {
                        let what = format!("a row has the number {number}, and a sheet has {MOST_ROWS} rows");
                        return Err(WorkbookError::damaged(what));
                    }
                    self.last = number;
                    let row = self.read_row(number)?;
                    if !row.cells.is_empty() {
                        return Ok(Some(row));
                    }
                }
                Piece::Close("sheetData") | Piece::End => {
                    self.xml.finish()?;
                    return Ok(None);
                }
                _ => {}
            }
        }
    }

    fn read_row(&mut self, number: u64) -> Result<Row, WorkbookError> {
        let mut row = Row { number, cells: Vec::new(), too_large: false };
        let (mut next, mut bytes) = (0, 0);
        loop {
            let head = match self.xml.next()? {
                Piece::Open(tag) if tag.name() == "c" => head(&tag, next, number, &self.formats)?,
                Piece::Close("row") => break,
                Piece::End => return Err(WorkbookError::damaged("a sheet ends in the middle of a row")),
                _ => continue,
            };
            if row.cells.last().is_some_and(|(before, _)| *before >= head.column) {
                let name = letters(head.column) + &number.to_string();
                return Err(WorkbookError::damaged(format_args!("the cell {name} is twice there, or out of order")));
            }
            next = head.column + 1;
            let column = head.column;
            let Some(value) = self.read_cell(&head, number)? else { continue };
            bytes += size(&value);
            row.too_large |= bytes > LARGEST_ROW;
            if !row.too_large {
                row.cells.push((column, value));
            }
        }
        Ok(row)
    }

    /// Reads the rest of a cell. `None` if it has no value.
    fn read_cell(&mut self, head: &CellHead, row: u64) -> Result<Option<Value>, WorkbookError> {
        let (mut value, mut formula, mut text, mut inside) = (String::new(), None::<String>, None, ' ');
        loop {
            let is_text = match self.xml.next()? {
                Piece::Open(tag) => match tag.name() {
                    "v" => {
                        inside = 'v';
                        false
                    }
                    "f" => {
                        inside = 'f';
                        formula = Some(String::new());
                        false
                    }
                    "is" => true,
                    _ => false,
                },
                Piece::Text(piece) => {
                    let target = match (inside, &mut formula) {
                        ('v', _) => &mut value,
                        ('f', Some(formula)) => formula,
                        _ => continue,
                    };
                    target.push_str(&piece);
                    if target.len() > LARGEST_PIECE {
                        return Err(WorkbookError::too_large("a cell has more than 16 MiB"));
                    }
                    false
                }
                Piece::Close("c") => break,
                Piece::Close(_) => {
                    inside = ' ';
                    false
                }
                Piece::End => return Err(WorkbookError::damaged("a sheet ends in the middle of a cell")),
            };
            if is_text {
                text = Some(texts::read(&mut self.xml, "is")?);
            }
        }
        // An empty text is a result of a formula, too.
        let is_empty = head.kind == "str";
        self.value(head, value, text, row).map(|value| match (value, formula) {
            (None, Some(formula)) if !is_empty => Some(Value::Formula(format!("={formula}"))),
            (value, _) => value,
        })
    }

    fn value(
        &self,
        head: &CellHead,
        value: String,
        text: Option<String>,
        row: u64,
    ) -> Result<Option<Value>, WorkbookError> {
        let wrong = |what: &str| {
            let cell = letters(head.column) + &row.to_string();
            WorkbookError::damaged(format_args!("the cell {cell} {what}"))
        };
        let filled = |text: String| (!text.is_empty()).then_some(Value::Text(text));
        Ok(match head.kind.as_str() {
            "inlineStr" => text.and_then(filled),
            _ if value.is_empty() => None,
            "s" => {
                let number = value.trim().parse().map_err(|_| wrong("names no shared text"))?;
                let shared = self.texts.get(number).ok_or_else(|| wrong("names a shared text that is missing"))?;
                filled(shared.to_owned())
            }
            "b" => Some(Value::Boolean(matches!(value.trim(), "1" | "true"))),
            "str" => filled(resolve(value)),
            // A date in its own words, or the name of an error.
            "d" | "e" => filled(value),
            _ => Some(of_number(&value, head.number, self.from_1904).ok_or_else(|| wrong("holds no number"))?),
        })
    }
}

/// Returns the column, the kind and the format of a cell. `next` is the column of a cell without a name.
fn head(tag: &Tag<'_>, next: usize, row: u64, formats: &Formats) -> Result<CellHead, WorkbookError> {
    let name = tag.value("r");
    let column = name.as_deref().map_or(Some(next), column::number).filter(|column| *column < MOST_COLUMNS);
    let column = column.ok_or_else(|| {
        WorkbookError::damaged(format_args!("the row {row} has a cell beyond the column {}", letters(MOST_COLUMNS - 1)))
    })?;
    let number = formats.kind(tag.number("s"));
    Ok(CellHead { column, kind: tag.value("t").unwrap_or_default(), number })
}

fn size(value: &Value) -> usize {
    const OTHERS: usize = 16;
    match value {
        Value::Text(text) | Value::Number(text) | Value::Formula(text) => text.len() + OTHERS,
        _ => OTHERS,
    }
}

impl Iterator for SheetRows {
    type Item = Result<Row, WorkbookError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_row().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
