//! A workbook of Excel (.xlsx). Texts stay texts, and numbers that a spreadsheet keeps whole stay numbers.

use std::io;

use serde_json::value::RawValue;

use super::flat_table::FlatTable;
use super::pack::Finish;
use super::row_writer::RowWriter;
use crate::label::columns::text;
use crate::label::entry::Entry;
use crate::workbook::{Cell, SheetWriter};

pub(super) struct Sheet {
    writer: SheetWriter<Box<dyn Finish>>,
    table: FlatTable,
}

impl Sheet {
    /// Begins a workbook with the header.
    pub fn new(file: Box<dyn Finish>, table: FlatTable) -> io::Result<Self> {
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        Ok(Self { writer: SheetWriter::new(file, &names)?, table })
    }
}

impl RowWriter for Sheet {
    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        let cells = self.table.cells(entry);
        let texts: Vec<Option<String>> = cells.iter().map(|cell| cell.as_deref().map(text)).collect();
        let cells = cells.iter().zip(&texts).map(|(json, text)| match (json, text) {
            (Some(json), Some(text)) => cell(json, text),
            _ => Cell::Empty,
        });
        self.writer.row(&cells.collect::<Vec<_>>())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.writer.finish()?.finish()
    }
}

fn cell<'cell>(json: &'cell RawValue, text: &'cell str) -> Cell<'cell> {
    match json.get() {
        "true" => Cell::Boolean(true),
        "false" => Cell::Boolean(false),
        digits if is_kept(digits) => Cell::Number(digits),
        _ => Cell::Text(text),
    }
}

/// Reports whether JSON is a number that a spreadsheet keeps to the last digit. It has doubles, and shows 15 digits of
/// a whole number.
fn is_kept(json: &str) -> bool {
    const SHOWN: usize = 15;
    let begins = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let mantissa = json.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.chars().filter(char::is_ascii_digit).skip_while(|digit| *digit == '0').count();
    let is_whole = json.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    let is_double = || json.parse::<f64>().is_ok_and(|value| value.is_finite() && digits <= 17);
    begins && if is_whole { digits <= SHOWN } else { is_double() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_only_if_no_digit_is_lost() {
        for number in [
            "0",
            "-7",
            "0.5",
            "6.698985796873672e-7",
            "2.556490215608071e-10",
            "0.00012345678901234567",
            "123456789012345",
        ] {
            assert!(is_kept(number), "{number}");
        }
        for other in ["1234567890123456", "\"7\"", "\"=1+1\"", "1e400", "0.1234567890123456789", "[1]", "null"] {
            assert!(!is_kept(other), "{other}");
        }
    }
}
