//! A journal, read once from its first byte to its last.
//!
//! The one idea: all damage is named with its line before the rest is used.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{End, JournalError, line};
use crate::calibration::terms::Terms;

/// The version of the format.
const VERSION: u64 = 2;
/// The beginning of each journal, of whatever version.
const BEGINNING: &[u8] = b"{\"journal\":";
/// The beginning of a row's line.
const ROW: &[u8] = b"{\"n\":";
/// Bytes of a first line, at most.
const LONGEST_HEAD: u64 = 16 << 20;

/// A journal, without its rows.
#[derive(Debug)]
pub(super) struct Scan {
    pub terms: Terms,
    /// The bytes of each pass.
    pub passes: Vec<Stretch>,
    /// The inputs' end, if the last line holds it.
    pub end: Option<End>,
    /// The highest number of a row in the last pass; 0 if there is none.
    pub highest: u64,
    /// The number of rows, including those that a later pass replaces.
    pub rows: u64,
    /// The end of the last whole line.
    pub length: u64,
}

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub from: u64,
    pub to: u64,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    journal: u64,
    terms: Terms,
}

/// The version in a first line, which may be an old one.
#[derive(Deserialize)]
struct Version {
    journal: u64,
}

/// The line that begins each pass after the first.
#[derive(Serialize, Deserialize)]
struct Pass {
    pass: usize,
}

/// The last line of a run that came to the end of its inputs.
#[derive(Serialize, Deserialize)]
struct Tail {
    end: End,
}

/// Returns the first line of a journal of these terms.
pub(super) fn head(terms: &Terms) -> serde_json::Result<Vec<u8>> {
    line::sealed(&Head { journal: VERSION, terms: terms.clone() })
}

/// Returns the line that begins the pass of this number, from 2.
pub(super) fn pass(number: usize) -> serde_json::Result<Vec<u8>> {
    line::sealed(&Pass { pass: number })
}

/// Returns the line at the end of a run.
pub(super) fn tail(end: End) -> serde_json::Result<Vec<u8>> {
    line::sealed(&Tail { end })
}

/// Returns the number of a row, if a line is one.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(ROW)?.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
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
        (&mut file).take(LONGEST_HEAD).read_until(b'\n', &mut line).map_err(failed)?;
        let terms = terms(path, &line)?;
        let mut at = line.len() as u64;
        let mut scan =
            Self { terms, passes: vec![Stretch { from: at, to: at }], end: None, highest: 0, rows: 0, length: at };
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
            scan.end = None;
            at += line.len() as u64;
            if let Some(number) = number(&line) {
                scan.highest = scan.highest.max(number);
                scan.rows += 1;
            } else if let Ok(Tail { end }) = serde_json::from_slice(&line) {
                scan.end = Some(end);
            } else if let Ok(Pass { pass }) = serde_json::from_slice(&line)
                && pass == scan.passes.len() + 1
            {
                scan.passes.push(Stretch { from: at, to: at });
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
    serde_json::from_slice(line).map(|Head { terms, .. }| terms).map_err(|_| damaged())
}
