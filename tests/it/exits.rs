//! The exit codes of `check` and `label`, a test for each cell of the table in docs/reference.md.
//!
//! Signals are tested in tests/it/signals.rs, refused threads and memory in tests/it/crashes.rs.
#![cfg(feature = "cli")]

use crate::support;

use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A folder with a policy and some inputs in it.
struct Stage(TempDir);

const CHECK: [&str; 5] = ["check", "-p", "rules.md", "--effort", "none"];
const LABEL: [&str; 5] = ["label", "-p", "rules.md", "--effort", "none"];
/// Flags that accept any mass, and make every verdict safe, or a violation.
const SAFE: [&str; 4] = ["--min-mass", "0", "--threshold", "1"];
const VIOLATION: [&str; 4] = ["--min-mass", "0", "--threshold", "0"];

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("rules.md", &b"No advertising.\nReturn exactly one word: VALID or INVALID\n"[..]),
            ("bare.md", b"No advertising.\n"),
            ("in.txt", b"Hello\nGood evening\n"),
            ("blank.txt", b"Hello\n\0\n"),
            ("not-utf8.txt", b"caf\xE9"),
            ("empty.txt", b""),
        ] {
            fs::write(stage.0.path().join(name), text).unwrap();
        }
        stage
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(args).current_dir(&self.0).stdin(Stdio::null()).env("OMP_THREAD_LIMIT", "1");
        command.env("MAGISTRATE_MODEL", support::demonstration()).env("MAGISTRATE_CACHE", self.0.path().join("cache"));
        command
    }

    #[track_caller]
    fn exits(&self, code: i32, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        output
    }

    /// Returns the exit code with this stdout.
    fn exit_into(&self, stdout: impl Into<Stdio>, args: &[&str]) -> Option<i32> {
        let mut child = self.command(args).stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        child.wait().unwrap().code()
    }
}

/// Returns the writing end of a pipe without a reader.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_check_exits_0_for_safe_and_1_for_a_violation() {
    let stage = Stage::new();
    let safe = stage.exits(0, &[&CHECK[..], &SAFE, &["Hello"]].concat());
    assert!(safe.stdout.starts_with(b"rules: safe\n"));
    let violation = stage.exits(1, &[&CHECK[..], &VIOLATION, &["Hello"]].concat());
    assert!(violation.stdout.starts_with(b"rules: violation\n"));
}

#[test]
fn a_check_exits_3_for_what_is_not_decided() {
    let stage = Stage::new();
    // A model of noise gives allowed answers almost no mass.
    let mass = stage.exits(3, &[&CHECK[..], &["Hello"]].concat());
    assert!(
        String::from_utf8(mass.stdout).unwrap().contains("of the probability is on allowed answers, less than 0.5")
    );
    let budget = stage.exits(3, &["check", "-p", "rules.md", "--decode", "free", "--budget", "8", "Hello"]);
    assert!(budget.stdout.starts_with(b"rules: unresolved\n"));
    // One of the two words is likelier. It means review in one run, and safe in the other.
    let labels = ["VALID=review,INVALID=safe,OTHER=violation", "VALID=safe,INVALID=review,OTHER=violation"];
    let mut codes = labels.map(|labels| {
        let check = ["check", "-p", "bare.md", "--labels", labels, "--effort", "none"];
        stage.command(&[&check[..], &SAFE, &["Hello"]].concat()).output().unwrap().status.code().unwrap()
    });
    codes.sort_unstable();
    assert_eq!(codes, [0, 3]);
    #[cfg(feature = "nano")]
    {
        let untrained =
            stage.command(&["check", "-p", "weapons", "Hello"]).env_remove("MAGISTRATE_MODEL").output().unwrap();
        assert_eq!(untrained.status.code(), Some(3), "{untrained:?}");
    }
}

#[test]
fn a_check_exits_2_when_no_verdict_was_written() {
    let stage = Stage::new();
    let with = |args: &[&str]| stage.exits(2, &[&CHECK[..], &SAFE, args].concat());
    for args in [
        &["--no-such-flag", "Hello"][..],
        &["--threshold", "2", "Hello"],
        &["-p", "no-such-policy", "Hello"],
        &["-m", "none.gguf", "Hello"],
        &["-m", "rules.md", "Hello"],
        &["--certificate", "none.json", "Hello"],
        &["--templates", "none", "Hello"],
        &["-f", "none.txt"],
        &["-f", "not-utf8.txt"],
        &["-f", "empty.txt"],
        &[" "],
        &[],
        &["--max-content-tokens", "2", "A text of more tokens."],
        &["--context", "8", "Hello"],
        &["--decode", "free", "Hello"],
    ] {
        let output = with(args);
        let messages = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.stdout.is_empty() && messages.lines().any(|line| line.starts_with("error: ")),
            "{args:?}: {messages}"
        );
    }
    assert_eq!(stage.exit_into(unread(), &[&CHECK[..], &SAFE, &["Hello"]].concat()), Some(2), "nobody reads it");
    #[cfg(target_os = "linux")]
    for args in [SAFE, VIOLATION] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(stage.exit_into(full, &[&CHECK[..], &args, &["Hello"]].concat()), Some(2), "there is no room");
    }
}

