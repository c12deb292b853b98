//! The journal of an output that is named on the command line.

use std::path::{Path, PathBuf};

use magistrate::label::journal::beside;

/// Returns the journal beside a path if there is one, else the path itself.
pub fn journal(path: &Path) -> PathBuf {
    let beside = beside(path);
    if beside.exists() { beside } else { path.to_owned() }
}
