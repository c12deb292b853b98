//! Exit codes 0 and 1 only with a verdict, however the process ends.
#![cfg(all(unix, feature = "cli"))]

use crate::support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with the program, a model and a policy. Another user may write into it.
struct Stage(tempfile::TempDir);

/// The user that runs the program where limits of a user count. Root has no such limits.
const NOBODY: u32 = 65534;

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        std::fs::write(stage.at("rules.md"), "Answer VALID or INVALID.").unwrap();
        std::fs::copy(support::demonstration(), stage.at("model.gguf")).unwrap();
        std::fs::write(stage.at("few.txt"), (0..30).map(|n| format!("Call me at {n}.\n")).collect::<String>()).unwrap();
        std::fs::write(stage.at("in.txt"), (0..1000).map(|n| format!("Call me at {n}.\n")).collect::<String>())
            .unwrap();
        stage
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the program, started by a wrapper that sets a limit.
    fn limited(&self, limit: &[&str], program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(limit.first().map_or(program.as_os_str(), |wrapper| wrapper.as_ref()));
        command.args(limit.iter().skip(1));
        if !limit.is_empty() {
            command.arg(program);
        }
        command.args(arguments).args(["-p", "rules.md", "--effort", "none", "--min-mass", "0", "-m", "model.gguf"]);
        command.current_dir(&self.0).env("MAGISTRATE_CACHE", self.at("cache")).env_remove("OMP_THREAD_LIMIT");
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.limited(&[], Path::new(env!("CARGO_BIN_EXE_magistrate")), arguments)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reports whether the wrapper for limits is installed. Prints a line if not.
fn has_prlimit() -> bool {
    let there = Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("skipped: prlimit (util-linux) is not here");
    }
    there
}