#[test]
fn a_check_of_several_policies_exits_with_the_gravest_code() {
    let stage = Stage::new();
    fs::copy(stage.0.path().join("rules.md"), stage.0.path().join("other.md")).unwrap();
    let both = ["check", "-p", "rules.md", "-p", "other.md", "--effort", "none"];
    stage.exits(0, &[&both[..], &SAFE, &["Hello"]].concat());
    stage.exits(1, &[&both[..], &VIOLATION, &["Hello"]].concat());
    stage.exits(3, &[&both[..], &["Hello"]].concat());
    let long = format!("{}Return exactly one word: VALID or INVALID\n", "Nor any of this. ".repeat(300));
    fs::write(stage.0.path().join("other.md"), long).unwrap();
    stage.exits(2, &[&both[..], &VIOLATION, &["--context", "1024", "Hello"]].concat());
}

#[test]
fn a_label_exits_0_whatever_the_verdicts_and_3_if_some_rows_have_none() {
    let stage = Stage::new();
    stage.exits(0, &[&LABEL[..], &SAFE, &["in.txt"]].concat());
    stage.exits(0, &[&LABEL[..], &VIOLATION, &["in.txt"]].concat());
    stage.exits(0, &[&LABEL[..], &SAFE, &["in.txt", "-o", "out.csv"]].concat());
    let undecided = stage.exits(3, &[&LABEL[..], &["in.txt"]].concat());
    let messages = String::from_utf8(undecided.stderr).unwrap();
    let why = "\n2 rows without a verdict: too little of the probability is on allowed answers: see --min-mass\n";
    assert!(messages.contains(why), "{messages}");
    stage.exits(3, &[&LABEL[..], &SAFE, &["blank.txt"]].concat());
    stage.exits(3, &[&LABEL[..], &SAFE, &["in.txt", "--max-content-tokens", "2"]].concat());
    assert_eq!(
        stage.exit_into(unread(), &[&LABEL[..], &SAFE, &["in.txt"]].concat()),
        Some(0),
        "as a reader that has enough"
    );
}

#[test]
fn a_label_exits_2_when_it_could_not_be_done() {
    let stage = Stage::new();
    for only in [&[][..], &["--only", "safe"]] {
        for args in [
            &["--no-such-flag", "in.txt"][..],
            &["none.txt"],
            &["in.txt", "-m", "none.gguf"],
            &["in.txt", "-p", "no-such-policy"],
            &["in.txt", "--context", "8"],
            &["in.txt", "--decode", "free"],
        ] {
            stage.exits(2, &[&LABEL[..], &SAFE, only, args].concat());
        }
        #[cfg(target_os = "linux")]
        {
            let full = File::options().write(true).open("/dev/full").unwrap();
            assert_eq!(
                stage.exit_into(full, &[&LABEL[..], &SAFE, only, &["in.txt"]].concat()),
                Some(2),
                "there is no room"
            );
        }
    }
}

#[test]
fn a_label_of_lines_that_stand_so_exits_as_grep_does() {
    let stage = Stage::new();
    let only = |code, which: &str, args: &[&str]| {
        let output = stage.exits(code, &[&LABEL[..], &["--only", which], args].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(only(0, "safe", &[&SAFE[..], &["in.txt"]].concat()), "Hello\nGood evening\n");
    assert_eq!(only(1, "violation", &[&SAFE[..], &["in.txt"]].concat()), "");
    assert_eq!(only(0, "undecided", &["in.txt"]), "Hello\nGood evening\n");
    // A row without a verdict could have been a violation.
    assert_eq!(only(2, "violation", &["in.txt"]), "");
    assert_eq!(only(2, "violation", &[&SAFE[..], &["blank.txt"]].concat()), "");
    assert_eq!(only(0, "safe", &[&SAFE[..], &["blank.txt"]].concat()), "Hello\n");
}
