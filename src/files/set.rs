//! The files of a run as one set, compared before any is opened for writing.

use std::fs;
#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::error::Refused;
use super::path::{Kind, chain, folder_of};

/// The files that a run reads or will write. No file is both, and no file is written twice.
#[derive(Debug, Default)]
pub struct Files(Vec<Used>);

/// A file, and its use in the run.
#[derive(Debug)]
struct Used {
    name: String,
    what: &'static str,
    identity: Identity,
    /// The option that names it, for a file to be written.
    flag: Option<&'static str>,
}

/// The identity of a file under any name.
#[derive(Debug)]
struct Identity {
    path: PathBuf,
    /// The device and the inode of a file that exists.
    number: Option<(u64, u64)>,
    kind: Kind,
    /// Set for a pipe: bytes that are written to it come out again.
    pipe: bool,
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
    /// [`Refused::Taken`] if the run will write it.
    pub fn read(&mut self, what: &'static str, path: &Path) -> Result<(), Refused> {
        self.add(Used { name: path.display().to_string(), what, identity: Identity::of(path), flag: None })
    }

    /// Adds the file that stdin is redirected from, if that is a regular file.
    ///
    /// # Errors
    ///
    /// The errors of [`Files::read`].
    pub fn read_stdin(&mut self) -> Result<(), Refused> {
        #[cfg(unix)]
        if let Some(identity) = Identity::of_open(&io::stdin()) {
            self.add(Used { name: "stdin".to_owned(), what: "the input", identity, flag: None })?;
        }
        Ok(())
    }

    /// Adds a file that will be written, and checks that it can be. `flag` is the option that names it, for messages.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the run reads it or writes it already, or it cannot be written.
    pub fn write(&mut self, what: &'static str, flag: &'static str, path: &Path) -> Result<(), Refused> {
        let (name, identity) = (path.display().to_string(), Identity::of(path));
        let stream = identity.kind == Kind::Stream;
        self.add(Used { name: name.clone(), what, identity, flag: Some(flag) })?;
        let tried = if stream { Ok(()) } else { Draft::beside(path).map(drop) };
        tried.map_err(|error| Refused::Unwritable { path: name, why: in_words(path, &error), flag })
    }

    /// Adds the file that stdout is redirected to, if that is a regular file. `flag` is the option that names another
    /// output.
    ///
    /// # Errors
    ///
    /// [`Refused::Taken`] if the run reads it: the output would come back as input.
    pub fn write_stdout(&mut self, flag: &'static str) -> Result<(), Refused> {
        #[cfg(unix)]
        if let Some(identity) = Identity::of_open(&io::stdout()) {
            self.add(Used { name: "stdout".to_owned(), what: "stdout", identity, flag: Some(flag) })?;
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
    /// Reports whether the two are the same file, and one of them is written and would harm the other.
    ///
    /// A device accepts several writers. A pipe does not, once it is read: its output would come back.
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
        // A file that does not exist is identified by its folder and its name.
        let missing = || Some(folder_of(&last).canonicalize().ok()?.join(last.file_name()?));
        let whole = path.canonicalize().ok().or_else(missing).unwrap_or(last.clone());
        let metadata = fs::metadata(path).ok();
        Self::new(whole, metadata.as_ref(), Kind::of(path))
    }

    /// Returns the identity of an open file of this process, if it is a regular file.
    #[cfg(unix)]
    fn of_open(file: &impl std::os::fd::AsFd) -> Option<Self> {
        let metadata = File::from(file.as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
        metadata.is_file().then(|| Self::new(PathBuf::new(), Some(&metadata), Kind::File))
    }

    fn new(path: PathBuf, metadata: Option<&fs::Metadata>, kind: Kind) -> Self {
        #[cfg(unix)]
        let (number, pipe) = {
            use std::os::unix::fs::{FileTypeExt, MetadataExt};
            (
                metadata.map(|metadata| (metadata.dev(), metadata.ino())),
                metadata.is_some_and(|metadata| metadata.file_type().is_fifo()),
            )
        };
        #[cfg(not(unix))]
        let (number, pipe) = {
            let _ = metadata;
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

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tests::{fifo, folder, names};
    use super::*;
    use crate::hint::{Hint, Hints};

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
            let error = files.write("the summary", "--summary", path).unwrap_err();
            // The order does not matter.
            let mut files = Files::new();
            if files.write("the summary", "--summary", path).is_ok() {
                let read = files.read("the input", &at("in"));
                let written = read.and_then(|()| files.write("the output", "-o", &at("absent")));
                assert!(written.is_err(), "{}", path.display());
            }
            assert_eq!(error.hints(), [Hint::new("name another file with --summary")]);
            error.to_string()
        };
        for name in ["in", "hard", "soft", "below/../in", "./in"] {
            assert!(refused(&at(name)).ends_with(" is the input"), "{name}: {}", refused(&at(name)));
        }
        for name in ["absent", "dangling", "below/../absent"] {
            assert!(refused(&at(name)).ends_with(" is the output"), "{name}");
        }
        assert!(refused(&at("below")).ends_with("below cannot be written: it is a folder"));
        assert!(refused(&at("none/s")).ends_with("/none"), "{}", refused(&at("none/s")));
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
