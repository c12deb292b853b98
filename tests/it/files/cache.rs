//! Files in the cache.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::{JUDGING, Stage, messages};
use crate::support;

#[test]
fn a_cache_folder_that_others_may_write_is_refused_and_nothing_is_put_there() {
    let stage = Stage::new();
    let evil = stage.path("evil");
    fs::create_dir(&evil).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o777)).unwrap();
    let run = |args: &[&str]| {
        stage.command(args).env("MAGISTRATE_CACHE", &evil).env_remove("MAGISTRATE_MODEL").output().unwrap()
    };
    for args in [
        &["check", "-p", "spam", "--effort", "none", "hi"][..],
        &["cache", "clear"],
        &[
            "label",
            "-p",
            "spam",
            "in.jsonl",
            "--output-format",
            "csv",
            "-m",
            support::demonstration().to_str().unwrap(),
        ],
    ] {
        let done = run(args);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {}", messages(&done));
        assert!(
            messages(&done).contains("evil can be written by other users\nhint: chmod go-w "),
            "{args:?}: {}",
            messages(&done)
        );
    }
    let verdicts = stage.label(&["in.jsonl", "--cache=evil"]);
    assert!(messages(&verdicts).contains("can be written by other users"), "{}", messages(&verdicts));
    assert_eq!(fs::read_dir(&evil).unwrap().count(), 0);
}

#[test]
fn clearing_the_cache_leaves_what_magistrate_did_not_make_and_says_so() {
    let stage = Stage::new();
    assert!(
        stage
            .command(&["check", "-p", "spam", "--effort", "none", "hi"])
            .env_remove("MAGISTRATE_MODEL")
            .status()
            .is_ok()
    );
    fs::write(stage.path("cache/thesis.txt"), "x").unwrap();
    fs::write(stage.path("cache/models/gpt-oss.gguf"), "x").unwrap();
    let done = stage.run(&["cache", "clear"]);
    let printed = messages(&done);
    assert!(
        printed.contains(" MB are removed from ") && printed.contains("\nnote: models/gpt-oss.gguf and 1 more in "),
        "{printed}"
    );
    let mut left: Vec<_> = fs::read_dir(stage.path("cache")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["models", "thesis.txt"]);
    assert_eq!(fs::read_dir(stage.path("cache/models")).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn rows_that_are_kept_on_the_way_to_stdout_have_no_name_so_a_kill_leaves_none() {
    let stage = Stage::new();
    let mut command =
        stage.command(&[&["label"], &JUDGING[..], &["--format", "jsonl", "--output-format", "csv"]].concat());
    let mut run = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = run.stdin.take().unwrap();
    stdin.write_all(stage.read("in.jsonl").as_bytes()).unwrap();
    let open = format!("/proc/{}/fd", run.id());
    let hidden = || {
        fs::read_dir(&open).into_iter().flatten().flatten().any(|file| {
            let link = fs::read_link(file.path()).unwrap_or_default().to_string_lossy().into_owned();
            link.ends_with(".journal (deleted)")
        })
    };
    while !hidden() {
        assert!(run.try_wait().unwrap().is_none(), "it ended before its rows were hidden");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(fs::read_dir(stage.path("cache/journals")).unwrap().count(), 0);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(fs::read_dir(stage.path("cache/journals")).unwrap().count(), 0);
}

#[test]
fn clearing_the_cache_beside_a_run_loses_no_verdict() {
    let stage = Stage::new();
    let args = [
        &["label"],
        &JUDGING[..],
        &["--format", "jsonl", "--output-format", "csv", "--fields", "verdict", "--columns", "", "--cache"],
    ]
    .concat();
    let mut run = stage.command(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = run.stdin.take().unwrap();
    stdin.write_all(stage.read("in.jsonl").as_bytes()).unwrap();
    let verdicts = stage.path("cache/verdicts");
    let rows = || {
        let files = fs::read_dir(&verdicts).into_iter().flatten().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap_or_default().lines().count()).sum::<usize>()
    };
    while rows() < 12 {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let cleared = stage.run(&["cache", "clear"]);
    assert!(messages(&cleared).contains(" stays: another process uses it"), "{}", messages(&cleared));
    drop(stdin);
    let lines = BufReader::new(run.stdout.take().unwrap()).lines().count();
    assert!(matches!(run.wait().unwrap().code(), Some(0 | 3)));
    assert_eq!((lines, rows()), (13, 12));
}

#[cfg(all(target_os = "linux", feature = "nano"))]
#[test]
fn the_built_in_model_judges_where_nothing_can_be_written() {
    let stage = Stage::new();
    let check = |cache: &str| {
        let mut command = stage.command(&["check", "-p", "spam", "--effort", "none", "--json", "WINNER, reply YES"]);
        let done = command.env("MAGISTRATE_CACHE", cache).env_remove("MAGISTRATE_MODEL").output().unwrap();
        assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{}", messages(&done));
        serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()
    };
    // Not even root can make a folder there.
    let (without, with) = (check("/proc/magistrate"), check(stage.path("cache").to_str().unwrap()));
    assert_eq!((&without["model"], &without["probability"]), (&with["model"], &with["probability"]));
    assert_eq!(without["model"]["id"], "magistrate-nano");
    // Rows on the way to stdout are kept in memory, too.
    let args = ["label", "-p", "spam", "--effort", "none", "in.jsonl", "--output-format", "csv", "--fields", "verdict"];
    let mut label = stage.command(&args);
    let done = label.env("MAGISTRATE_CACHE", "/proc/magistrate").env("TMPDIR", stage.path("folder")).output().unwrap();
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", messages(&done));
    assert!(
        done.stdout.starts_with(b"text,input_label,verdict\n")
            && fs::read_dir(stage.path("folder")).unwrap().count() == 0
    );
}
