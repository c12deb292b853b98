//! The files that a run writes: each whole or not at all, and none that somebody would miss.
//!
//! The one idea: a file is written under a random name that nobody has taken, and put in place by a rename. It replaces a
//! regular file or nothing.

mod set;

pub use set::{Files, Refused};

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file on its way to its place, locked as long as it is open. Dropping it removes it.
#[derive(Debug)]
pub struct Draft {
    file: File,
    /// Its random name.
    path: PathBuf,
    /// Its place, links followed.
    place: PathBuf,
    /// The mode of the file that it replaces.
    mode: Option<fs::Permissions>,
    put: bool,
}

impl Draft {
    /// Begins a file beside its place, or beside the file that a link there points to. The mode of a replaced file is
    /// kept.
    ///
    /// # Errors
    ///
    /// When something other than a regular file is there, or the folder cannot be written.
    pub fn beside(place: &Path) -> io::Result<Self> {
        let place = target(place)?;
        if place.file_name().is_none() || place.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(Kind::Folder.refused());
        }
        let mode = match Kind::of(&place) {
            Kind::Missing => None,
            // A file that we may not write is not replaced.
            Kind::File => Some(File::options().write(true).open(&place)?.metadata()?.permissions()),
            other => return Err(other.refused()),
        };
        // The replaced file may be private to its user, so its draft is, too.
        let options = if mode.is_some() { options() } else { File::options() };
        let (path, file) = exclusive(&place, options)?;
        Ok(Self { file, path, place, mode, put: false })
    }

    /// Begins a file beside its place, with these bytes, which are on the disk.
    fn holding(place: &Path, bytes: &[u8]) -> io::Result<Self> {
        let draft = Self::beside(place)?;
        draft.file().write_all(bytes)?;
        draft.file().sync_all()?;
        Ok(draft)
    }

    /// Begins a file that only its user may read. A link at its place is not followed.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn private(place: &Path) -> io::Result<Self> {
        let (path, file) = exclusive(place, options())?;
        Ok(Self { file, path, place: place.to_owned(), mode: None, put: false })
    }

    /// Returns the file, to be written to.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file in its place. A regular file or a link there is replaced.
    ///
    /// # Errors
    ///
    /// When it cannot be put there. The place is then unchanged.
    pub fn put(mut self) -> io::Result<()> {
        if let Some(mode) = self.mode.take() {
            self.file.set_permissions(mode)?;
        }
        // A link is replaced itself, and not its target.
        if let Ok(about) = fs::symlink_metadata(&self.place)
            && !about.is_symlink()
            && !about.is_file()
        {
            return Err(Kind::said(about.file_type()).refused());
        }
        fs::rename(&self.path, &self.place)?;
        self.put = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.put {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// How a file is opened that its user alone may read.
#[must_use]
pub fn options() -> fs::OpenOptions {
    #[allow(unused_mut, reason = "elsewhere there is nothing to set")]
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns the beginning of the names of a place's drafts.
fn stem(place: &Path) -> &OsStr {
    // Names have 255 bytes at most.
    place.file_name().filter(|name| name.len() < 200).unwrap_or("magistrate".as_ref())
}

/// Makes a file beside a place, under a random name that ends in `.part`.
fn exclusive(place: &Path, mut options: fs::OpenOptions) -> io::Result<(PathBuf, File)> {
    options.read(true).write(true).create_new(true);
    loop {
        let mut name = stem(place).to_owned();
        name.push(format!(".{}.part", random()));
        let path = place.with_file_name(name);
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                let file = made?;
                // A file system without locks is no error.
                let _ = file.try_lock();
                return Ok((path, file));
            }
        }
    }
}

/// Removes a place's drafts that killed processes have left: files with such names that nobody has locked.
pub fn sweep(place: &Path) {
    let Ok(place) = target(place) else { return };
    let stem = stem(&place).as_encoded_bytes();
    for entry in fs::read_dir(folder_of(&place)).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let random = name.as_encoded_bytes().strip_prefix(stem).and_then(|rest| rest.strip_prefix(b"."));
        let random = random.and_then(|rest| rest.strip_suffix(b".part"));
        let ours = random.is_some_and(|random| random.len() == 16 && random.iter().all(u8::is_ascii_hexdigit));
        let mut options = File::options();
        options.read(true);
        if ours && open_itself(&path, options).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns a name that nobody can predict, even in another container.
#[must_use]
pub fn random() -> String {
    // The standard library seeds its hashes from the system.
    format!("{:016x}", RandomState::new().hash_one(()))
}

/// Writes a file whole or not at all. A pipe or a device is written to directly.
///
/// # Errors
///
/// When it cannot be written. A file that was there is unchanged.
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
/// When the bytes have changed, or the file cannot be written. The file is then unchanged.
pub fn replace(path: &Path, read: &[u8], bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::holding(path, bytes)?;
    if fs::read(path)? != read {
        return Err(io::Error::other("it was changed meanwhile\nhint: run the same command again"));
    }
    draft.put()
}

/// Makes a new file, whole or not at all, where nothing is yet.
///
/// # Errors
///
/// `AlreadyExists` if something is there, or another error if the file cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Reports whether a path is written to rather than replaced: a pipe, a device, an open file of this process.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    Kind::of(path) == Kind::Stream
}

/// Opens a stream to be written to at its end. Its bytes are not cut.
///
/// # Errors
///
/// When it cannot be opened.
pub fn stream(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

/// Opens the regular file at a path, without following a link.
///
/// # Errors
///
/// When it cannot be opened, or is something else.
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
    match Kind::said(file.metadata()?.file_type()) {
        Kind::File => Ok(file),
        other => Err(other.refused()),
    }
}

/// The kind of thing at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    File,
    Folder,
    Stream,
    /// Something that cannot be written: a socket, a disk.
    Other,
}

