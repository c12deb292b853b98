//! The journal: every row that is done, in a file of its own that only grows.
//!
//! Each row is appended in a single write before it is reported, and synced to the disk within a second. So a process that
//! is killed loses no row that was done. The next run reads the same inputs beside the journal, and continues at its end.
//! The file contains texts, so only its user can read it.
//!
//! The first line holds the terms that all rows have in common. A line for each row follows, in the order of the inputs up
//! to a bounded disorder. A run that reached the end of its inputs adds a line for it. A run may have to judge some records
//! of an earlier run again. It writes these rows, and all later ones, in a new pass, which is also in the order of the
//! inputs. Every line ends in a checksum.

mod disk_sync;
mod error;
mod file;
mod layout;
pub(in crate::label) mod line;
mod ordered;
mod past;
mod scan;
mod write;

use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::calibration::terms::Terms;
use crate::text::with_ending;

pub use error::JournalError;
pub(in crate::label) use layout::can_precede;
pub use layout::{DISORDER, End};
pub use ordered::Ordered;
pub use past::{Done, Past};
pub use write::{Existing, Journal};

/// Returns the terms of the journal at a path, without reading its rows.
///
/// # Errors
///
/// When there is no journal of this version.
pub fn terms(path: &Path) -> Result<Terms, JournalError> {
    let failed = |error| JournalError::Io { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(failed)?;
    scan::first_terms(path, &mut std::io::BufReader::new(file)).map(|(terms, _)| terms)
}

/// Reads the record at a place of a journal. `None` if its line is damaged.
///
/// # Errors
///
/// When the file cannot be read.
pub fn entry_at(file: &std::fs::File, place: u64) -> std::io::Result<Option<Entry>> {
    Ok(line::at(file, place)?.and_then(|line| serde_json::from_slice(&line).ok()))
}

/// Returns the path of the journal that belongs to an output.
#[must_use]
pub fn beside(output: &Path) -> PathBuf {
    with_ending(output, ".journal")
}
