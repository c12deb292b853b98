//! The files that a run writes: each whole or not at all, and never in place of a file that somebody still needs.
//!
//! A file is written under a random name that is not taken, and put in its place by a rename. It replaces a regular
//! file or nothing.

mod draft;
mod error;
mod path;
mod set;

pub use draft::{Draft, options, random, sweep};
pub use error::{Changed, Refused};
pub use path::{is_stream, open_itself, stream};
pub use set::Files;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file, whole or not at all. A pipe or a device is written to directly.
///
/// # Errors
///
/// An I/O error. An existing file is then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_stream(path) {
        return stream(path)?.write_all(bytes);
    }
    Draft::holding(path, bytes)?.put()
}

/// Replaces the bytes of a file, if they are still those that were read.
///
/// # Errors
///
/// [`Changed`] inside an I/O error if the bytes have changed, or another I/O error. The file is then unchanged.
pub fn replace(path: &Path, read: &[u8], bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::holding(path, bytes)?;
    // Compared last, so that little time is left for a change before the rename.
    if fs::read(path)? != read {
        return Err(io::Error::other(Changed));
    }
    draft.put()
}

/// Makes a new file, whole or not at all.
///
/// # Errors
///
/// `AlreadyExists` if something has this name, or another I/O error.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests;
