//! `dev`, the loop of a policy's author, on the built-in model.
#![cfg(all(unix, feature = "cli", feature = "nano"))]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use magistrate::policy::PolicyLibrary;
use tempfile::TempDir;

/// Texts on which the built-in model is sure.
const GOLDEN: &str = "\
{\"text\":\"WINNER! Reply YES to claim your prize\",\"label\":\"violation\"}\n\
{\"text\":\"Cheap watches, visit watches.example now and order today\",\"label\":\"violation\"}\n\
{\"text\":\"Does anybody know when the library opens on Sunday?\",\"label\":\"safe\"}\n\
{\"text\":\"I moved the meeting to three o'clock\",\"label\":\"violation\"}\n";

/// A folder with the policy `p.yaml`, which is the shipped one on spam, and the set `g.jsonl`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), policy()).unwrap();
    fs::write(folder.path().join("g.jsonl"), GOLDEN).unwrap();
    folder
}

fn policy() -> String {
    PolicyLibrary::shipped().source("spam").unwrap().to_owned()
}

/// The policy with all verdicts exchanged, under which the model cannot keep its answers.
fn upside_down() -> String {
    let without = policy().replace("verdict: violation", "verdict: <>").replace("verdict: safe", "verdict: violation");
    without.replace("verdict: <>", "verdict: safe")
}

