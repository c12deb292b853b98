//! The clearing of the cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::rooms::{ROOMS, is_hex, is_ours};

/// The result of [`clear`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Bytes that were removed.
    pub bytes: u64,
    /// Files of ours that stay, because another process uses them.
    pub busy: Vec<PathBuf>,
    /// The names of all other files, which stay.
    pub foreign: Vec<String>,
}

/// Removes from a folder the files of [`ROOMS`] that are ours and not in use, and rooms that are then empty.
///
/// # Errors
///
/// An I/O error if a file cannot be removed.
pub fn clear(folder: &Path) -> io::Result<Cleared> {
    let mut cleared = Cleared::default();
    for entry in entries(folder)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() || !ROOMS.iter().any(|(room, _)| *room == name) {
            cleared.foreign.push(name);
            continue;
        }
        cleared.room(&entry.path(), &name, "")?;
    }
    cleared.foreign.sort();
    Ok(cleared)
}

impl Cleared {
    /// Clears a room, or a folder in it. `above` is the path of that folder within the room, with a slash at its end.
    fn room(&mut self, folder: &Path, room: &str, above: &str) -> io::Result<()> {
        for entry in entries(folder)? {
            let (path, within) = (entry.path(), format!("{above}{}", entry.file_name().to_string_lossy()));
            let kind = entry.file_type()?;
            if kind.is_dir() && above.is_empty() && is_hex(&within) {
                self.room(&path, room, &format!("{within}/"))?;
            } else if kind.is_dir() || kind.is_symlink() || !is_ours(room, &within) {
                // magistrate makes no links here, so a link belongs to somebody else.
                self.foreign.push(format!("{room}/{within}"));
            } else if in_use(&path) {
                self.busy.push(path);
            } else {
                let bytes = entry.metadata()?.len();
                fs::remove_file(&path)
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
                self.bytes += bytes;
            }
        }
        // A folder that still holds something stays.
        let _ = fs::remove_dir(folder);
        Ok(())
    }
}

/// Reports whether another process has locked a file, or listens on a socket.
pub(super) fn in_use(path: &Path) -> bool {
    #[cfg(unix)]
    if fs::symlink_metadata(path).is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()))
    {
        return std::os::unix::net::UnixStream::connect(path).is_ok();
    }
    let locked = |file: fs::File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
    fs::File::open(path).is_ok_and(locked)
}

/// Returns the entries of a folder. A missing folder has no entries.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}
