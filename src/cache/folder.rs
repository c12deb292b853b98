//! The cache folder itself: its place, its permissions and the writing of files.

use std::fs;
use std::io;
use std::path::Path;
#[cfg(feature = "cache")]
use std::path::PathBuf;

#[cfg(feature = "cache")]
use etcetera::BaseStrategy;

use super::error::CacheError;
#[cfg(feature = "cache")]
use super::rooms::VARIABLE;
use crate::files::Draft;

/// Returns the cache folder: the one named in [`VARIABLE`], else `magistrate` in the platform's folder for caches.
///
/// # Errors
///
/// [`CacheError`] inside an I/O error if the user has no home, or others could have written into the folder.
#[cfg(feature = "cache")]
pub fn folder() -> io::Result<PathBuf> {
    let folder = match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(named) => PathBuf::from(named),
        None => {
            let base = etcetera::choose_base_strategy().map_err(|error| {
                io::Error::new(io::ErrorKind::NotFound, CacheError::NoHome { reason: error.to_string() })
            })?;
            base.cache_dir().join("magistrate")
        }
    };
    own(&folder)?;
    Ok(folder)
}

/// Makes a folder below the cache, and missing folders above it, for its user alone.
///
/// # Errors
///
/// The errors of [`fs::create_dir_all`] and of [`own`].
pub fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    own(folder)
}

/// Refuses a file or a folder that another user owns or may write to, as ssh does. Refuses a link that another user
/// made, too. A file of root's is accepted, and so is a path where nothing exists.
///
/// # Errors
///
/// `PermissionDenied` with a [`CacheError`] inside.
pub fn own(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let us = rustix::process::geteuid().as_raw();
        let Ok(itself) = fs::symlink_metadata(path) else { return Ok(()) };
        let metadata = if itself.is_symlink() { fs::metadata(path) } else { Ok(itself.clone()) };
        let foreign = |metadata: &fs::Metadata| ![0, us].contains(&metadata.uid());
        let refused = |why: CacheError| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        if foreign(&itself) || metadata.as_ref().is_ok_and(foreign) {
            return refused(CacheError::Foreign { path: path.to_owned() });
        }
        if metadata.is_ok_and(|metadata| metadata.mode() & 0o022 != 0) {
            return refused(CacheError::Writable { path: path.to_owned() });
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Writes a file, whole or not at all, readable by its user alone.
///
/// # Errors
///
/// An I/O error. Nothing is left behind then.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::private(path)?;
    io::Write::write_all(&mut draft.file(), bytes)?;
    draft.put()
}
