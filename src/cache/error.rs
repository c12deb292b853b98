//! The errors of the cache folder.

use std::path::PathBuf;

use super::rooms::VARIABLE;
use crate::hint::{Hint, Hints};

/// The reason why a folder cannot be the cache. The functions of this room return it inside an I/O error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The platform has no folder for caches.
    #[error("{reason}")]
    NoHome {
        /// The reason, in words.
        reason: String,
    },
    /// Another user owns a file, a folder or a link.
    #[error("{} belongs to another user, who could change what is in it", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
    },
    /// Other users may write to a file or a folder.
    #[error("{} can be written by other users", path.display())]
    Writable {
        /// The path.
        path: PathBuf,
    },
}

impl Hints for CacheError {
    fn hints(&self) -> Vec<Hint> {
        vec![Hint::new(match self {
            Self::NoHome { .. } => format!("name a folder for caches in {VARIABLE}"),
            Self::Foreign { .. } => format!("name a folder of your own in {VARIABLE}"),
            Self::Writable { path } => {
                format!("chmod go-w {}, or name a folder of your own in {VARIABLE}", path.display())
            }
        })]
    }
}
