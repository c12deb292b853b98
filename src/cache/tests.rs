use std::fs;
use std::path::Path;

use super::clear::entries;
use super::*;
use crate::hint::{Hint, Hints};

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

const OURS: [&str; 12] = [
    "canary/gguf1-00ff00ff00ff00ff.json",
    "canary/gguf2-00ff00ff00ff00ff.json",
    "evaluations/00ff00ff00ff00ff.jsonl",
    "journals/00ff00ff00ff00ff.journal",
    "models/00ff00ff00ff00ff/magistrate-nano.gguf",
    "models/00ff00ff00ff00ff/magistrate-nano.gguf.0123456789abcdef.part",
    "notes/00ff00ff00ff00ff",
    "prefixes/00ff00ff00ff00ff.prefix",
    "prefixes/00ff00ff00ff00ff.prefix.0123456789abcdef.part",
    "python/00ff00ff00ff00ff/texts.jsonl",
    "tuned/00ff00ff00ff00ff.json",
    "verdicts/00ff00ff00ff00ff.jsonl",
];

#[test]
fn clearing_removes_what_we_made_and_tells_all_else() {
    let theirs = [
        "essays/00ff00ff00ff00ff.json",
        "models/20b/magistrate-nano.gguf",
        "models/gpt-oss.gguf",
        "prefixes/add.prefix",
        "thesis.txt",
        "tuned/piano.json",
        "verdicts/00ff00ff00ff00ff/00ff00ff00ff00ff.jsonl",
    ];
    let folder = folder_of(&[&OURS[..], &theirs].concat());
    let cleared = clear(folder.path()).unwrap();
    let listed = [
        "essays",
        "models/20b",
        "models/gpt-oss.gguf",
        "prefixes/add.prefix",
        "thesis.txt",
        "tuned/piano.json",
        "verdicts/00ff00ff00ff00ff/00ff00ff00ff00ff.jsonl",
    ];
    assert_eq!((cleared.bytes, cleared.busy.len()), (OURS.len() as u64, 0));
    assert_eq!(cleared.foreign, listed);
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
            let result = own(path);
            assert_eq!(result.is_err(), refused, "{mode:o}: {result:?}");
            let Err(error) = result else { continue };
            assert!(error.to_string().ends_with("can be written by other users"), "{error}");
            let remedy = format!("chmod go-w {}, or name a folder of your own in {VARIABLE}", path.display());
            let error = error.get_ref().and_then(|error| error.downcast_ref::<CacheError>()).unwrap();
            assert_eq!(error.hints(), [Hint::new(remedy)]);
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