impl Kind {
    /// Returns the kind of the file at a path, links followed.
    fn of(path: &Path) -> Self {
        // A link such as /dev/stdout names an open file: its path may be gone, or be another file's by now.
        if chain(path).any(|link| ["/proc", "/dev/fd"].iter().any(|folder| link.starts_with(folder))) {
            return if path.exists() { Self::Stream } else { Self::Missing };
        }
        fs::metadata(path).map_or(Self::Missing, |about| Self::said(about.file_type()))
    }

    fn said(kind: fs::FileType) -> Self {
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

    fn refused(self) -> io::Error {
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

/// Returns a path, and each path that it leads to, link by link.
fn chain(path: &Path) -> impl Iterator<Item = PathBuf> {
    /// The number of links that Linux follows.
    const MOST: usize = 40;
    let next = |path: &PathBuf| fs::read_link(path).ok().map(|to| path.parent().unwrap_or(Path::new("")).join(to));
    std::iter::successors(Some(path.to_owned()), next).take(MOST + 1)
}

/// Returns the file that a path leads to, which need not exist.
fn target(path: &Path) -> io::Result<PathBuf> {
    let last = chain(path).last().unwrap_or_default();
    if fs::read_link(&last).is_ok() {
        return Err(io::Error::other("its links lead in a circle"));
    }
    Ok(last)
}

/// Returns the folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    pub(super) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    pub(super) fn fifo(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }

    #[test]
    fn a_file_is_whole_in_its_place_or_nothing_is_left_of_it() {
        let folder = folder();
        let place = folder.path().join("a");
        let draft = Draft::beside(&place).unwrap();
        draft.file().write_all(b"half").unwrap();
        assert!(!place.exists() && names(folder.path()).len() == 1);
        drop(draft);
        assert!(names(folder.path()).is_empty());
        write(&place, b"whole").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn two_drafts_of_one_place_have_names_of_their_own_and_the_later_wins_whole() {
        let folder = folder();
        let place = folder.path().join("a");
        let (one, two) = (Draft::beside(&place).unwrap(), Draft::beside(&place).unwrap());
        one.file().write_all(b"one").unwrap();
        two.file().write_all(b"two").unwrap();
        one.put().unwrap();
        two.put().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_a_killed_process_has_left_is_swept_and_a_draft_that_is_written_stays() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let kept =
            ["a.00ff.part", "a.part", "a.x0123456789abcde.part", "b.0123456789abcdef.part", "0123456789abcdef.part"];
        for name in kept.iter().chain(&["a.0123456789abcdef.part"]) {
            fs::write(at(name), "x").unwrap();
        }
        let draft = Draft::beside(&at("a")).unwrap();
        sweep(&at("a"));
        draft.put().unwrap();
        let mut expect = [&kept[..], &["a"]].concat();
        expect.sort_unstable();
        assert_eq!(names(folder.path()), expect);
    }

    #[test]
    fn a_name_that_leaves_no_room_for_more_is_written_all_the_same() {
        let folder = folder();
        let place = folder.path().join("n".repeat(255));
        write(&place, b"x").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"x");
    }

    #[test]
    fn what_names_no_file_is_refused_before_anything_is_written() {
        let folder = folder();
        for name in ["", "..", "new/", "."] {
            let place = folder.path().join(name);
            assert!(Draft::beside(&place).is_err(), "{name}");
        }
        assert!(Draft::beside(Path::new("")).is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_that_was_changed_since_it_was_read_stays() {
        let folder = folder();
        let place = folder.path().join("a");
        fs::write(&place, "edited").unwrap();
        let error = replace(&place, b"read", b"mended").unwrap_err().to_string();
        assert!(error.starts_with("it was changed meanwhile\nhint: "), "{error}");
        assert_eq!(fs::read(&place).unwrap(), b"edited");
        replace(&place, b"edited", b"mended").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"mended");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let folder = folder();
        let place = folder.path().join("a");
        create(&place, b"first").unwrap();
        assert_eq!(create(&place, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&place).unwrap(), b"first");
    }

    #[cfg(unix)]
    mod on_unix {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        #[test]
        fn a_pipe_a_socket_and_a_folder_are_never_replaced() {
            let folder = folder();
            let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
            fifo(&pipe);
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            let below = folder.path().join("folder");
            fs::create_dir(&below).unwrap();
            for place in [&pipe, &socket, &below] {
                assert!(Draft::beside(place).is_err(), "{}", place.display());
            }
            // A pipe that takes the place after the draft was begun is not replaced either.
            let late = folder.path().join("late");
            let draft = Draft::beside(&late).unwrap();
            fifo(&late);
            assert!(draft.put().is_err());
            for pipe in [&pipe, &late] {
                assert!(fs::symlink_metadata(pipe).unwrap().file_type().is_fifo());
            }
            assert_eq!(names(folder.path()), ["folder", "late", "pipe", "socket"]);
        }

        #[test]
        fn a_link_stays_and_what_it_points_at_is_written() {
            let folder = folder();
            let (file, link, over) =
                (folder.path().join("file"), folder.path().join("link"), folder.path().join("over"));
            symlink("file", &link).unwrap();
            symlink(&link, &over).unwrap();
            for text in [b"new", b"old"] {
                write(&over, text).unwrap();
                assert_eq!(fs::read(&file).unwrap(), text);
            }
            assert!(
                fs::symlink_metadata(&link).unwrap().is_symlink() && fs::symlink_metadata(&over).unwrap().is_symlink()
            );
            let circle = folder.path().join("circle");
            symlink("circle", &circle).unwrap();
            assert!(write(&circle, b"x").is_err());
        }

        #[test]
        fn a_file_that_is_replaced_keeps_its_mode_and_a_private_one_is_its_users_alone() {
            let folder = folder();
            let place = folder.path().join("a");
            for kept in [0o600, 0o640, 0o664] {
                fs::write(&place, "").unwrap();
                fs::set_permissions(&place, fs::Permissions::from_mode(kept)).unwrap();
                write(&place, b"x").unwrap();
                assert_eq!(mode(&place), kept);
            }
            let private = folder.path().join("b");
            Draft::private(&private).unwrap().put().unwrap();
            assert_eq!(mode(&private), 0o600);
        }

        #[test]
        fn what_an_open_file_is_called_is_a_stream_whose_bytes_are_not_cut() {
            let folder = folder();
            let place = folder.path().join("a");
            fs::write(&place, "before ").unwrap();
            let open = File::options().append(true).open(&place).unwrap();
            let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
            if Path::new(&name).exists() {
                assert!(is_stream(Path::new(&name)));
                write(Path::new(&name), b"after").unwrap();
                assert_eq!(fs::read(&place).unwrap(), b"before after");
            }
        }
    }
}
