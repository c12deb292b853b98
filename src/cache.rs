//! Where magistrate keeps what it can make again.
//!
//! The one idea: one folder, which only its user may read. What lies in it is never trusted without a check.

use std::fs;
use std::io;
use std::path::Path;
#[cfg(feature = "cache")]
use std::path::PathBuf;

#[cfg(feature = "cache")]
use etcetera::BaseStrategy;

/// The environment variable that names another folder.
pub const VARIABLE: &str = "MAGISTRATE_CACHE";

/// The cache's folder: what [`VARIABLE`] says, else `magistrate` in the platform's own place for caches.
///
/// # Errors
///
/// When the user has no home; the message says what to do.
#[cfg(feature = "cache")]
pub fn folder() -> io::Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let base = etcetera::choose_base_strategy().map_err(|error| {
        io::Error::new(io::ErrorKind::NotFound, format!("{error}\nhint: name a folder for caches in {VARIABLE}"))
    })?;
    Ok(base.cache_dir().join("magistrate"))
}

/// Makes a folder below the cache, and what it needs above it, for its user alone.
///
/// # Errors
///
/// As [`fs::create_dir_all`].
pub fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
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

/// Puts a file in place whole or not at all, readable by its user alone.
///
/// # Errors
///
/// When it cannot be written; nothing is left behind then.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&part)
        .and_then(|mut file| io::Write::write_all(&mut file, bytes))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
