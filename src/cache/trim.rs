//! The bound of a folder in the cache.

use std::fs;
use std::io;
use std::path::Path;

use super::clear::{entries, in_use};
use super::rooms::is_ours;

/// Removes the files of a room that were used longest ago, until the others have `most` bytes at most. Files that
/// another process uses stay, and so do files that are not ours.
///
/// # Errors
///
/// An I/O error if the folder cannot be read.
pub fn trim(folder: &Path, room: &str, most: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        let metadata = entry.metadata()?;
        if metadata.is_file() && is_ours(room, &entry.file_name().to_string_lossy()) {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    files.sort_unstable();
    let mut taken = 0;
    for (_, bytes, path) in files.into_iter().rev() {
        taken += bytes;
        if taken > most && !in_use(&path) {
            // Another process may have removed it.
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_files_used_last_stay_within_the_bound_and_files_of_others_always() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, age: u64| {
            let path = folder.path().join(name);
            fs::write(&path, [0; 10]).unwrap();
            let file = fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            path
        };
        let [old, middle, new] = [("aa", 30), ("bb", 20), ("cc", 10)].map(|(digit, age)| {
            let name = format!("{}.jsonl", digit.repeat(8));
            file(&name, age)
        });
        let theirs = file("notes.jsonl", 90);
        trim(folder.path(), "verdicts", 20).unwrap();
        assert_eq!([&old, &middle, &new, &theirs].map(|path| path.exists()), [false, true, true, true]);
        let held = fs::File::open(&middle).unwrap();
        held.lock().unwrap();
        trim(folder.path(), "verdicts", 0).unwrap();
        assert_eq!([&middle, &new].map(|path| path.exists()), [true, false]);
        trim(&folder.path().join("absent"), "verdicts", 0).unwrap();
    }
}
