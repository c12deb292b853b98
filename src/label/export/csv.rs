//! Fields between separators, by RFC 4180.

use std::io::{self, Write};

use super::flat_table::{Cell, FlatTable};
use super::pack::Finish;
use super::row_writer::RowWriter;
use crate::label::columns::text;
use crate::label::entry::Entry;

pub(super) struct Separated {
    file: Box<dyn Finish>,
    separator: u8,
    table: FlatTable,
    line: Vec<u8>,
}

impl Separated {
    /// Starts a file with its header, after a byte order mark if that is wanted.
    pub fn new(mut file: Box<dyn Finish>, separator: u8, table: FlatTable, bom: bool) -> io::Result<Self> {
        if bom {
            file.write_all("\u{FEFF}".as_bytes())?;
        }
        let mut separated = Self { file, separator, line: Vec::new(), table };
        let names: Vec<String> = separated.table.columns.iter().map(|column| column.name.clone()).collect();
        separated.write(names.into_iter())?;
        Ok(separated)
    }

    fn write(&mut self, fields: impl Iterator<Item = String>) -> io::Result<()> {
        self.line.clear();
        for (place, field) in fields.enumerate() {
            if place > 0 {
                self.line.push(self.separator);
            }
            let special = |byte: u8| byte == self.separator || matches!(byte, b'"' | b'\n' | b'\r');
            if field.bytes().any(special) {
                self.line.push(b'"');
                self.line.extend(field.replace('"', "\"\"").bytes());
                self.line.push(b'"');
            } else {
                self.line.extend(field.bytes());
            }
        }
        if self.line.is_empty() {
            // A row of one empty field would be a blank line, which readers skip.
            self.line.extend(b"\"\"");
        }
        self.line.push(b'\n');
        self.file.write_all(&self.line)
    }
}

impl RowWriter for Separated {
    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        let cells = self.table.cells(entry);
        self.write(cells.iter().map(|cell: &Cell| cell.as_deref().map_or(String::new(), text)))
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.finish()
    }
}
