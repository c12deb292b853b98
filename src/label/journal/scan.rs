//! A journal, read once from its first byte to its last.
//!
//! Any damage is reported with its line before the rest is used.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::error::JournalError;
use super::layout::{BEGINNING, End, EndLine, FirstLine, PassLine, VERSION, Version, row_number};
use super::line;
use crate::calibration::terms::Terms;

/// Bytes of a first line, at most.
// A file that is no journal may have no line end at all.
const LONGEST_HEAD: u64 = 16 << 20;

/// A journal, without its rows.
#[derive(Debug)]
pub(super) struct Scan {
    pub terms: Terms,
    /// The bytes of each pass.
    pub passes: Vec<ByteRange>,
    /// The inputs' end, if the last line holds it.
    pub end: Option<End>,
    /// The highest number of a row in the last pass; 0 without rows.
    pub highest: u64,
    /// The number of rows, including those that a later pass replaces.
    pub rows: u64,
    /// The end of the last whole line.
    pub length: u64,
}

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteRange {
    pub from: u64,
    pub to: u64,
}

impl Scan {
    /// Reads the journal in a file from its beginning. A last line without an end does not count: it is being written,
    /// or was torn.
    pub fn of(path: &Path, file: &File) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        let mut file = file;
        let size = file.metadata().map_err(failed)?.len();
        std::io::Seek::rewind(&mut file).map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 16, file.take(size));
        let mut line = Vec::new();
        let (terms, mut at) = first_terms(path, &mut file)?;
        let mut scan =
            Self { terms, passes: vec![ByteRange { from: at, to: at }], end: None, highest: 0, rows: 0, length: at };
        let mut count = 1;
        loop {
            line.clear();
            file.read_until(b'\n', &mut line).map_err(failed)?;
            if !line.ends_with(b"\n") {
                return Ok(scan);
            }
            count += 1;
            let damaged = || JournalError::Damaged { path: path.to_owned(), line: count };
            if !line::is_whole(&line) {
                return Err(damaged());
            }
            // A later run may have added rows to inputs that had ended.
            scan.end = None;
            at += line.len() as u64;
            // Nearly all lines are rows. Their number is known without parsing the JSON.
            if let Some(number) = row_number(&line) {
                scan.highest = scan.highest.max(number);
                scan.rows += 1;
            } else if let Ok(EndLine { end }) = serde_json::from_slice(&line) {
                scan.end = Some(end);
            } else if let Ok(PassLine { pass }) = serde_json::from_slice(&line)
                && pass == scan.passes.len() + 1
            {
                scan.passes.push(ByteRange { from: at, to: at });
                scan.highest = 0;
            } else {
                return Err(damaged());
            }
            scan.length = at;
            if let Some(last) = scan.passes.last_mut() {
                last.to = at;
            }
        }
    }
}

/// Reads a journal's first line. Returns its terms and its length.
pub(super) fn first_terms(path: &Path, file: &mut impl BufRead) -> Result<(Terms, u64), JournalError> {
    let mut line = Vec::new();
    file.take(LONGEST_HEAD)
        .read_until(b'\n', &mut line)
        .map_err(|error| JournalError::Io { path: path.to_owned(), error })?;
    Ok((terms(path, &line)?, line.len() as u64))
}

/// Returns the terms in a first line.
fn terms(path: &Path, line: &[u8]) -> Result<Terms, JournalError> {
    let foreign = || JournalError::Foreign(path.to_owned());
    if !line.starts_with(BEGINNING) || !line.ends_with(b"\n") {
        return Err(foreign());
    }
    let Version { journal } = serde_json::from_slice(line).map_err(|_| foreign())?;
    if journal != VERSION {
        return Err(JournalError::Version { path: path.to_owned(), version: journal, ours: VERSION });
    }
    let damaged = || JournalError::Damaged { path: path.to_owned(), line: 1 };
    if !line::is_whole(line) {
        return Err(damaged());
    }
    serde_json::from_slice(line).map(|FirstLine { terms, .. }| terms).map_err(|_| damaged())
}
