use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::*;

pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(unix)]
pub(super) fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn a_file_is_whole_in_its_place_or_nothing_is_left_of_it() {
    let folder = folder();
    let place = folder.path().join("a");
    let draft = Draft::beside(&place).unwrap();
    draft.file().write_all(b"half").unwrap();
    assert!(!place.exists() && names(folder.path()).len() == 1);
    drop(draft);
    assert!(names(folder.path()).is_empty());
    write(&place, b"whole").unwrap();
    assert_eq!(fs::read(&place).unwrap(), b"whole");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn two_drafts_of_one_place_have_names_of_their_own_and_the_later_wins_whole() {
    let folder = folder();
    let place = folder.path().join("a");
    let (one, two) = (Draft::beside(&place).unwrap(), Draft::beside(&place).unwrap());
    one.file().write_all(b"one").unwrap();
    two.file().write_all(b"two").unwrap();
    one.put().unwrap();
    two.put().unwrap();
    assert_eq!(fs::read(&place).unwrap(), b"two");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn what_a_killed_process_has_left_is_swept_and_a_draft_that_is_written_stays() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let kept = ["a.00ff.part", "a.part", "a.x0123456789abcde.part", "b.0123456789abcdef.part", "0123456789abcdef.part"];
    for name in kept.iter().chain(&["a.0123456789abcdef.part"]) {
        fs::write(at(name), "x").unwrap();
    }
    let draft = Draft::beside(&at("a")).unwrap();
    sweep(&at("a"));
    draft.put().unwrap();
    let mut expect = [&kept[..], &["a"]].concat();
    expect.sort_unstable();
    assert_eq!(names(folder.path()), expect);
}

#[test]
fn a_name_that_leaves_no_room_for_more_is_written_all_the_same() {
    let folder = folder();
    let place = folder.path().join("n".repeat(255));
    write(&place, b"x").unwrap();
    assert_eq!(fs::read(&place).unwrap(), b"x");
}

#[test]
fn what_names_no_file_is_refused_before_anything_is_written() {
    let folder = folder();
    for name in ["", "..", "new/", "."] {
        let place = folder.path().join(name);
        assert!(Draft::beside(&place).is_err(), "{name}");
    }
    assert!(Draft::beside(Path::new("")).is_err());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_that_was_changed_since_it_was_read_stays() {
    let folder = folder();
    let place = folder.path().join("a");
    fs::write(&place, "edited").unwrap();
    let error = replace(&place, b"read", b"mended").unwrap_err();
    assert!(error.get_ref().and_then(|error| error.downcast_ref::<Changed>()).is_some(), "{error}");
    assert_eq!(fs::read(&place).unwrap(), b"edited");
    replace(&place, b"edited", b"mended").unwrap();
    assert_eq!(fs::read(&place).unwrap(), b"mended");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_new_file_takes_nobodys_place() {
    let folder = folder();
    let place = folder.path().join("a");
    create(&place, b"first").unwrap();
    assert_eq!(create(&place, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&place).unwrap(), b"first");
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_pipe_a_socket_and_a_folder_are_never_replaced() {
        let folder = folder();
        let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
        fifo(&pipe);
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let below = folder.path().join("folder");
        fs::create_dir(&below).unwrap();
        for place in [&pipe, &socket, &below] {
            assert!(Draft::beside(place).is_err(), "{}", place.display());
        }
        // A pipe that takes the place after the draft was begun is not replaced either.
        let late = folder.path().join("late");
        let draft = Draft::beside(&late).unwrap();
        fifo(&late);
        assert!(draft.put().is_err());
        for pipe in [&pipe, &late] {
            assert!(fs::symlink_metadata(pipe).unwrap().file_type().is_fifo());
        }
        assert_eq!(names(folder.path()), ["folder", "late", "pipe", "socket"]);
    }

    #[test]
    fn a_link_stays_and_what_it_points_at_is_written() {
        let folder = folder();
        let (file, link, over) = (folder.path().join("file"), folder.path().join("link"), folder.path().join("over"));
        symlink("file", &link).unwrap();
        symlink(&link, &over).unwrap();
        for text in [b"new", b"old"] {
            write(&over, text).unwrap();
            assert_eq!(fs::read(&file).unwrap(), text);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && fs::symlink_metadata(&over).unwrap().is_symlink());
        let circle = folder.path().join("circle");
        symlink("circle", &circle).unwrap();
        assert!(write(&circle, b"x").is_err());
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode_and_a_private_one_is_its_users_alone() {
        let folder = folder();
        let place = folder.path().join("a");
        for kept in [0o600, 0o640, 0o664] {
            fs::write(&place, "").unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(kept)).unwrap();
            write(&place, b"x").unwrap();
            assert_eq!(mode(&place), kept);
        }
        let private = folder.path().join("b");
        Draft::private(&private).unwrap().put().unwrap();
        assert_eq!(mode(&private), 0o600);
    }

    #[test]
    fn what_an_open_file_is_called_is_a_stream_whose_bytes_are_not_cut() {
        let folder = folder();
        let place = folder.path().join("a");
        fs::write(&place, "before ").unwrap();
        let open = File::options().append(true).open(&place).unwrap();
        let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        if Path::new(&name).exists() {
            assert!(is_stream(Path::new(&name)));
            write(Path::new(&name), b"after").unwrap();
            assert_eq!(fs::read(&place).unwrap(), b"before after");
        }
    }
}
