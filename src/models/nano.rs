//! magistrate-nano, the small trained model that is built in.
//!
//! llama.cpp reads files, so the bytes are unpacked into the cache, under a name with their digest. A file there is
//! used only if it has exactly these bytes. Where the disk cannot be written, the file is in memory. `models/README.md`
//! describes how the model was made.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::NanoError;
use crate::cache;

/// The bytes of the file in the repository.
const BYTES: &[u8] = include_bytes!("../../models/magistrate-nano.gguf");

/// The name of the file, and the model's name in rows.
const NAME: &str = "magistrate-nano.gguf";

/// The beginning of the SHA-256 of [`BYTES`]. Computing it takes longer than all other work at the start.
const DIGEST: &str = "e35447bd3fc711f2";

/// Returns the path of the model's file in the cache, and unpacks a missing or damaged file. Where the cache cannot be
/// written, as in a read-only container, the file is in memory, and only this process sees it.
///
/// # Errors
///
/// When the cache is another user's, or the file cannot be kept in memory either.
pub fn unpacked() -> Result<PathBuf, NanoError> {
    let unpacked = match cache::folder() {
        // Other users may read or change the cache, so the user must know.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(NanoError::Cache(error)),
        Err(error) => Err(NanoError::Cache(error)),
        Ok(folder) => unpack_into(&folder).map_err(|error| NanoError::Folder { folder, error }),
    };
    unpacked.or_else(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::StorageFull | ErrorKind::NotFound => {
            in_memory().map_err(|_| error)
        }
        // The cache's path is not that of a folder, which is a mistake of the user.
        _ => Err(error),
    })
}

/// Writes the model into memory, and returns the path at which this process finds it.
#[cfg(target_os = "linux")]
fn in_memory() -> io::Result<PathBuf> {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::sync::OnceLock;

    /// The open file. Closing removes it.
    static OPEN: OnceLock<File> = OnceLock::new();
    let path = |file: &File| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if let Some(file) = OPEN.get() {
        return Ok(path(file));
    }
    let mut file = File::from(rustix::fs::memfd_create(NAME, rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(BYTES)?;
    let path = path(OPEN.get_or_init(|| file));
    // Without a mounted /proc no path leads to the file.
    if path.exists() { Ok(path) } else { Err(ErrorKind::NotFound.into()) }
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> io::Result<PathBuf> {
    Err(ErrorKind::Unsupported.into())
}

/// Unpacks the model into a folder that lacks it, and returns its path.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn unpack_into(cache: &Path) -> io::Result<PathBuf> {
    let folder = cache.join("models").join(DIGEST);
    let path = folder.join(NAME);
    if !is_whole(&path).unwrap_or(false) {
        cache::make(&folder)?;
        cache::put(&path, BYTES)?;
    }
    Ok(path)
}

/// Reports whether a file is [`BYTES`]. Reads pieces that stay in the CPU's cache.
fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != BYTES.len() as u64 {
        return Ok(false);
    }
    let mut buffer = vec![0; 128 << 10];
    for piece in BYTES.chunks(buffer.len()) {
        let found = &mut buffer[..piece.len()];
        file.read_exact(found)?;
        if found != piece {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        assert_eq!(&crate::text::hex(&Sha256::digest(BYTES))[..16], DIGEST, "set DIGEST to the first of these");
    }

    #[test]
    fn what_was_tampered_with_is_unpacked_anew() {
        let cache = tempfile::tempdir().unwrap();
        let path = unpack_into(cache.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), BYTES);
        let mut damaged = BYTES.to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        for wrong in [&damaged[..], &BYTES[..1000], b""] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(unpack_into(cache.path()).unwrap(), path);
            assert_eq!(std::fs::read(&path).unwrap(), BYTES);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn many_at_once_unpack_it_and_all_of_them_find_it_whole() {
        let cache = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| assert!(is_whole(&unpack_into(cache.path()).unwrap()).unwrap()));
            }
        });
        let folder = cache.path().join("models").join(DIGEST);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_was_laid_beside_the_model_is_not_written_through() {
        let cache = tempfile::tempdir().unwrap();
        let victim = cache.path().join("victim");
        std::fs::write(&victim, "secret").unwrap();
        let place = unpack_into(cache.path()).unwrap();
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink(&victim, &place).unwrap();
        assert_eq!(unpack_into(cache.path()).unwrap(), place);
        assert_eq!((std::fs::read(&victim).unwrap(), place.is_symlink()), (b"secret".to_vec(), false));
    }

    #[cfg(unix)]
    #[test]
    fn the_cache_is_its_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let cache = tempfile::tempdir().unwrap();
        let path = unpack_into(&cache.path().join("new")).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert!(path.ancestors().skip(1).take(3).all(|folder| mode(folder) == 0o700));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn in_memory_it_is_the_same_model_of_the_same_name() {
        let cache = tempfile::tempdir().unwrap();
        let [file, memory] =
            [unpack_into(cache.path()), in_memory()].map(|path| crate::gguf::inspect(&path.unwrap()).unwrap());
        assert_eq!((&memory.name, &memory.digest), (&file.name, &file.digest));
        assert_eq!(in_memory().unwrap(), memory.path, "once is enough");
    }

    #[test]
    fn it_is_a_sound_model_that_says_what_it_is() {
        let cache = tempfile::tempdir().unwrap();
        let model = crate::gguf::inspect(&unpack_into(cache.path()).unwrap()).unwrap();
        assert_eq!(model.demonstration, Some(crate::gguf::Demonstration::Trained));
        assert_eq!(model.expert_type.name, "MXFP4");
        assert!(model.shape.experts >= 8 && model.shape.experts_used >= 2 && model.shape.sliding_window == 128);
        assert!(model.size <= 8_000_000);
        model.tokenizer().unwrap();
    }
}
