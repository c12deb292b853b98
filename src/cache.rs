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
    builder.create(folder)?;
    own(folder)
}

/// Refuses a file or a folder that another user owns or may write to, and a link that another user made, as ssh does. What
/// root owns is as good as our own. What is not there is nobody's.
///
/// # Errors
///
/// `PermissionDenied`; the message names the path and what to do.
pub fn own(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let us = rustix::process::geteuid().as_raw();
        let Ok(itself) = fs::symlink_metadata(path) else { return Ok(()) };
        let about = if itself.is_symlink() { fs::metadata(path) } else { Ok(itself.clone()) };
        let shown = path.display();
        let foreign = |about: &fs::Metadata| ![0, us].contains(&about.uid());
        let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        if foreign(&itself) || about.as_ref().is_ok_and(foreign) {
            return refused(format!(
                "{shown} belongs to another user, who could change what is in it\n\
                 hint: name a folder of your own in {VARIABLE}"
            ));
        }
        if about.is_ok_and(|about| about.mode() & 0o022 != 0) {
            return refused(format!(
                "{shown} can be written by other users\n\
                 hint: chmod go-w {shown}, or name a folder of your own in {VARIABLE}"
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
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
