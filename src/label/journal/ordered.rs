//! The rows of a journal in the order of the inputs.
//!
//! Within a pass a row is at most [`DISORDER`] records from its place, so a bounded look ahead finds it.
//! If a record has rows in several passes, that of the last pass counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::layout::{DISORDER, End, row_number};
use super::line;
use super::scan::{ByteRange, Scan};
use crate::calibration::terms::Terms;
use crate::label::entry::Entry;

/// The rows of a journal, in order.
#[derive(Debug)]
pub struct Ordered {
    /// The settings that all its rows have in common.
    pub terms: Terms,
    /// The inputs' end, if the last line holds it.
    pub end: Option<End>,
    path: PathBuf,
    passes: Vec<PassReader>,
    /// A second handle, which reads rows by their place.
    file: File,
}

/// The place of a row in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LinePlace {
    number: u64,
    at: u64,
    length: usize,
}

impl Ordered {
    /// Opens the rows of the journal at a path. Rows that are written later are not read.
    ///
    /// # Errors
    ///
    /// When there is no journal, or it is damaged.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        let scan = Scan::of(path, &file)?;
        Self::of(path, scan)
    }

    /// Opens the rows of a journal that was scanned.
    pub(super) fn of(path: &Path, scan: Scan) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        let open = || File::open(path).map_err(failed);
        let passes = scan.passes.into_iter().map(|bytes| PassReader::new(open()?, bytes).map_err(failed));
        let passes = passes.collect::<Result<_, _>>()?;
        Ok(Self { terms: scan.terms, end: scan.end, path: path.to_owned(), passes, file: open()? })
    }

    /// Returns the number of the next row.
    pub(super) fn next_number(&mut self) -> Result<Option<u64>, JournalError> {
        let mut least = None;
        for pass in &mut self.passes {
            let next = pass.peek(&self.path)?.map(|place| place.number);
            least = match (least, next) {
                (Some(least), Some(next)) => Some(u64::min(least, next)),
                (least, next) => least.or(next),
            };
        }
        Ok(least)
    }

    /// Takes the next row. Returns the place of its line, and the line.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        let Some(number) = self.next_number()? else { return Ok(None) };
        let mut last = None;
        for pass in &mut self.passes {
            if pass.next.is_some_and(|place| place.number == number) {
                last = pass.next.take();
                if pass.peek(&self.path)?.is_some_and(|place| place.number == number) {
                    return Err(JournalError::Doubled { path: self.path.clone(), number });
                }
            }
        }
        let Some(LinePlace { at, length, .. }) = last else { return Ok(None) };
        let mut line = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut line));
        read.map_err(|error| JournalError::Io { path: self.path.clone(), error })?;
        if line::is_whole(&line) { Ok(Some((at, line))) } else { Err(self.damaged(at)) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the error for a damaged line. Its number is found by reading the file again.
    pub(super) fn damaged(&self, at: u64) -> JournalError {
        let lines = File::open(&self.path).map(|file| BufReader::new(file.take(at)).split(b'\n').count() as u64);
        JournalError::Damaged { path: self.path.clone(), line: lines.unwrap_or_default() + 1 }
    }

    /// Takes the next record, with the place of its line.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or is damaged.
    pub fn next_placed(&mut self) -> Result<Option<(u64, Entry)>, JournalError> {
        let Some((at, line)) = self.next_line()? else { return Ok(None) };
        serde_json::from_slice(&line).map(|entry| Some((at, entry))).map_err(|_| self.damaged(at))
    }
}

impl Iterator for Ordered {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_placed().map(|placed| placed.map(|(_, entry)| entry)).transpose()
    }
}

/// Reads the rows of a pass in order.
#[derive(Debug)]
struct PassReader {
    lines: BufReader<Take<File>>,
    /// The place of the next line.
    at: u64,
    line: Vec<u8>,
    /// Rows that were read ahead.
    ahead: BinaryHeap<Reverse<LinePlace>>,
    highest: u64,
    next: Option<LinePlace>,
}

impl PassReader {
    fn new(mut file: File, bytes: ByteRange) -> std::io::Result<Self> {
        file.seek(SeekFrom::Start(bytes.from))?;
        let lines = BufReader::with_capacity(1 << 16, file.take(bytes.to - bytes.from));
        Ok(Self { lines, at: bytes.from, line: Vec::new(), ahead: BinaryHeap::new(), highest: 0, next: None })
    }

    fn peek(&mut self, path: &Path) -> Result<Option<LinePlace>, JournalError> {
        if self.next.is_none() {
            // A lower number can still follow until a row beyond the disorder was read.
            while self.ahead.peek().is_none_or(|Reverse(next)| self.highest <= next.number + DISORDER) {
                self.line.clear();
                let read = self.lines.read_until(b'\n', &mut self.line);
                let length = read.map_err(|error| JournalError::Io { path: path.to_owned(), error })?;
                if length == 0 {
                    break;
                }
                if let Some(number) = row_number(&self.line) {
                    self.highest = self.highest.max(number);
                    self.ahead.push(Reverse(LinePlace { number, at: self.at, length }));
                }
                self.at += length as u64;
            }
            self.next = self.ahead.pop().map(|Reverse(place)| place);
        }
        Ok(self.next)
    }
}
