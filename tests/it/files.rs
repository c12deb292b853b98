//! Files that a command must leave alone: its inputs, and everything that is not a regular file.

#![cfg(all(feature = "cli", unix))]

mod cache;
mod outputs;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

use crate::support;

/// A folder in which commands run.
struct Stage(TempDir);

/// Flags of every verb that judges.
const JUDGING: [&str; 6] = ["-p", "policy.yaml", "--effort", "none", "--min-mass", "0"];

/// The entries below a folder: the type of each, and its bytes or its target.
type State = BTreeMap<PathBuf, (char, Vec<u8>)>;

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let rows: String = [("WINNER, claim your prize", "violation"), ("See you at nine", "safe")]
            .iter()
            .cycle()
            .take(12)
            .enumerate()
            .map(|(number, (text, label))| format!("{{\"text\":\"{text} {number}\",\"label\":\"{label}\"}}\n"))
            .collect();
        fs::write(stage.path("in.jsonl"), rows).unwrap();
        fs::write(stage.path("rules.md"), "# Begging (BE1 - asks for money)\n## VIOLATES\n- Asks for money.\n")
            .unwrap();
        let policy = stage.run(&["policy", "show", "spam"]).stdout;
        fs::write(stage.path("policy.yaml"), policy).unwrap();
        fs::create_dir(stage.path("folder")).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(args).current_dir(&self.0).env("NO_COLOR", "1").env("OMP_THREAD_LIMIT", "1");
        command.env("MAGISTRATE_MODEL", support::demonstration());
        command.env("MAGISTRATE_CACHE", self.path("cache"));
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, args: &[&str]) -> Output {
        let done = self.run(args);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{args:?}: {}", messages(&done));
        done
    }

    fn label(&self, args: &[&str]) -> Output {
        self.run(&[&["label"], &JUDGING[..], args].concat())
    }

    fn state(&self) -> State {
        fn look(folder: &Path, state: &mut State) {
            for entry in fs::read_dir(folder).unwrap() {
                let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
                let (letter, bytes) = if kind.is_dir() {
                    look(&path, state);
                    ('d', Vec::new())
                } else if kind.is_symlink() {
                    ('l', fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
                } else if kind.is_file() {
                    ('f', fs::read(&path).unwrap())
                } else {
                    (if kind.is_fifo() { 'p' } else { 's' }, Vec::new())
                };
                state.insert(path, (letter, bytes));
            }
        }
        let mut state = State::new();
        look(self.0.path(), &mut state);
        state.retain(|path, _| !path.starts_with(self.path("cache")));
        state
    }
}

