//! Where one record ends and the next begins.
//!
//! The one idea: a record is one line, or as many as its quotes ask for, and whatever it holds it comes out as it stood.
//! What is damaged beyond that is given up up to a newline, where the next record begins.

use std::io::{self, BufRead};

use super::LARGEST;
use super::defect::Defect;
use super::format::Format;
use super::lines::{Line, Lines, without_ending};
use super::separated::Separated;

/// A stream on its way into records.
pub(super) struct Cutter<R> {
    lines: Lines<R>,
    format: Format,
    separated: Separated,
}

/// A record as it stood, with its line ending, or why it cannot be read at all.
pub(super) struct Cut {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Nothing if it was too large to keep.
    pub raw: Vec<u8>,
    pub defect: Option<Defect>,
}

impl<R: BufRead> Cutter<R> {
    pub fn new(stream: R, format: Format) -> Self {
        let separator = if format == Format::Tsv { b'\t' } else { b',' };
        Self { lines: Lines::new(stream), format, separated: Separated::new(separator) }
    }

    /// How many bytes of the stream are cut.
    pub fn bytes(&self) -> u64 {
        self.lines.bytes
    }

    /// The fields of the last record that was cut, in CSV and TSV.
    pub fn separated(&self) -> &Separated {
        &self.separated
    }

    pub fn next(&mut self) -> io::Result<Option<Cut>> {
        loop {
            let mut cut = Cut { line: self.lines.count + 1, raw: Vec::new(), defect: None };
            match self.lines.read(&mut cut.raw)? {
                Line::End => return Ok(None),
                Line::TooLarge => return Ok(Some(self.too_large(cut.line))),
                Line::Read if self.is_no_record(&cut.raw) => {}
                Line::Read if matches!(self.format, Format::Csv | Format::Tsv) => return self.complete(cut).map(Some),
                Line::Read => return Ok(Some(cut)),
            }
        }
    }

    /// Whether a line between records is there for the looks.
    fn is_no_record(&self, line: &[u8]) -> bool {
        match self.format {
            Format::Jsonl | Format::Batch => line.iter().all(u8::is_ascii_whitespace),
            Format::Csv | Format::Tsv => without_ending(line).is_empty(),
            Format::Lines | Format::Parquet => false,
        }
    }

    /// Adds the lines that the record's quotes ask for.
    fn complete(&mut self, mut cut: Cut) -> io::Result<Cut> {
        let mut taken = 0;
        while !self.separated.take(&cut.raw[taken..]) {
            taken = cut.raw.len();
            match self.lines.read(&mut cut.raw)? {
                Line::Read => {}
                Line::TooLarge => return Ok(self.too_large(cut.line)),
                // The last line may just lack its newline.
                Line::End if !cut.raw.ends_with(b"\n") && self.separated.take(b"\n") => break,
                Line::End => {
                    cut.defect = Some(self.unclosed(cut.line));
                    break;
                }
            }
        }
        Ok(cut)
    }

    fn too_large(&mut self, line: u64) -> Cut {
        self.separated.abandon();
        let (limit, next) = (LARGEST >> 20, self.lines.count + 1);
        let what = if matches!(self.format, Format::Csv | Format::Tsv) {
            format!("a record of more than {limit} MiB; reading goes on at line {next}: is there a quote not closed?")
        } else {
            format!("a line of more than {limit} MiB, which no context holds")
        };
        Cut { line, raw: Vec::new(), defect: Some(Defect::new("too-large", line, what)) }
    }

    fn unclosed(&mut self, line: u64) -> Defect {
        // Every line from there on ends inside the field, the last one by its own newline or by the one that was tried.
        let ends = self.separated.open_field().split(|byte| *byte == b'\n').count() as u64 - 1;
        self.separated.abandon();
        let (opens, last) = (self.lines.count + 1 - ends, self.lines.count);
        let what = format!(
            "the quote that opens on line {opens} is never closed, so all lines up to {last}, the last, are one record; \
             close it, or double each quote in the text and put the text in quotes"
        );
        Defect::new("unclosed-quote", line, what)
    }
}
