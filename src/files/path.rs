//! Paths: the kind of thing at a path, and the file that it leads to.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Reports whether a path is written to directly: a pipe, a device, or an open file of this process. Other files are
/// replaced.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    Kind::of(path) == Kind::Stream
}

/// Opens a stream for writing at its end. Existing bytes stay.
///
/// # Errors
///
/// An I/O error if it cannot be opened.
pub fn stream(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

/// Opens the regular file at a path, without following a link.
///
/// # Errors
///
/// An I/O error if it cannot be opened, or is no regular file.
pub fn open_itself(
    path: &Path,
    #[allow(unused_mut, reason = "elsewhere there is nothing to set")] mut options: fs::OpenOptions,
) -> io::Result<File> {
    #[cfg(unix)]
    {
        // Opening a pipe would wait for its other end.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    match Kind::of_type(file.metadata()?.file_type()) {
        Kind::File => Ok(file),
        other => Err(other.refused()),
    }
}

/// The kind of thing at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    File,
    Folder,
    Stream,
    /// A thing that cannot be written, such as a socket or a disk.
    Other,
}

impl Kind {
    /// Returns the kind of the file at a path, links followed.
    pub(super) fn of(path: &Path) -> Self {
        // A link such as /dev/stdout names an open file: its path may no longer exist, or lead to another file.
        if chain(path).any(|link| ["/proc", "/dev/fd"].iter().any(|folder| link.starts_with(folder))) {
            return if path.exists() { Self::Stream } else { Self::Missing };
        }
        fs::metadata(path).map_or(Self::Missing, |metadata| Self::of_type(metadata.file_type()))
    }

    pub(super) fn of_type(kind: fs::FileType) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            if kind.is_fifo() || kind.is_char_device() {
                return Self::Stream;
            }
        }
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Folder
        } else {
            Self::Other
        }
    }

    pub(super) fn refused(self) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            match self {
                Self::Folder => "it is a folder",
                Self::Stream => "it is a pipe or a device, which cannot be replaced by a file",
                _ => "it is no regular file",
            },
        )
    }
}

/// Returns a path and each path that it leads to, link by link. It ends early for links in a circle.
pub(super) fn chain(path: &Path) -> impl Iterator<Item = PathBuf> {
    /// The number of links that Linux follows.
    const MOST: usize = 40;
    let next = |path: &PathBuf| fs::read_link(path).ok().map(|to| path.parent().unwrap_or(Path::new("")).join(to));
    std::iter::successors(Some(path.to_owned()), next).take(MOST + 1)
}

/// Returns the file that a path leads to, which need not exist.
pub(super) fn target(path: &Path) -> io::Result<PathBuf> {
    let last = chain(path).last().unwrap_or_default();
    if fs::read_link(&last).is_ok() {
        return Err(io::Error::other("its links lead in a circle"));
    }
    Ok(last)
}

/// Returns the folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
