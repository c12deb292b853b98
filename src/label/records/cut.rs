//! Cutting a stream into records.
//!
//! A record is one line, or several joined by its quotes, and keeps its bytes. A quote that is badly closed joins no lines:
//! each line from the one that opens it is a damaged record of its own.

use std::io::{self, BufRead};

use super::array::{Element, Elements};
use super::defect::Defect;
use super::format::InputFormat;
use super::limits::LARGEST;
use super::lines::{Line, Lines, without_ending};
use super::record_fields::RecordFields;
use super::separated::{Separated, Taken};
use crate::hint::{Hint, Setting};

/// A stream that is cut into records.
pub(super) struct Cutter<R> {
    lines: Lines<R>,
    format: InputFormat,
    separated: Separated,
    /// Lines that a badly closed quote has joined.
    joined: Option<Joined>,
    /// The elements of an array.
    elements: Elements,
}

/// Lines that are returned one by one, each as a damaged record.
struct Joined {
    bytes: Vec<u8>,
    /// The next line, and where it begins.
    line: u64,
    at: usize,
    /// The lines on which the quote opens and closes.
    opens: u64,
    closes: u64,
}

/// A record with its bytes and its line ending, or the defect of one that cannot be read.
pub(super) struct Cut {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The number of bytes of the stream up to its end.
    pub end: u64,
    /// Empty if it was too large to keep.
    pub raw: Vec<u8>,
    pub defect: Option<Defect>,
}

impl<R: BufRead> Cutter<R> {
    /// Returns a cutter. Separator and quote matter for CSV and TSV alone.
    pub fn new(stream: R, format: InputFormat, wanted: &RecordFields) -> Self {
        let separator = wanted.separator.unwrap_or(format.separator());
        let separated = Separated::new(separator, wanted.quote.byte());
        Self { lines: Lines::new(stream), format, separated, joined: None, elements: Elements::default() }
    }

    /// Counts lines that another stream had before this one.
    pub fn count_before(&mut self, lines: u64) {
        self.lines.count += lines;
    }

    /// Returns the fields of the last record, in CSV and TSV.
    pub fn separated(&self) -> &Separated {
        &self.separated
    }

    pub fn next(&mut self) -> io::Result<Option<Cut>> {
        if self.format == InputFormat::Json {
            return self.next_of_array();
        }
        if let Some(cut) = self.next_of_joined() {
            return Ok(Some(cut));
        }
        loop {
            let (line, mut raw) = (self.lines.count + 1, Vec::new());
            match self.lines.read(&mut raw)? {
                Line::End => return Ok(None),
                Line::TooLarge => return Ok(Some(self.too_large(line))),
                Line::Read if self.is_no_record(&raw) => {}
                Line::Read if matches!(self.format, InputFormat::Csv | InputFormat::Tsv) => {
                    return self.complete(line, raw);
                }
                Line::Read => return Ok(Some(self.cut(line, raw, None))),
            }
        }
    }

    /// Reports whether a line between records is mere layout.
    fn is_no_record(&self, line: &[u8]) -> bool {
        match self.format {
            InputFormat::Jsonl | InputFormat::Batch | InputFormat::Lines => line.iter().all(u8::is_ascii_whitespace),
            InputFormat::Csv | InputFormat::Tsv => without_ending(line).is_empty(),
            InputFormat::Json | InputFormat::Parquet | InputFormat::Xlsx => false,
        }
    }

    /// Returns a record that ends with the last line that was read.
    fn cut(&self, line: u64, raw: Vec<u8>, defect: Option<Defect>) -> Cut {
        Cut { line, end: self.lines.bytes, raw, defect }
    }

