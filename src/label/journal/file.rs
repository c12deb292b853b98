//! The file of a journal.
//!
//! The file is examined, locked and found to be ours, in this order, before any of its bytes is changed.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::Path;

use super::error::JournalError;
use super::layout;
use super::ordered::Ordered;
use super::scan::Scan;
use crate::files;
use crate::files::Draft;
use crate::text::with_ending;

/// Opens the file at a path for this process alone, or creates it for its user alone. Returns its scan; `None` for a new
/// file, and for one that ends within our first line, `head`.
pub(super) fn open(path: &Path, head: &[u8]) -> Result<(File, Option<Scan>), JournalError> {
    let failed = |error| JournalError::Io { path: path.to_owned(), error };
    loop {
        let file = match look(path)? {
            Some(file) => file,
            None => match files::options().read(true).write(true).create_new(true).open(path) {
                // Another process has just made it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made.map_err(failed)?,
            },
        };
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
            Ok(()) => {}
        }
        if !is_at(&file, path).map_err(failed)? {
            // The process that had the lock has put another file in its place.
            continue;
        }
        // A process that was killed in its first write leaves a part of the first line.
        let scan = if is_beginning(&file, head).map_err(failed)? { None } else { Some(Scan::of(path, &file)?) };
        // The file is ours: from here on it may be changed.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
                file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
            }
        }
        return Ok((file, scan));
    }
}

/// Renames the file at a path, if there is one.
pub(super) fn set_aside(path: &Path) -> Result<(), JournalError> {
    let failed = |error| JournalError::Io { path: path.to_owned(), error };
    let Ok(about) = fs::symlink_metadata(path) else { return Ok(()) };
    // A run that is at work would write on into the renamed file.
    if about.is_file() && matches!(File::open(path).map(|file| file.try_lock()), Ok(Err(fs::TryLockError::WouldBlock)))
    {
        return Err(JournalError::InUse(path.to_owned()));
    }
    let mut names = (1..).map(|number| with_ending(path, &format!(".{number}")));
    match names.find(|name| fs::symlink_metadata(name).is_err()) {
        Some(name) => fs::rename(path, name).map_err(failed),
        None => Ok(()),
    }
}

/// Replaces a journal by one that has the same rows in one pass.
pub(super) fn in_order(path: &Path, scan: Scan) -> Result<(File, Scan), JournalError> {
    let failed = |error| JournalError::Io { path: path.to_owned(), error };
    let (head, end) = (layout::first_line(&scan.terms), scan.end);
    let mut rows = Ordered::of(path, scan)?;
    let draft = Draft::private(path).map_err(failed)?;
    // A draft is locked, so no other process can take the journal once the draft has its name.
    let mut written = BufWriter::with_capacity(1 << 16, draft.file());
    let mut write = |line: &[u8]| written.write_all(line).map_err(failed);
    write(&head.map_err(io::Error::from).map_err(failed)?)?;
    while let Some((_, line)) = rows.next_line()? {
        write(&line)?;
    }
    if let Some(end) = end {
        write(&layout::end_line(end).map_err(io::Error::from).map_err(failed)?)?;
    }
    written.flush().map_err(failed)?;
    drop(written);
    let file = draft.file().try_clone().map_err(failed)?;
    // The rows must be on the disk before the old journal is replaced.
    file.sync_all().and_then(|()| draft.put()).map_err(failed)?;
    let scan = Scan::of(path, &file)?;
    Ok((file, scan))
}

/// Opens an existing file, if it is ours and no other user can write to it.
fn look(path: &Path) -> Result<Option<File>, JournalError> {
    let failed = |error| JournalError::Io { path: path.to_owned(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(about) if !about.is_file() => {
            let what = if about.is_symlink() { "is a link" } else { "is not a regular file" };
            return Err(JournalError::NotOurs { path: path.to_owned(), what });
        }
        Ok(_) => {}
    }
    let mut options = files::options();
    options.read(true).write(true);
    // It may have become a link or a pipe since.
    let file = match files::open_itself(path, options) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = file.metadata().map_err(failed)?;
        let refused = |what| Err(JournalError::NotOurs { path: path.to_owned(), what });
        if about.uid() != rustix::process::geteuid().as_raw() {
            return refused("belongs to another user");
        }
        if about.mode() & 0o022 != 0 {
            return refused("can be written by other users");
        }
    }
    Ok(Some(file))
}

/// Reports whether an open file is the one at a path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = file.metadata()?;
        let there = fs::symlink_metadata(path);
        Ok(there.is_ok_and(|there| there.is_file() && (there.dev(), there.ino()) == (about.dev(), about.ino())))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

/// Bytes that a power cut may leave unwritten at a file's end, at most. They are zeros then.
const UNWRITTEN: u64 = 64 << 10;

/// Reports whether a file is empty, or holds a torn beginning of these bytes. Zeros may follow it.
fn is_beginning(mut file: &File, of: &[u8]) -> io::Result<bool> {
    let most = of.len() as u64 + UNWRITTEN;
    file.rewind()?;
    let mut start = Vec::new();
    file.take(most + 1).read_to_end(&mut start)?;
    let whole = start.len() as u64 <= most;
    let written = start.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(whole && written < of.len() && of.starts_with(&start[..written]))
}
