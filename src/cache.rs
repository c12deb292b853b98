//! Where magistrate keeps what it can make again.
//!
//! The one idea: there is one folder, which only its user may read. A folder that another user could have filled is
//! refused. No file in it is trusted without a check. The user may keep other files there, so files of ours are known
//! by their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "cache")]
use etcetera::BaseStrategy;

use crate::files::Draft;

/// The environment variable that names another folder.
pub const VARIABLE: &str = "MAGISTRATE_CACHE";

/// The folders in the cache, with the endings of the names in each. The rest of a name is hexadecimal, 16 digits or
/// more.
pub const ROOMS: [(&str, &[&str]); 7] = [
    ("canary", &[".json"]),
    ("daemons", &[".sock", ".lock", ""]),
    ("journals", &[".journal"]),
    ("models", &["/magistrate-nano.gguf"]),
    ("prefixes", &[".prefix"]),
    ("tuned", &[".json"]),
    ("verdicts", &[".jsonl"]),
];

/// The cache's folder: what [`VARIABLE`] says, else `magistrate` in the platform's own place for caches.
///
/// # Errors
///
/// When the user has no home, or others could have written into the folder; the message says what to do.
#[cfg(feature = "cache")]
pub fn folder() -> io::Result<PathBuf> {
    let folder = match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(named) => PathBuf::from(named),
        None => {
            let base = etcetera::choose_base_strategy().map_err(|error| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("{error}\nhint: name a folder for caches in {VARIABLE}"),
                )
            })?;
            base.cache_dir().join("magistrate")
        }
    };
    own(&folder)?;
    Ok(folder)
}

/// Makes a folder below the cache, and what it needs above it, for its user alone.
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
/// made, too. A file of root's is as good as our own. A path where nothing exists is accepted.
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

/// Reports whether a file is ours, by its path within one of [`ROOMS`].
#[must_use]
pub fn is_ours(room: &str, path: &str) -> bool {
    let path = match path.strip_suffix(".part").and_then(|path| path.rsplit_once('.')) {
        Some((whole, random)) if is_hex(random) => whole,
        _ => path,
    };
    // A model's digest may stand in front: of this version, or of the one before.
    let path = ["gguf1-", "gguf2-"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    let endings = ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, endings)| endings);
    endings.iter().any(|ending| path.strip_suffix(ending).is_some_and(is_hex))
}

fn is_hex(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Puts a file in place whole or not at all, readable by its user alone.
///
/// # Errors
///
/// When it cannot be written; nothing is left behind then.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = Draft::private(path)?;
    io::Write::write_all(&mut draft.file(), bytes)?;
    draft.put()
}

/// The result of [`clear`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Bytes that were removed.
    pub bytes: u64,
    /// Files of ours that stay, because another process uses them.
    pub busy: Vec<PathBuf>,
    /// The names of all other files, which stay.
    pub foreign: Vec<String>,
}

/// Removes from a folder the files of [`ROOMS`] that are ours and not in use. Rooms that are then empty are removed,
/// too.
///
/// # Errors
///
/// When a file cannot be removed.
pub fn clear(folder: &Path) -> io::Result<Cleared> {
    let mut cleared = Cleared::default();
    for entry in entries(folder)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() || !ROOMS.iter().any(|(room, _)| *room == name) {
            cleared.foreign.push(name);
            continue;
        }
        cleared.room(&entry.path(), &name, "")?;
    }
    cleared.foreign.sort();
    Ok(cleared)
}

impl Cleared {
    /// Clears a room, or a folder in it. `above` is that folder's path within the room.
    fn room(&mut self, folder: &Path, room: &str, above: &str) -> io::Result<()> {
        for entry in entries(folder)? {
            let (path, within) = (entry.path(), format!("{above}{}", entry.file_name().to_string_lossy()));
            let kind = entry.file_type()?;
            if kind.is_dir() && above.is_empty() && is_hex(&within) {
                self.room(&path, room, &format!("{within}/"))?;
            } else if kind.is_dir() || kind.is_symlink() || !is_ours(room, &within) {
                self.foreign.push(format!("{room}/{within}"));
            } else if in_use(&path) {
                self.busy.push(path);
            } else {
                let bytes = entry.metadata()?.len();
                fs::remove_file(&path)
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
                self.bytes += bytes;
            }
        }
        // A folder that still holds something stays.
        let _ = fs::remove_dir(folder);
        Ok(())
    }
}

/// Reports whether another process has locked a file, or listens on a socket.
fn in_use(path: &Path) -> bool {
    #[cfg(unix)]
    if fs::symlink_metadata(path).is_ok_and(|about| std::os::unix::fs::FileTypeExt::is_socket(&about.file_type())) {
        return std::os::unix::net::UnixStream::connect(path).is_ok();
    }
    let locked = |file: fs::File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
    fs::File::open(path).is_ok_and(locked)
}