    /// Adds the lines that the record's quotes join.
    fn complete(&mut self, line: u64, mut raw: Vec<u8>) -> io::Result<Option<Cut>> {
        let mut taken = 0;
        loop {
            match self.separated.take(&raw[taken..]) {
                Taken::Complete => return Ok(Some(self.cut(line, raw, None))),
                Taken::Damaged => {
                    let (opens, closes) = (line + self.separated.opened(), self.lines.count);
                    self.joined = Some(Joined { bytes: raw, line, at: 0, opens, closes });
                    // The first line holds a quote, so it is not blank.
                    return Ok(self.next_of_joined());
                }
                Taken::Open => taken = raw.len(),
            }
            match self.lines.read(&mut raw)? {
                Line::Read => {}
                Line::TooLarge => return Ok(Some(self.too_large(line))),
                Line::End => {
                    let defect = self.unclosed(line);
                    return Ok(Some(self.cut(line, raw, Some(defect))));
                }
            }
        }
    }

    /// Takes the next element of an array.
    fn next_of_array(&mut self) -> io::Result<Option<Cut>> {
        let mut raw = Vec::new();
        let (code, line, what) = match self.elements.next(&mut self.lines, &mut raw)? {
            Element::End => return Ok(None),
            Element::Whole(line) => return Ok(Some(self.cut(line, raw, None))),
            Element::TooLarge(line) => ("too-large", line, "a record of more than 4 MiB, which no context holds"),
            Element::Unclosed(line) => {
                ("unclosed-array", line, "the file ends within its array, so records are missing")
            }
            Element::NoArray(line) => {
                ("not-json", line, "text that is not in an array; a document is one array of records")
            }
        };
        Ok(Some(self.cut(line, Vec::new(), Some(Defect::new(code, line, what)))))
    }

    /// Takes the next of the joined lines.
    fn next_of_joined(&mut self) -> Option<Cut> {
        let mut joined = self.joined.take()?;
        loop {
            let rest = &joined.bytes[joined.at..];
            let raw = rest.split_inclusive(|byte| *byte == b'\n').next()?.to_vec();
            let line = joined.line;
            joined.line += 1;
            joined.at += raw.len();
            if !self.is_no_record(&raw) {
                let end = self.lines.bytes - (joined.bytes.len() - joined.at) as u64;
                let defect = Some(badly_closed(line, joined.opens, joined.closes));
                self.joined = Some(joined);
                return Some(Cut { line, end, raw, defect });
            }
        }
    }

    fn too_large(&mut self, line: u64) -> Cut {
        self.separated.abandon();
        // Reading has skipped the rest of the line, so it continues at the next one.
        let (limit, next) = (LARGEST >> 20, self.lines.count + 1);
        let what = if matches!(self.format, InputFormat::Csv | InputFormat::Tsv) {
            format!("a record of more than {limit} MiB; reading continues at line {next}: is there a quote not closed?")
        } else {
            format!("a line of more than {limit} MiB, which no context holds")
        };
        let mut defect = Defect::new("too-large", line, what);
        if matches!(self.format, InputFormat::Csv | InputFormat::Tsv) {
            defect = defect.with_hint(unquoted());
        }
        self.cut(line, Vec::new(), Some(defect))
    }

    fn unclosed(&mut self, line: u64) -> Defect {
        self.separated.abandon();
        let (opens, last) = (line + self.separated.opened(), self.lines.count);
        let what = format!(
            "the quote that opens on line {opens} is never closed, so all lines up to {last}, the last, are one record; \
             close it, or double each quote in the text and put the text in quotes"
        );
        Defect::new("unclosed-quote", line, what).with_hint(unquoted())
    }
}

/// Returns the remedy for a file whose quotes do not quote.
fn unquoted() -> Hint {
    Hint::of_value(Setting::Quote, "none").text(" reads quotes as ordinary characters")
}

fn badly_closed(line: u64, opens: u64, closes: u64) -> Defect {
    let what = if opens == closes {
        "text follows the quote that closes a field".to_owned()
    } else if line == closes {
        format!("text follows the quote that closes a field, which opens on line {opens}")
    } else {
        format!("text follows the quote on line {closes} that closes a field, which opens on line {opens}")
    };
    let remedy = "double each quote in a text and put the text in quotes";
    Defect::new("quote", line, format_args!("{what}; {remedy}")).with_hint(unquoted())
}