fn command(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_magistrate"));
    command.arg("dev").args(args).current_dir(folder).env("MAGISTRATE_CACHE", folder.path().join("cache"));
    command.env_remove("MAGISTRATE_MODEL").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running `dev`, and the lines of its stdout.
struct Dev {
    child: Child,
    lines: Receiver<String>,
    folder: TempDir,
}

impl Dev {
    fn start(folder: TempDir, args: &[&str]) -> Self {
        let mut child = command(&folder, args).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        Self { child, lines, folder }
    }

    /// Returns the output up to a line with this text.
    #[track_caller]
    fn until(&self, wanted: &str) -> String {
        let mut text = String::new();
        loop {
            // A test machine may be busy for a long time.
            let line = self.lines.recv_timeout(Duration::from_mins(2));
            let line = line.unwrap_or_else(|_| panic!("no line with `{wanted}` in:\n{text}"));
            text.push_str(&line);
            text.push('\n');
            if line.contains(wanted) {
                return text;
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file, as most editors do.
    fn replace(&self, name: &str, text: &str) {
        fs::write(self.path("draft"), text).unwrap();
        fs::rename(self.path("draft"), self.path(name)).unwrap();
    }

    /// Sends Ctrl-C. Returns the exit status, the rest of stdout, and stderr.
    fn interrupt(mut self) -> (ExitStatus, String, String) {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_mins(1), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap(), self.lines.iter().collect::<Vec<_>>().join("\n"), stderr)
    }
}

#[test]
fn an_edit_shows_its_flips_an_error_keeps_the_last_version_and_ctrl_c_is_success() {
    let dev = Dev::start(folder(), &["p.yaml", "g.jsonl", "--effort", "none"]);
    let first = dev.until(" judged in ");
    assert!(first.starts_with("spam on g.jsonl: 4 texts\n"), "{first}");
    assert!(first.contains("\n3 right, 1 missed, 0 false alarms\n4 judged in "), "{first}");
    assert!(first.contains("\nerrors of spam, the surest first\n  row 4  missed, P(violation) "), "{first}");

    dev.replace("p.yaml", &upside_down());
    let second = dev.until(" judged in ");
    assert!(second.contains("\nchanged: p.yaml\n"), "{second}");
    let flip = "\nbroken       row 1  violation SP3.b -> off-contract, expected violation";
    assert!(second.contains(flip) && second.contains("\n    WINNER! Reply YES"), "{second}");
    assert!(second.contains(" (before: 3 right, 1 missed, 0 false alarms)\n"), "{second}");
    assert!(second.contains("\nundecided: ") && second.contains("\n0 fixed, "), "{second}");

    dev.replace("p.yaml", "id: spam\ntitle: [\n");
    let third = dev.until("the last good version: ");
    assert!(third.contains("\nerror: ") && third.contains("\n --> p.yaml:2:"), "{third}");
    assert!(third.contains(" | title: [\n") && third.contains('^'), "{third}");

    // Undone: the verdicts are still known.
    dev.replace("p.yaml", &policy());
    let fourth = dev.until(" judged, ");
    assert!(fourth.contains("\nfixed        row 1  off-contract -> violation SP3.b\n"), "{fourth}");
    assert!(fourth.contains("; 0 judged, 4 known in "), "{fourth}");

    // Only a text that is new is judged, and a label that has changed is used.
    let set = GOLDEN.replace("o'clock\",\"label\":\"violation\"", "o'clock\",\"label\":\"safe\"");
    fs::write(dev.path("g.jsonl"), format!("{set}{{\"text\":\"See you tomorrow\",\"label\":\"safe\"}}\n")).unwrap();
    let fifth = dev.until(" judged, ");
    assert!(fifth.contains("\nchanged: g.jsonl\n") && fifth.contains("; 1 judged, 4 known in "), "{fifth}");
    assert!(
        fifth.contains("\n5 right, 0 missed, 0 false alarms (before: 3 right, 1 missed, 0 false alarms)\n"),
        "{fifth}"
    );
    assert!(!fifth.contains("surest first"), "{fifth}");

    let (status, rest, stderr) = dev.interrupt();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{stderr}");
}

#[test]
fn a_broken_policy_is_waited_for_from_the_start() {
    let folder = folder();
    fs::write(folder.path().join("p.yaml"), "id: [\n").unwrap();
    let dev = Dev::start(folder, &["p.yaml", "g.jsonl", "--effort", "none"]);
    dev.until("error: ");
    dev.replace("p.yaml", &policy());
    let whole = dev.until(" judged in ");
    assert!(whole.contains("\n3 right, 1 missed, 0 false alarms\n"), "{whole}");
    let (status, ..) = dev.interrupt();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn an_output_that_nobody_reads_any_more_ends_it_quietly() {
    let dev = Dev::start(folder(), &["p.yaml", "g.jsonl", "--effort", "none"]);
    dev.until(" judged in ");
    let Dev { mut child, lines, folder } = dev;
    drop(lines);
    let begun = Instant::now();
    // The first write after the reader has gone may still succeed.
    for number in 0.. {
        fs::write(folder.path().join("p.yaml"), format!("{}# {number}\n", policy())).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not end");
    }
}

#[test]
fn a_change_during_the_judging_begins_anew() {
    let folder = folder();
    let long: String =
        (0..60).map(|number| format!("{{\"text\":\"Text {number}\",\"label\":{}}}\n", number % 2)).collect();
    fs::write(folder.path().join("g.jsonl"), long).unwrap();
    // With reasoning it takes seconds, so that the change comes in the middle.
    let dev = Dev::start(folder, &["p.yaml", "g.jsonl", "--effort", "high", "--parallel", "1"]);
    dev.until("spam on g.jsonl: 60 texts");
    std::thread::sleep(Duration::from_millis(500));
    dev.replace("g.jsonl", GOLDEN);
    let text = dev.until(" judged in ");
    assert!(text.contains("changed: g.jsonl\nspam on g.jsonl: 4 texts\n"), "{text}");
    assert!(!text.contains("60 judged"), "{text}");
    let (status, ..) = dev.interrupt();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn once_is_for_scripts_and_what_cannot_change_is_refused() {
    let folder = folder();
    let run = |args: &[&str]| {
        let output = command(&folder, args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, stdout, stderr) = run(&["p.yaml", "g.jsonl", "--effort", "none", "--once", "--errors", "0"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("3 right, 1 missed") && !stdout.contains("surest first"), "{stdout}");
    fs::write(folder.path().join("broken.yaml"), "id: [\n").unwrap();
    for (args, message) in [
        (&["broken.yaml", "g.jsonl", "--once"][..], "broken.yaml:1:"),
        (
            &["spam"],
            "error: spam is a shipped policy, which does not change\nhint: `magistrate policy show spam > my-spam.yaml`",
        ),
        (&["p.yaml", "absent.csv"], "error: absent.csv: there is no such file\n"),
        (&["absent.yaml", "g.jsonl"], "absent.yaml"),
        (&["p.yaml", "-"], "error: stdin cannot be watched\n"),
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
}
