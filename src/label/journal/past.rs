//! The rows of an earlier run.
//!
//! They are read beside the inputs, so memory does not grow with them.

use std::sync::Arc;

use serde::Deserialize;

use super::error::JournalError;
use super::ordered::Ordered;
use crate::digest::Hash;
use crate::label::row::Row;
use crate::label::source::Placed;

/// The rows of an earlier run, read in the order of the inputs.
#[derive(Debug)]
pub struct Past {
    /// Set if the earlier run had the same terms.
    pub alike: bool,
    rows: Option<Ordered>,
}

/// A record that an earlier run has done.
#[derive(Debug)]
pub struct Done {
    /// The place of its line in the journal.
    pub place: u64,
    /// Its rows, one for each policy.
    pub rows: Vec<Row>,
}

/// The part of an entry's line by which it is recognized.
#[derive(Deserialize)]
struct EntryHead {
    input: Arc<str>,
    row: u64,
    record: Hash,
    #[serde(default)]
    open: bool,
    verdicts: Vec<Row>,
}

impl Past {
    /// Returns a past without rows.
    #[must_use]
    pub fn none() -> Self {
        Self { alike: true, rows: None }
    }

    pub(in crate::label) fn of(rows: Ordered, alike: bool) -> Self {
        Self { alike, rows: Some(rows) }
    }

    /// Returns the row of a record of this digest, if there is one. Records must be asked for in the order of the
    /// inputs. A record that ended with its input, and has grown since, has no row.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or has another record in its place.
    pub fn find(&mut self, placed: &Placed, digest: &Hash) -> Result<Option<Done>, JournalError> {
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let Some(next) = rows.next_number()?.filter(|next| *next <= placed.number) else { return Ok(None) };
        let Some((place, line)) = rows.next_line()? else { return Ok(None) };
        let known: EntryHead = serde_json::from_slice(&line).map_err(|_| rows.damaged(place))?;
        let path = || rows.path().to_owned();
        if next < placed.number {
            // The record has a new id, and is of another share now.
            return Err(JournalError::OtherInput { path: path(), input: known.input, row: known.row });
        }
        match known.record == *digest {
            true => Ok(Some(Done { place, rows: known.verdicts })),
            false if known.open => Ok(None),
            false => Err(JournalError::OtherInput { path: path(), input: Arc::clone(&placed.input), row: placed.row }),
        }
    }

    /// Checks that no rows are left once all records have been asked for.
    ///
    /// # Errors
    ///
    /// [`JournalError::Shorter`], or when the journal cannot be read.
    pub fn end(&mut self) -> Result<(), JournalError> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let mut left = 0;
        while rows.next_line()?.is_some() {
            left += 1;
        }
        if left == 0 { Ok(()) } else { Err(JournalError::Shorter { path: rows.path().to_owned(), rows: left }) }
    }
}
