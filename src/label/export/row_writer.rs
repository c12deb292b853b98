//! The interface of writers of one format.

use std::io;

use crate::label::entry::Entry;

/// Writes rows in one format.
pub(super) trait RowWriter {
    fn put(&mut self, entry: &Entry) -> io::Result<()>;

    /// Writes the rest, and ends the file.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
