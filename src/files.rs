//! The files that a run writes: each whole or not at all, and none that somebody would miss.
//!
//! The one idea: a file is written under a random name that nobody has taken, and put in place by a rename. It replaces
//! a regular file or nothing. The files that a run reads and will write are one set, compared before any is opened for
//! writing.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cache;

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
        let options = if mode.is_some() { cache::options() } else { File::options() };
        let (path, file) = exclusive(&place, options)?;
        Ok(Self { file, path, place, mode, put: false })
    }

    /// Begins a file that only its user may read. A link at its place is not followed.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn private(place: &Path) -> io::Result<Self> {
        let (path, file) = exclusive(place, cache::options())?;
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
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = stem(&place).as_encoded_bytes();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
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
    let draft = Draft::beside(path)?;
    draft.file().write_all(bytes)?;
    draft.file().sync_all()?;
    draft.put()
}

/// Replaces the bytes of a file, if they are still those that were read.
///
/// # Errors
///
/// When the bytes have changed, or the file cannot be written. The file is then unchanged.
pub fn replace(path: &Path, read: &[u8], bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::beside(path)?;
    draft.file().write_all(bytes)?;
    draft.file().sync_all()?;
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

/// All files that a run reads or will write. No file is both, and none is written twice.
#[derive(Debug, Default)]
pub struct Files(Vec<Used>);

/// A file, and its use in the run.
#[derive(Debug)]
struct Used {
    name: String,
    what: &'static str,
    identity: Identity,
    /// The flag that names a file to be written.
    flag: Option<&'static str>,
}

/// The identity of a file, whatever its name.
#[derive(Debug)]
struct Identity {
    path: PathBuf,
    /// The device and the inode of a file that exists.
    number: Option<(u64, u64)>,
    kind: Kind,
    /// Set for a pipe: bytes that are written to it come out again.
    pipe: bool,
}

/// The reason why a file may not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The run reads it, or writes something else there.
    #[error("{path} is {what}\nhint: name another file with {flag}")]
    Taken {
        /// The file.
        path: String,
        /// Its use in the run.
        what: &'static str,
        /// The flag that names it.
        flag: &'static str,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {why}\nhint: name another file with {flag}")]
    Unwritable {
        /// The file.
        path: String,
        /// The reason, in words.
        why: String,
        /// The flag that names it.
        flag: &'static str,
    },
}

impl Files {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file that is read.
    ///
    /// # Errors
    ///
    /// When the run will write it.
    pub fn read(&mut self, what: &'static str, path: &Path) -> Result<(), Refused> {
        self.add(Used { name: path.display().to_string(), what, identity: Identity::of(path), flag: None })
    }

    /// Adds the file that stdin is, if it is one.
    ///
    /// # Errors
    ///
    /// As [`Files::read`].
    pub fn read_stdin(&mut self) -> Result<(), Refused> {
        #[cfg(unix)]
        if let Some(identity) = Identity::of_open(&io::stdin()) {
            self.add(Used { name: "stdin".to_owned(), what: "the input", identity, flag: None })?;
        }
        Ok(())
    }

    /// Adds a file that will be written, and tries whether it can be. `flag` is the flag that names it.
    ///
    /// # Errors
    ///
    /// When the run reads it or writes it already, or it cannot be written.
    pub fn write(&mut self, what: &'static str, flag: &'static str, path: &Path) -> Result<(), Refused> {
        let (name, identity) = (path.display().to_string(), Identity::of(path));
        let stream = identity.kind == Kind::Stream;
        self.add(Used { name: name.clone(), what, identity, flag: Some(flag) })?;
        let tried = if stream { Ok(()) } else { Draft::beside(path).map(drop) };
        tried.map_err(|error| Refused::Unwritable { path: name, why: in_words(path, &error), flag })
    }

    /// Adds the file that stdout is, if it is one.
    ///
    /// # Errors
    ///
    /// When the run reads it: the output would come back as input.
    pub fn write_stdout(&mut self) -> Result<(), Refused> {
        #[cfg(unix)]
        if let Some(identity) = Identity::of_open(&io::stdout()) {
            self.add(Used { name: "stdout".to_owned(), what: "stdout", identity, flag: Some("-o") })?;
        }
        Ok(())
    }

    fn add(&mut self, new: Used) -> Result<(), Refused> {
        if let Some(known) = self.0.iter().find(|known| known.clashes(&new)) {
            let taken = |written: &Used, other: &Used| {
                let flag = written.flag?;
                Some(Refused::Taken { path: written.name.clone(), what: other.what, flag })
            };
            if let Some(refused) = taken(&new, known).or_else(|| taken(known, &new)) {
                return Err(refused);
            }
        }
        self.0.push(new);
        Ok(())
    }
}

impl Used {
    /// Reports whether one of the two is written and would harm the other. A device accepts several writers.
    fn clashes(&self, other: &Self) -> bool {
        let (one, two) = (&self.identity, &other.identity);
        let same = (one.number.is_some() && one.number == two.number)
            || (!one.path.as_os_str().is_empty() && one.path == two.path);
        let written = [self, other].iter().filter(|used| used.flag.is_some()).count();
        same && match (one.kind, written) {
            (_, 0) => false,
            (Kind::Stream, both) => one.pipe && both == 1,
            _ => true,
        }
    }
}

impl Identity {
    fn of(path: &Path) -> Self {
        let last = chain(path).last().unwrap_or_default();
        let folder = last.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A file that does not exist is identified by its folder and its name.
        let missing = || Some(folder.canonicalize().ok()?.join(last.file_name()?));
        let whole = path.canonicalize().ok().or_else(missing).unwrap_or(last.clone());
        let about = fs::metadata(path).ok();
        Self::new(whole, about.as_ref(), Kind::of(path))
    }

    /// Returns the identity of an open file of this process, if it is a regular file.
    #[cfg(unix)]
    fn of_open(file: &impl std::os::fd::AsFd) -> Option<Self> {
        let about = File::from(file.as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
        about.is_file().then(|| Self::new(PathBuf::new(), Some(&about), Kind::File))
    }

    fn new(path: PathBuf, about: Option<&fs::Metadata>, kind: Kind) -> Self {
        #[cfg(unix)]
        let (number, pipe) = {
            use std::os::unix::fs::{FileTypeExt, MetadataExt};
            (about.map(|about| (about.dev(), about.ino())), about.is_some_and(|about| about.file_type().is_fifo()))
        };
        #[cfg(not(unix))]
        let (number, pipe) = {
            let _ = about;
            (None, false)
        };
        Self { path, number, kind, pipe }
    }
}

/// Explains in words why a file cannot be written.
fn in_words(path: &Path, error: &io::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match (error.kind(), folder) {
        (io::ErrorKind::NotFound, Some(folder)) => format!("there is no folder {}", folder.display()),
        (io::ErrorKind::PermissionDenied, _) => "this user may not write there".to_owned(),
        (io::ErrorKind::NotADirectory, Some(folder)) => format!("{} is no folder", folder.display()),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
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

        fn fifo(path: &Path) {
            let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
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

        #[test]
        fn what_a_run_reads_or_writes_is_not_written_under_any_name() {
            let folder = folder();
            let at = |name: &str| folder.path().join(name);
            fs::write(at("in"), "").unwrap();
            fs::create_dir(at("below")).unwrap();
            fs::hard_link(at("in"), at("hard")).unwrap();
            symlink("in", at("soft")).unwrap();
            symlink("absent", at("dangling")).unwrap();
            let refused = |path: &Path| {
                let mut files = Files::new();
                files.read("the input", &at("in")).unwrap();
                files.write("the output", "-o", &at("absent")).unwrap();
                let told = files.write("the summary", "--summary", path).unwrap_err().to_string();
                // The order does not matter.
                let mut files = Files::new();
                if files.write("the summary", "--summary", path).is_ok() {
                    let read = files.read("the input", &at("in"));
                    let written = read.and_then(|()| files.write("the output", "-o", &at("absent")));
                    assert!(written.is_err(), "{}", path.display());
                }
                told
            };
            for name in ["in", "hard", "soft", "below/../in", "./in"] {
                let told = refused(&at(name));
                assert!(told.ends_with("is the input\nhint: name another file with --summary"), "{name}: {told}");
            }
            for name in ["absent", "dangling", "below/../absent"] {
                assert!(refused(&at(name)).contains(" is the output\n"), "{name}");
            }
            assert!(refused(&at("below")).contains("below cannot be written: it is a folder\nhint: "));
            assert!(refused(&at("none/s")).contains("/none\nhint: "), "{}", refused(&at("none/s")));
            assert!(refused(&at("in/s")).contains("is no folder"), "{}", refused(&at("in/s")));
            assert!(!at("absent").exists() && names(&at("below")).is_empty(), "nothing is made by looking");
        }

        #[test]
        fn a_pipe_that_is_read_is_not_written_and_a_device_takes_all() {
            let folder = folder();
            let pipe = folder.path().join("pipe");
            fifo(&pipe);
            let mut files = Files::new();
            files.read("the input", &pipe).unwrap();
            files.read("the input", &pipe).unwrap();
            assert!(files.write("the output", "-o", &pipe).is_err());
            for flag in ["-o", "--summary"] {
                files.write("it", flag, Path::new("/dev/null")).unwrap();
            }
        }
    }
}
