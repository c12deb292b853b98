//! A file on its way to its place: written under a random name, then renamed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::path::{Kind, folder_of, open_itself, target};

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
    /// `InvalidInput` if the place has something other than a regular file, or another I/O error.
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

    /// Begins a file beside its place and writes these bytes to it, down to the disk.
    pub(super) fn holding(place: &Path, bytes: &[u8]) -> io::Result<Self> {
        let draft = Self::beside(place)?;
        draft.file().write_all(bytes)?;
        draft.file().sync_all()?;
        Ok(draft)
    }

    /// Begins a file that only its user may read. A link at its place is not followed.
    ///
    /// # Errors
    ///
    /// An I/O error if the folder cannot be written.
    pub fn private(place: &Path) -> io::Result<Self> {
        let (path, file) = exclusive(place, options())?;
        Ok(Self { file, path, place: place.to_owned(), mode: None, put: false })
    }

    /// Returns the open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file in its place. A regular file or a link there is replaced.
    ///
    /// # Errors
    ///
    /// An I/O error. The place is then unchanged.
    pub fn put(mut self) -> io::Result<()> {
        // Before the rename, so that the place never has another mode.
        if let Some(mode) = self.mode.take() {
            self.file.set_permissions(mode)?;
        }
        // A link is replaced itself, and not its target.
        if let Ok(metadata) = fs::symlink_metadata(&self.place)
            && !metadata.is_symlink()
            && !metadata.is_file()
        {
            return Err(Kind::of_type(metadata.file_type()).refused());
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

/// Returns the options for a new file that only its user may read.
#[must_use]
pub fn options() -> fs::OpenOptions {
    #[allow(unused_mut, reason = "elsewhere there is nothing to set")]
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns the beginning that the names of a place's drafts share.
fn stem(place: &Path) -> &OsStr {
    // A name has at most 255 bytes, and the random part needs 22.
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
                // The lock keeps `sweep` of another process away. A file system without locks is no error.
                let _ = file.try_lock();
                return Ok((path, file));
            }
        }
    }
}

/// Removes a place's drafts that killed processes have left: files with such names that no process has locked.
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
    // The standard library seeds its hashes with random numbers of the system.
    format!("{:016x}", RandomState::new().hash_one(()))
}