/// Returns the entries of a folder, or none if there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a folder with these files, each of one byte.
    fn folder_of(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            make(path.parent().unwrap()).unwrap();
            put(&path, b"x").unwrap();
        }
        folder
    }

    const OURS: [&str; 9] = [
        "canary/gguf1-00ff00ff00ff00ff.json",
        "canary/gguf2-00ff00ff00ff00ff.json",
        "journals/00ff00ff00ff00ff.journal",
        "models/00ff00ff00ff00ff/magistrate-nano.gguf",
        "models/00ff00ff00ff00ff/magistrate-nano.gguf.0123456789abcdef.part",
        "prefixes/00ff00ff00ff00ff.prefix",
        "prefixes/00ff00ff00ff00ff.prefix.0123456789abcdef.part",
        "tuned/00ff00ff00ff00ff.json",
        "verdicts/00ff00ff00ff00ff.jsonl",
    ];

    #[test]
    fn clearing_removes_what_we_made_and_tells_all_else() {
        let theirs = [
            "models/20b/magistrate-nano.gguf",
            "models/gpt-oss.gguf",
            "notes/00ff00ff00ff00ff.json",
            "prefixes/add.prefix",
            "thesis.txt",
            "tuned/piano.json",
            "verdicts/00ff00ff00ff00ff/00ff00ff00ff00ff.jsonl",
        ];
        let folder = folder_of(&[&OURS[..], &theirs].concat());
        let cleared = clear(folder.path()).unwrap();
        let told = [
            "models/20b",
            "models/gpt-oss.gguf",
            "notes",
            "prefixes/add.prefix",
            "thesis.txt",
            "tuned/piano.json",
            "verdicts/00ff00ff00ff00ff/00ff00ff00ff00ff.jsonl",
        ];
        assert_eq!((cleared.bytes, cleared.busy.len()), (OURS.len() as u64, 0));
        assert_eq!(cleared.foreign, told);
        assert!(theirs.iter().all(|name| folder.path().join(name).is_file()));
        assert!(!OURS.iter().any(|name| folder.path().join(name).exists()));
        assert!(!folder.path().join("journals").exists(), "empty rooms go");
    }

    #[test]
    fn clearing_leaves_what_another_process_has_locked() {
        let folder = folder_of(&["journals/00ff00ff00ff00ff.journal", "verdicts/00ff00ff00ff00ff.jsonl"]);
        let held = folder.path().join("verdicts/00ff00ff00ff00ff.jsonl");
        let open = fs::File::open(&held).unwrap();
        open.lock().unwrap();
        assert_eq!(clear(folder.path()).unwrap(), Cleared { bytes: 1, busy: vec![held.clone()], foreign: Vec::new() });
        assert!(held.exists() && !folder.path().join("journals").exists());
        drop(open);
        clear(folder.path()).unwrap();
        assert!(!held.exists());
        clear(&folder.path().join("absent")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn clearing_follows_no_link_and_leaves_a_socket_that_answers() {
        use std::os::unix::fs::symlink;
        let folder = folder_of(&[&OURS[..], &["daemons/00aa00aa00aa00aa.lock"]].concat());
        let other = folder_of(&["00ff00ff00ff00ff.json", "00ff00ff00ff00ff.jsonl"]);
        fs::remove_file(folder.path().join("verdicts/00ff00ff00ff00ff.jsonl")).unwrap();
        fs::remove_dir(folder.path().join("verdicts")).unwrap();
        symlink(other.path(), folder.path().join("verdicts")).unwrap();
        symlink(other.path().join("00ff00ff00ff00ff.json"), folder.path().join("tuned/00aa00aa00aa00aa.json")).unwrap();
        let socket = folder.path().join("daemons/00ff00ff00ff00ff");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let Cleared { busy, foreign, .. } = clear(folder.path()).unwrap();
        assert_eq!(
            (busy, foreign),
            (vec![socket.clone()], vec!["tuned/00aa00aa00aa00aa.json".to_owned(), "verdicts".to_owned()])
        );
        assert_eq!(entries(other.path()).unwrap().len(), 2);
        drop(listener);
        clear(folder.path()).unwrap();
        assert!(!socket.exists(), "nobody listens any more");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_may_write_is_refused_with_a_remedy() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("cache");
        own(&inner).unwrap();
        for (mode, refused) in [(0o700, false), (0o755, false), (0o770, true), (0o777, true), (0o1777, true)] {
            make(&inner).ok();
            fs::set_permissions(&inner, fs::Permissions::from_mode(mode)).unwrap();
            let link = folder.path().join(format!("{mode:o}"));
            symlink(&inner, &link).unwrap();
            for path in [&inner, &link] {
                let told = own(path).map_err(|error| error.to_string());
                assert_eq!(told.is_err(), refused, "{mode:o}: {told:?}");
                let Err(told) = told else { continue };
                let remedy = format!("hint: chmod go-w {}, or name", path.display());
                assert!(told.contains("can be written by other users\n") && told.contains(&remedy), "{told}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_of_another_user_is_refused() {
        if rustix::process::geteuid().is_root() {
            use std::os::unix::fs::{chown, lchown, symlink};
            let folder = tempfile::tempdir().unwrap();
            let (theirs, link) = (folder.path().join("theirs"), folder.path().join("link"));
            fs::create_dir(&theirs).unwrap();
            symlink("theirs", &link).unwrap();
            own(&link).unwrap();
            lchown(&link, Some(65534), None).unwrap();
            assert!(own(&link).unwrap_err().to_string().contains("belongs to another user"), "their link to ours");
            chown(&theirs, Some(65534), None).unwrap();
            assert!(make(&theirs).unwrap_err().to_string().contains("belongs to another user"));
        } else {
            // A folder of root's is as good as ours.
            own(Path::new("/")).unwrap();
        }
    }
}