fn is_root() -> bool {
    text(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0"
}

/// Checks that `check` ends with 0 or 1 and a verdict, or with 2 and a reason. Returns true for a verdict.
#[track_caller]
fn check_is_honest(output: &Output, limit: &str) -> bool {
    let (out, messages) = (text(&output.stdout), text(&output.stderr));
    let verdict = ["rules: safe", "rules: violation"].iter().position(|start| out.starts_with(start));
    match (output.status.code(), verdict) {
        (Some(0), Some(0)) | (Some(1), Some(1)) => true,
        (Some(2), None) => {
            assert!(messages.contains("error: "), "{limit}: {messages}");
            false
        }
        _ => panic!("{limit}: {} with {out:?}\n{messages}", output.status),
    }
}

/// Checks that `label` ends with 0 or 3 and all rows, or with 2 and a reason. Returns true if all rows have a verdict.
#[track_caller]
fn label_is_honest(stage: &Stage, output: &Output, limit: &str) -> bool {
    let messages = text(&output.stderr);
    let rows = std::fs::read_to_string(stage.at("out.jsonl")).map_or(0, |rows| rows.lines().count());
    match output.status.code() {
        // With 3 some rows failed by themselves.
        Some(0 | 3) => assert_eq!(rows, 30, "{limit}: {messages}"),
        Some(2) => assert!(messages.contains("error: "), "{limit}: {messages}"),
        _ => panic!("{limit}: {}\n{messages}", output.status),
    }
    output.status.code() == Some(0)
}

#[test]
fn threads_that_are_refused_are_an_error_and_never_a_verdict() {
    if !has_prlimit() {
        return;
    }
    let stage = Stage::new();
    // As a user without other processes, because the limit counts all processes of a user.
    let program = stage.at("magistrate");
    std::fs::copy(env!("CARGO_BIN_EXE_magistrate"), &program).unwrap();
    let limits = if is_root() {
        chown(stage.0.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        1..=6
    } else {
        1..=1
    };
    let mut refused = [0, 0];
    for limit in limits {
        let limit = format!("--nproc={limit}:{limit}");
        for (verb, refused) in
            [vec!["check", "Hello"], vec!["label", "few.txt", "-o", "out.jsonl"]].iter().zip(&mut refused)
        {
            let mut command = stage.limited(&["prlimit", &limit], &program, verb);
            command.args(["--threads", "2"]);
            if is_root() {
                command.uid(NOBODY).gid(NOBODY);
            }
            let output = command.output().unwrap();
            let done = match verb[0] {
                "check" => check_is_honest(&output, &limit),
                _ => label_is_honest(&stage, &output, &limit),
            };
            *refused += u8::from(!done);
        }
    }
    assert!(refused.iter().all(|&times| times > 0), "no thread was refused: {refused:?}");
}

#[test]
fn memory_that_is_refused_is_an_error_and_never_a_verdict() {
    if !has_prlimit() {
        return;
    }
    let stage = Stage::new();
    let program = Path::new(env!("CARGO_BIN_EXE_magistrate"));
    let mut refused = [0, 0];
    for megabytes in [80, 100, 160, 320] {
        let limit = format!("--as={}", megabytes * 1_000_000);
        let check = stage.limited(&["prlimit", &limit], program, &["check", "Hello"]).output().unwrap();
        refused[0] += u8::from(!check_is_honest(&check, &limit));
        let label =
            stage.limited(&["prlimit", &limit], program, &["label", "few.txt", "-o", "out.jsonl"]).output().unwrap();
        refused[1] += u8::from(!label_is_honest(&stage, &label, &limit));
        let _ = std::fs::remove_file(stage.at("out.jsonl"));
        let _ = std::fs::remove_file(stage.at("out.jsonl.journal"));
    }
    assert!(refused.iter().all(|&times| times > 0), "no memory was refused: {refused:?}");
}

#[test]
fn a_check_that_is_killed_gives_no_verdict() {
    let stage = Stage::new();
    let long = "word ".repeat(20_000);
    let mut check = stage.command(&["check", "-v", "--context", "60000", "-f", "long.txt"]);
    std::fs::write(stage.at("long.txt"), long).unwrap();
    let mut child = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("the model is loaded") {
        line.clear();
        assert!(messages.read_line(&mut line).unwrap() > 0, "it ended");
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(text(&output.stdout), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_model_that_is_cut_while_a_text_is_judged_is_named() {
    let stage = Stage::new();
    std::fs::write(stage.at("long.txt"), "word ".repeat(20_000)).unwrap();
    let mut check = stage.command(&["check", "-v", "--context", "60000", "-f", "long.txt"]);
    let mut child = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut messages = String::new();
    while !messages.contains("the model is loaded") {
        assert!(stderr.read_line(&mut messages).unwrap() > 0, "it ended: {messages}");
    }
    std::fs::File::options().write(true).open(stage.at("model.gguf")).unwrap().set_len(90_000).unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut messages).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{messages}");
    assert_eq!(text(&output.stdout), "");
    assert!(messages.contains("/model.gguf: the file was cut or replaced"), "{messages}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_model_that_is_cut_during_a_run_costs_no_row_that_was_written() {
    let stage = Stage::new();
    let run = &["label", "in.txt", "-o", "out.jsonl"];
    let mut child = stage.command(run).stderr(Stdio::piped()).spawn().unwrap();
    let journal = stage.at("out.jsonl.journal");
    let rows = || std::fs::read_to_string(&journal).map_or(0, |rows| rows.lines().count());
    while rows() < 20 {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::fs::File::options().write(true).open(stage.at("model.gguf")).unwrap().set_len(90_000).unwrap();
    let output = child.wait_with_output().unwrap();
    let messages = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{messages}");
    assert!(messages.contains("/model.gguf: the file was cut or replaced"), "{messages}");
    let written = rows();
    assert!((20..1000).contains(&written), "{written}");

    std::fs::copy(support::demonstration(), stage.at("model.gguf")).unwrap();
    let again = stage.command(run).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    let rows = std::fs::read_to_string(stage.at("out.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 1000);
}

#[test]
fn help_and_a_wrong_flag_have_their_exit_codes() {
    for (arguments, code) in [(&["--help"][..], 0), (&["check", "--version"], 0), (&["check", "--no-such-flag"], 2)] {
        let output = Command::new(env!("CARGO_BIN_EXE_magistrate")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}