fn messages(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// Returns a stage with all inputs of the verbs.
fn furnished() -> Stage {
    let stage = Stage::new();
    for args in
        [&["-o", "done.jsonl"][..], &["--shard", "1/2", "-o", "one.jsonl"], &["--shard", "2/2", "-o", "two.jsonl"]]
    {
        stage.succeeds(&[&["label"], &JUDGING[..], &["in.jsonl"], args].concat());
    }
    support::ollama(&support::demonstration(), &stage.path("blob.gguf"));
    stage
}

#[test]
fn a_file_that_was_called_as_a_temporary_file_was_stays() {
    let stage = Stage::new();
    fs::copy(stage.path("in.jsonl"), stage.path("x.jsonl.part")).unwrap();
    let before = stage.read("x.jsonl.part");
    let done = stage.label(&["--format", "jsonl", "x.jsonl.part", "-o", "x.jsonl"]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", messages(&done));
    assert_eq!(stage.read("x.jsonl.part"), before);
    assert_eq!(stage.read("x.jsonl").lines().count(), 12);
}

#[test]
fn an_output_keeps_its_mode_and_goes_where_a_link_leads() {
    let stage = Stage::new();
    fs::write(stage.path("out.jsonl"), "").unwrap();
    fs::set_permissions(stage.path("out.jsonl"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("out.jsonl", stage.path("link.jsonl")).unwrap();
    let done = stage.label(&["in.jsonl", "-o", "link.jsonl", "--summary", "folder/s.json"]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", messages(&done));
    assert!(fs::symlink_metadata(stage.path("link.jsonl")).unwrap().is_symlink());
    assert_eq!(fs::metadata(stage.path("out.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(stage.read("out.jsonl").lines().count(), 12);
}

#[test]
fn an_output_that_was_edited_is_not_made_anew_until_it_is_removed() {
    let stage = Stage::new();
    let label = || stage.label(&["in.jsonl", "-o", "out.jsonl"]);
    assert!(matches!(label().status.code(), Some(0 | 3)));
    let made = stage.read("out.jsonl");
    assert!(matches!(label().status.code(), Some(0 | 3)), "untouched, the same command goes on");
    // The clock of a file system ticks every few milliseconds. No hand is as fast.
    std::thread::sleep(std::time::Duration::from_millis(50));
    fs::write(stage.path("out.jsonl"), "corrected by hand").unwrap();
    let done = label();
    assert_eq!(done.status.code(), Some(2));
    assert!(messages(&done).contains("out.jsonl was changed after it was made\nhint: "), "{}", messages(&done));
    assert_eq!(stage.read("out.jsonl"), "corrected by hand");
    fs::remove_file(stage.path("out.jsonl")).unwrap();
    assert!(matches!(label().status.code(), Some(0 | 3)));
    assert_eq!(stage.read("out.jsonl"), made);
}

#[test]
fn an_ending_that_nothing_is_written_for_is_refused_before_the_run() {
    let stage = Stage::new();
    for name in ["rows.xls", "rows.json", "rows.txt", "rows.xlsm"] {
        let done = stage.label(&["in.jsonl", "-o", name]);
        assert_eq!(done.status.code(), Some(2), "{name}");
        assert!(messages(&done).contains(&format!("{name}: no format has this ending\nhint: ")), "{}", messages(&done));
        assert!(!stage.path(name).exists() && !stage.path(&format!("{name}.journal")).exists());
    }
    let done = stage.label(&["in.jsonl", "-o", "rows.txt", "--output-format", "jsonl"]);
    assert!(matches!(done.status.code(), Some(0 | 3)), "{}", messages(&done));
    assert!(matches!(stage.label(&["in.jsonl", "-o", "rows"]).status.code(), Some(0 | 3)));
}

#[cfg(feature = "xlsx")]
#[test]
fn a_workbook_is_written_whose_texts_stay_texts_and_which_is_read_again() {
    let stage = Stage::new();
    fs::write(stage.path("in.csv"), "text,sum\n=1+1 hello,007\nmore,\n").unwrap();
    for name in ["one.xlsx", "two.xlsx"] {
        let done = stage.label(&["in.csv", "-o", name, "--fields", "verdict,probability"]);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{}", messages(&done));
    }
    assert_eq!(fs::read(stage.path("one.xlsx")).unwrap(), fs::read(stage.path("two.xlsx")).unwrap());
    let again = stage.label(&["one.xlsx", "--fields", "id"]);
    let rows = String::from_utf8(again.stdout.clone()).unwrap();
    let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{}", messages(&again));
    assert_eq!((rows[0]["text"].as_str(), rows[0]["sum"].as_str()), (Some("=1+1 hello"), Some("007")));
    assert!(rows[0]["input_verdict"].is_string() && rows[0]["input_probability"].is_number(), "{}", rows[0]);
    let packed = stage.label(&["in.csv", "-o", "rows.xlsx.gz"]);
    assert_eq!(packed.status.code(), Some(2));
    assert!(messages(&packed).contains("a workbook is packed itself\nhint: "), "{}", messages(&packed));
}

#[test]
fn a_dash_is_stdout_in_every_verb_that_has_an_output() {
    let stage = furnished();
    let csv = ["--output-format", "csv", "--fields", "verdict"];
    for args in [
        &[&["label"], &JUDGING[..], &["in.jsonl", "-o", "-"]].concat()[..],
        &[&["merge", "done.jsonl", "-o", "-"], &csv[..]].concat(),
        &["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "-"],
        &["policy", "import", "rules.md", "-o", "-"],
    ] {
        let done = stage.succeeds(args);
        assert!(done.stdout.len() > 20 && !stage.path("-").exists(), "{args:?}");
    }
    let done = stage.succeeds(&["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "b.yaml"]);
    assert!(messages(&done).contains("b.yaml is written"), "{}", messages(&done));
    let again = stage.run(&["policy", "new", "begging", "--violation", "Begging: Asks for money.", "-o", "b.yaml"]);
    assert_eq!(messages(&again), "error: b.yaml exists already\nhint: name another file with -o\n");
}

#[test]
fn lint_mends_whole_or_not_at_all_keeps_the_mode_and_touches_no_namesake_of_a_shipped_policy() {
    let stage = Stage::new();
    let broken = stage.read("policy.yaml").replacen("the", "t\u{200B}he", 1);
    assert_ne!(broken, stage.read("policy.yaml"));
    fs::write(stage.path("policy.yaml"), &broken).unwrap();
    fs::set_permissions(stage.path("policy.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    let program = cargo_bin!("magistrate");
    let line = format!("trap '' XFSZ; ulimit -f 1; exec {} policy lint --fix policy.yaml", program.display());
    let full = Command::new("sh").args(["-c", &line]).current_dir(&stage.0).output().unwrap();
    assert_eq!((full.status.code(), stage.read("policy.yaml")), (Some(2), broken.clone()), "{}", messages(&full));
    assert!(!stage.state().keys().any(|path| path.extension().is_some_and(|ending| ending == "part")));
    // A user's file with the name of a shipped policy is not linted.
    fs::write(stage.path("spam.yaml"), &broken).unwrap();
    stage.run(&["policy", "lint", "--fix", "spam"]);
    assert_eq!(stage.read("spam.yaml"), broken);
    stage.run(&["policy", "lint", "--fix", "policy.yaml"]);
    assert_ne!(stage.read("policy.yaml"), broken);
    assert_eq!(fs::metadata(stage.path("policy.yaml")).unwrap().permissions().mode() & 0o777, 0o640);
}
