//! A `check` that a daemon answers is the same check.
#![cfg(all(unix, feature = "cli"))]

mod support;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;

struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.md"), "Answer VALID or INVALID.").unwrap();
        Self(folder)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(support::of_noise(args)).current_dir(&self.0).env("NO_COLOR", "1").env("OMP_THREAD_LIMIT", "1");
        command.env("MAGISTRATE_MODEL", support::demonstration()).env("MAGISTRATE_CACHE", self.0.path().join("cache"));
        command
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let Ok(folder) = std::fs::read_dir(self.0.path().join("cache/daemons")) else { return Vec::new() };
        folder.map(|entry| entry.unwrap().path()).collect()
    }

    #[track_caller]
    fn wait_until(&self, what: &str, there: impl Fn(&[PathBuf]) -> bool) {
        let begun = Instant::now();
        while !there(&self.sockets()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_daemon_is_started_answers_alike_and_stops_when_nobody_asks() {
    let stage = Stage::new();
    let checks: [&[&str]; 5] = [
        &["check", "-p", "rules.md", "--budget", "8", "A text with a quetzal in it."],
        &["check", "-p", "rules.md", "--budget", "8", "--json", "A text with a quetzal in it."],
        &["check", "-p", "spam", "-p", "rules.md", "--effort", "none", "Hello"],
        &["check", "-p", "rules.md", " "],
        &["check", "-p", "rules.md", "--max-content-tokens", "2", "Too long a text."],
    ];
    let plain: Vec<_> = checks.iter().map(|check| parts(&stage.run(check))).collect();
    assert_eq!(stage.sockets().len(), 0, "nobody asked for a daemon");

    let asked = |check: &&[&str]| parts(&stage.run(&[check, &["--daemon=2"][..]].concat()));
    assert_eq!(asked(&checks[0]), plain[0], "the first is judged here");
    stage.wait_until("a daemon starts", |sockets| sockets.len() == 1);
    // The text is in nobody's arguments, where all users could read it.
    #[cfg(target_os = "linux")]
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(!(line.contains("daemon") && line.contains("quetzal")), "{line}");
    }
    let answered: Vec<_> = checks.iter().map(asked).collect();
    assert_eq!(answered, plain);
    stage.wait_until("it stops when nobody asks", <[PathBuf]>::is_empty);
    assert_eq!(asked(&checks[0]), plain[0]);
    stage.wait_until("a daemon starts", |sockets| sockets.len() == 1);
    stage.wait_until("it stops when nobody asks", <[PathBuf]>::is_empty);
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_utf_8_is_judged_here() {
    use std::os::unix::ffi::OsStringExt;
    let stage = Stage::new();
    let name = std::ffi::OsString::from_vec(b"text-\xff.txt".to_vec());
    std::fs::write(stage.0.path().join(&name), "Hello").unwrap();
    let mut command = stage.command(&["check", "-p", "rules.md", "--budget", "8", "--daemon=1", "-f"]);
    let output = command.arg(name).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    assert!(stage.sockets().is_empty());
}

#[test]
fn a_socket_that_nobody_listens_on_is_no_obstacle() {
    let stage = Stage::new();
    let check = ["check", "-p", "rules.md", "--budget", "8", "Hello"];
    let plain = parts(&stage.run(&check));
    let mut daemon = stage.command(&["daemon", "--", "check", "-p", "rules.md"]).spawn().unwrap();
    stage.wait_until("a daemon starts", |sockets| sockets.len() == 1);
    assert_eq!(parts(&stage.run(&[&check[..], &["--daemon"]].concat())), plain);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(stage.sockets().len(), 1, "it was killed, and could not clean up");
    assert_eq!(parts(&stage.run(&[&check[..], &["--daemon=1"]].concat())), plain);
    stage.wait_until("another daemon takes its place, and stops", <[PathBuf]>::is_empty);
}
