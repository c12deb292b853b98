//! The folder of files and batches. Each has a record of JSON, written whole. Only their user can read them.
//!
//! | File | Contents |
//! |---|---|
//! | `file-ID` | The bytes of a file |
//! | `file-ID.json` | Its record |
//! | `batch_ID.json` | The record of a batch |
//! | `batch_ID.journal` | Its finished requests until the results are written |
//! | `lock` | Locked by the server that uses the folder |

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::objects::{BatchRecord, FileRecord};
use crate::cache;
use crate::files::{self, Draft};

/// A folder that this process alone uses.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// The beginning of a file's id.
pub const FILE: &str = "file-";
/// The beginning of a batch's id.
pub const BATCH: &str = "batch_";

impl Folder {
    /// Opens the folder, or makes it for its user alone.
    ///
    /// # Errors
    ///
    /// An I/O error: others may write to it, or another server uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), _lock: locked(path)? })
    }

    /// Reads all records. A record that cannot be read is an error: its batch would be forgotten in silence.
    ///
    /// # Errors
    ///
    /// An I/O error that names the record.
    pub fn read(&self) -> io::Result<(Vec<FileRecord>, Vec<BatchRecord>)> {
        let (mut files, mut batches) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_some_and(|ending| ending == "part") {
                // This process has just taken the lock, so nobody writes it any more.
                let _ = fs::remove_file(path);
                continue;
            }
            match name.strip_suffix(".json") {
                Some(id) if is_id(id, FILE) => files.push(read_record(&path)?),
                Some(id) if is_id(id, BATCH) => batches.push(read_record(&path)?),
                _ => {}
            }
        }
        Ok((files, batches))
    }

    /// Returns the path of a file's bytes.
    #[must_use]
    pub fn content(&self, id: &str) -> PathBuf {
        self.path.join(id)
    }

    /// Returns the path of a batch's journal.
    #[must_use]
    pub fn journal(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.journal"))
    }

    /// Begins the bytes of a file.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn draft(&self, id: &str) -> io::Result<Draft> {
        Draft::private(&self.content(id))
    }

    /// Writes the record of a file or a batch.
    ///
    /// # Errors
    ///
    /// An I/O error. The record of before is then unchanged.
    pub fn put(&self, id: &str, record: &impl Serialize) -> io::Result<()> {
        put_record(&self.path.join(format!("{id}.json")), record)
    }

    /// Removes a file: first its record, so that no record is left without its bytes.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(format!("{id}.json")))?;
        fs::remove_file(self.content(id))
    }
}

/// Makes a folder for its user alone, and locks it for this process. The lock lasts as long as the file is open.
///
/// # Errors
///
/// An I/O error: others may write to the folder, or another server uses it.
pub fn locked(path: &Path) -> io::Result<File> {
    cache::make(path)?;
    let lock = files::options().read(true).write(true).create(true).truncate(false).open(path.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another server uses this folder"))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Writes a record whole, for its user alone.
///
/// # Errors
///
/// An I/O error. The record of before is then unchanged.
pub fn put_record(path: &Path, record: &impl Serialize) -> io::Result<()> {
    let draft = Draft::private(path)?;
    draft.file().write_all(&serde_json::to_vec(record)?)?;
    draft.file().sync_all()?;
    draft.put()
}

/// Reads a record.
///
/// # Errors
///
/// An I/O error that names the record.
pub fn read_record<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let named = |error: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()));
    let bytes = fs::read(path).map_err(|error| named(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| named(error.to_string()))
}

/// Returns the seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Returns a new id. Later ids are greater, and nobody can guess one.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    format!("{prefix}{time:014x}{}", files::random())
}

/// Reports whether a text is an id that [`new_id`] makes. Nothing else may become a part of a path.
#[must_use]
pub fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        digits.len() == 30 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::objects::FileObject;
    use super::*;

    #[test]
    fn only_an_id_of_ours_becomes_a_path() {
        let id = new_id(FILE);
        assert!(is_id(&id, FILE) && !is_id(&id, BATCH) && new_id(FILE) > id);
        for wrong in ["", "file-", "file-../../../../etc/passwd000000000", "file-ABCDEF0123456789ABCDEF01234567"] {
            assert!(!is_id(wrong, FILE), "{wrong}");
        }
    }

    #[test]
    fn a_record_is_kept_for_its_user_alone_and_a_folder_has_one_server() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("batches");
        let folder = Folder::open(&path).unwrap();
        assert_eq!(Folder::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let id = new_id(FILE);
        let file = FileObject::new(id.clone(), "a.jsonl".into(), "batch", 1, 2);
        let record = FileRecord { file, owner: None };
        let draft = folder.draft(&id).unwrap();
        draft.file().write_all(b"x").unwrap();
        draft.put().unwrap();
        folder.put(&id, &record).unwrap();
        let _left = folder.draft(&new_id(FILE)).map(std::mem::forget);
        #[cfg(unix)]
        for (path, mode) in
            [(path.clone(), 0o700), (folder.content(&id), 0o600), (path.join(format!("{id}.json")), 0o600)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        assert_eq!(folder.read().unwrap(), (vec![record], Vec::new()));
        folder.remove(&id).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"], "a part that a killed process left is removed, too");
    }
}
