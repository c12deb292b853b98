//! The folder of runs. Only its user can read it.
//!
//! | File | Contents |
//! |---|---|
//! | `RUN/input.csv` | The file, with an ending that is known |
//! | `RUN/run.json` | Its record, written whole |
//! | `RUN/journal` | Its rows |
//! | `RUN/output.csv` | The last output in a format |
//! | `lock` | Locked by the server that uses the folder |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::record::RunRecord;
use crate::cache;
use crate::files::{self, Draft};
use crate::serve::batches::{is_id, locked, put_record, read_record};

/// A folder that this process alone uses.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens the folder, or makes it for its user alone.
    ///
    /// # Errors
    ///
    /// An I/O error: others may write to it, or another server uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), _lock: locked(path)? })
    }

    /// Reads all records. A folder without one is what an interrupted upload has left, and is removed.
    ///
    /// # Errors
    ///
    /// An I/O error that names the record.
    pub fn read(&self) -> io::Result<Vec<RunRecord>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let id = entry?.file_name().to_string_lossy().into_owned();
            if !is_id(&id, RUN) {
                continue;
            }
            let path = self.path(&id, RECORD);
            if path.exists() {
                files::sweep(&path);
                records.push(read_record(&path)?);
            } else {
                self.remove(&id);
            }
        }
        Ok(records)
    }

    /// Returns the path of a file of a run.
    #[must_use]
    pub fn path(&self, id: &str, name: &str) -> PathBuf {
        self.path.join(id).join(name)
    }

    /// Returns the path of a run's journal.
    #[must_use]
    pub fn journal(&self, id: &str) -> PathBuf {
        self.path(id, "journal")
    }

    /// Makes the folder of a run, and begins its file.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn begin(&self, id: &str, name: &str) -> io::Result<Draft> {
        cache::make(&self.path.join(id))?;
        Draft::private(&self.path(id, name))
    }

    /// Writes the record of a run.
    ///
    /// # Errors
    ///
    /// An I/O error. The record of before is then unchanged.
    pub fn put(&self, record: &RunRecord) -> io::Result<()> {
        put_record(&self.path(&record.id, RECORD), record)
    }

    /// Removes a run: first its record, so that no record is left without its file.
    pub fn remove(&self, id: &str) {
        let _ = fs::remove_file(self.path(id, RECORD));
        let _ = fs::remove_dir_all(self.path.join(id));
    }
}

/// The beginning of a run's id.
pub const RUN: &str = "run_";
/// The name of a record.
const RECORD: &str = "run.json";
