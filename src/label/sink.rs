//! Sinks: destinations of records that are done.

use std::io::{self, Write};

use super::entry::{Entry, OutputForm};
use super::journal::Journal;
use super::report::Report;
use super::row::{Row, RowVerdict};

/// Takes records that are done.
pub trait Sink {
    /// Takes a record, with its bytes as they were read, and its rows.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written>;

    /// Writes buffered rows.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The result of writing a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The number of rows written, or of records printed.
    pub rows: u64,
    /// The place of its line in a journal.
    pub place: Option<u64>,
}

/// Writes a line of JSON for each record.
#[derive(Debug)]
pub struct Rows<W> {
    /// The destination.
    pub output: W,
    /// The form of a row.
    pub form: OutputForm,
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

/// Prints the records with a wanted verdict, unchanged.
#[derive(Debug)]
pub struct Only<W> {
    output: W,
    verdict: RowVerdict,
}

impl<W: Write> Only<W> {
    /// Starts with the header of the input, if it has one. Without it the lines would not be CSV.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn new(mut output: W, verdict: RowVerdict, header: Option<&[u8]>) -> io::Result<Self> {
        if let Some(header) = header {
            write_line(&mut output, header)?;
        }
        Ok(Self { output, verdict })
    }
}

impl<W: Write> Sink for Only<W> {
    fn put(&mut self, _entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        if RowVerdict::of(rows) != self.verdict {
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

/// Adds rows to a report on their way to another sink.
pub struct Reported<'run> {
    /// The other sink.
    pub sink: &'run mut dyn Sink,
    /// The report.
    pub report: &'run mut Report,
}

impl Sink for Reported<'_> {
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        self.report.add(entry, rows);
        self.sink.put(entry, raw, rows)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Sink for Journal {
    fn put(&mut self, entry: &Entry, _raw: &[u8], _rows: &[Row]) -> io::Result<Written> {
        Ok(Written { rows: 1, place: Some(Journal::put(self, entry)?) })
    }
}
