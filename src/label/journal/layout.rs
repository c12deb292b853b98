//! The layout of a journal: its lines, and the order of its rows.

use serde::{Deserialize, Serialize};

use super::line;
use crate::calibration::terms::Terms;
use crate::digest::{Digests, Hash};

/// The largest distance of a row from the order of the inputs, in records.
pub const DISORDER: u64 = 4096;

/// The version of the format.
pub(super) const VERSION: u64 = 3;
/// The beginning of each journal, in every version.
pub(super) const BEGINNING: &[u8] = b"{\"journal\":";
/// The beginning of a row's line: the first field of an [`Entry`](crate::label::entry::Entry).
const ROW: &[u8] = b"{\"n\":";

/// Reports whether the row after the record of number `last` may be written before that of number `first`.
///
/// Two rows that change places are each half of [`DISORDER`] away from their own, at most.
pub(in crate::label) fn can_precede(last: u64, first: u64) -> bool {
    last < first + DISORDER / 2
}

/// The end of a run's inputs. It covers all records, those of other shares included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The number of records.
    pub records: u64,
    /// The digest of their digests, in order.
    pub digest: Hash,
}

impl From<Digests> for End {
    fn from(digests: Digests) -> Self {
        let (records, digest) = digests.end();
        Self { records, digest }
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) struct FirstLine {
    pub journal: u64,
    pub terms: Terms,
}

/// The version in a first line, which may be an old one.
#[derive(Deserialize)]
pub(super) struct Version {
    pub journal: u64,
}

/// The line that begins each pass after the first.
#[derive(Serialize, Deserialize)]
pub(super) struct PassLine {
    pub pass: usize,
}

/// The last line of a run that reached the end of its inputs.
#[derive(Serialize, Deserialize)]
pub(super) struct EndLine {
    pub end: End,
}

/// Returns the first line of a journal with these terms.
pub(super) fn first_line(terms: &Terms) -> serde_json::Result<Vec<u8>> {
    line::sealed(&FirstLine { journal: VERSION, terms: terms.clone() })
}

/// Returns the line that begins the pass of this number, from 2.
pub(super) fn pass_line(number: usize) -> serde_json::Result<Vec<u8>> {
    line::sealed(&PassLine { pass: number })
}

/// Returns the line at the end of a run.
pub(super) fn end_line(end: End) -> serde_json::Result<Vec<u8>> {
    line::sealed(&EndLine { end })
}

/// Returns the number of a row. `None` for other lines.
pub(super) fn row_number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(ROW)?.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}
