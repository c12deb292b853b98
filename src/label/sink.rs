//! Where a record goes that is done.
//!
//! The one idea: whoever judges does not know what becomes of a row.

use std::io::{self, Write};

use super::entry::{Entry, Form};
use super::journal::Journal;
use super::row::{Row, RowVerdict};

/// Takes records that are done.
pub trait Sink {
    /// Takes a record, with its bytes as they were read, and its rows.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written>;

    /// Hands out what was taken and held back, if anything was.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows, or records that were let through.
    pub rows: u64,
    /// Where it stands in a journal.
    pub place: Option<u64>,
}

/// Writes a line of JSON for each record.
#[derive(Debug)]
pub struct Rows<W> {
    /// Where they go.
    pub output: W,
    /// How they look.
    pub form: Form,
}

impl<W: Write> Sink for Rows<W> {
    fn put(&mut self, entry: &Entry, _raw: &[u8], _rows: &[Row]) -> io::Result<Written> {
        self.output.write_all(entry.line(&self.form).as_bytes())?;
        Ok(Written { rows: 1, place: None })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Lets records through that stand so, as they came in.
#[derive(Debug)]
pub struct Only<W> {
    output: W,
    standing: RowVerdict,
}

impl<W: Write> Only<W> {
    /// Begins with the header of the input, if it has one: without it what follows is no CSV.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn new(mut output: W, standing: RowVerdict, header: Option<&[u8]>) -> io::Result<Self> {
        if let Some(header) = header {
            write_line(&mut output, header)?;
        }
        Ok(Self { output, standing })
    }
}

impl<W: Write> Sink for Only<W> {
    fn put(&mut self, _entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        if RowVerdict::of(rows) != self.standing {
            return Ok(Written::default());
        }
        write_line(&mut self.output, raw)?;
        Ok(Written { rows: 1, place: None })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn write_line(output: &mut impl Write, line: &[u8]) -> io::Result<()> {
    output.write_all(line)?;
    if line.ends_with(b"\n") { Ok(()) } else { output.write_all(b"\n") }
}

impl Sink for Journal {
    fn put(&mut self, entry: &Entry, _raw: &[u8], _rows: &[Row]) -> io::Result<Written> {
        Ok(Written { rows: 1, place: Some(Journal::put(self, entry)?) })
    }
}
