//! The folder of the review queue. Only its user can read it, and one server at a time writes it.
//!
//! | File | Contents |
//! |---|---|
//! | `items.jsonl` | The items, with their texts |
//! | `decisions.jsonl` | The decisions, and the retractions of decisions |
//! | `lock` | Locked by the server that uses the folder |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{cache, files};

/// The journal of items.
pub const ITEMS: &str = "items.jsonl";
/// The journal of decisions.
pub const DECISIONS: &str = "decisions.jsonl";

/// A folder that this process alone writes.
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
        cache::make(path)?;
        let lock = files::options().read(true).write(true).create(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "another server uses this folder"));
            }
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        for name in [ITEMS, DECISIONS] {
            files::sweep(&path.join(name));
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Returns the path of the journal of items.
    #[must_use]
    pub fn items(&self) -> PathBuf {
        self.path.join(ITEMS)
    }

    /// Returns the path of the journal of decisions.
    #[must_use]
    pub fn decisions(&self) -> PathBuf {
        self.path.join(DECISIONS)
    }
}
