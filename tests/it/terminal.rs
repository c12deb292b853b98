//! Texts of strangers in names, titles and columns: harmless in a terminal, and unchanged for programs.
#![cfg(all(unix, feature = "cli"))]

use crate::support;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A text that sets a title, turns colors on, and reverses the text.
const EVIL: &str = "\u{1b}]0;pwned\u{7}\u{9b}31m\u{202e}";

struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let policy = |title: &str| {
            format!(
                "id: x\ntitle: T\nversion: \"1\"\nsummary: s\ninstruction: i\ncontract: {{form: category}}\ncategories:\n  \
                 - {{code: A1, title: \"{title}\", verdict: violation, criteria: [c]}}\n"
            )
        };
        std::fs::write(stage.at("evil.yaml"), policy(r"\e]0;pwned\a\x9b31m\u202e")).unwrap();
        std::fs::write(stage.at("good.yaml"), policy("Good")).unwrap();
        std::fs::write(stage.at("rules.md"), "Answer VALID or INVALID.").unwrap();
        std::fs::write(stage.at("in.txt"), format!("one {EVIL}\n")).unwrap();
        std::fs::write(stage.at("table.csv"), "id,text\n1,Hello\n").unwrap();
        stage
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_magistrate"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        command.env("MAGISTRATE_CACHE", self.at("cache")).env("MAGISTRATE_MODELS", self.at("models"));
        command.env("HOME", self.at("home")).env("MAGISTRATE_MODEL", support::demonstration());
        command.output().unwrap()
    }
}

/// Runs a command whose output contains [`EVIL`], and checks that the output is harmless.
#[track_caller]
fn harmless(stage: &Stage, arguments: &[&str]) {
    let output = stage.run(arguments);
    let all = [output.stdout, output.stderr].concat();
    let all = String::from_utf8(all).unwrap();
    let steers = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
    assert!(!all.contains(steers), "{arguments:?}: {all:?}");
    assert!(all.contains("pwned"), "{arguments:?} does not show it: {all}");
}

#[test]
fn titles_of_a_policy_are_harmless() {
    let stage = Stage::new();
    let judged = ["--min-mass", "0", "--effort", "none", "--threshold", "0", "Hello"];
    harmless(&stage, &[&["check", "-p", "evil.yaml"][..], &judged].concat());
    harmless(&stage, &["policy", "diff", "good.yaml", "evil.yaml"]);
    harmless(&stage, &["policy", "lint", "evil.yaml", &format!("{EVIL}.yaml")]);
}

#[test]
fn names_of_files_and_values_of_flags_are_harmless() {
    let stage = Stage::new();
    let name = format!("{EVIL}.txt");
    harmless(&stage, &["check", "-p", "rules.md", "-f", &name]);
    harmless(&stage, &["check", "-p", "rules.md", "-m", &name, "Hello"]);
    harmless(&stage, &["check", "-p", &name, "Hello"]);
    harmless(&stage, &["check", "-p", "rules.md", "--effort", EVIL, "Hello"]);
    harmless(&stage, &["check", "-p", "rules.md", "--certificate", &name, "Hello"]);
    harmless(&stage, &["label", "-p", "rules.md", &name]);
    harmless(&stage, &["label", "-p", "rules.md", "--text-column", EVIL, "table.csv"]);
    harmless(&stage, &["merge", &name, "-o", "out.csv"]);
    harmless(&stage, &["doctor", "-m", &name]);
    std::fs::create_dir_all(stage.at("cache").join(EVIL)).unwrap();
    harmless(&stage, &["cache", "clear"]);
}

#[test]
fn names_in_and_of_models_are_harmless() {
    let stage = Stage::new();
    let mut model = std::fs::read(support::demonstration()).unwrap();
    let key = [&12_u64.to_le_bytes()[..], b"general.name"].concat();
    let at = model.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 12;
    std::fs::create_dir(stage.at("models")).unwrap();
    let name = format!("models/{EVIL}.gguf");
    std::fs::write(stage.at(&name), &model).unwrap();
    harmless(&stage, &["model", "list"]);
    harmless(&stage, &["model", "verify", &name]);
    harmless(&stage, &["model", "fit", &name]);
    harmless(&stage, &["model", "inspect", &name]);
    model[at..at + 10].copy_from_slice(b"\x1b[31mpwned");
    std::fs::write(stage.at("named.gguf"), &model).unwrap();
    harmless(&stage, &["model", "inspect", "named.gguf"]);
}

#[test]
fn labels_and_groups_of_a_golden_set_are_harmless() {
    let stage = Stage::new();
    let line = |label: &str, group: &str| {
        format!("{}\n", serde_json::json!({"text": format!("a text of {label}"), "label": label, "s": group}))
    };
    let groups = line("safe", EVIL) + &line("violation", EVIL);
    std::fs::write(stage.at("groups.jsonl"), groups).unwrap();
    std::fs::write(stage.at("labels.jsonl"), line(EVIL, "x")).unwrap();
    let eval = ["eval", "-p", "rules.md", "--min-mass", "0", "--effort", "none"];
    harmless(&stage, &[&eval[..], &["--by", "s", "groups.jsonl"]].concat());
    let refused = stage.run(&[&eval[..], &["labels.jsonl"]].concat());
    assert!(!String::from_utf8(refused.stderr).unwrap().contains('\u{1b}'));
}

#[test]
fn what_programs_read_keeps_its_bytes() {
    let stage = Stage::new();
    let label = ["label", "-p", "rules.md", "--min-mass", "0", "--effort", "none", "--threshold", "1", "in.txt"];
    let through = stage.run(&[&label[..], &["--only", "safe"]].concat());
    assert_eq!(String::from_utf8(through.stdout).unwrap(), format!("one {EVIL}\n"));
    let rows = stage.run(&[&label[..], &["--columns", "text"]].concat());
    let row: serde_json::Value = serde_json::from_slice(&rows.stdout).unwrap();
    assert_eq!(row["input"]["text"].as_str().or(row["text"].as_str()), Some(format!("one {EVIL}").as_str()));
    let prompt = stage.run(&["prompt", "-p", "rules.md", "-f", "in.txt"]);
    assert!(String::from_utf8(prompt.stdout).unwrap().contains(EVIL));
    std::fs::create_dir(stage.at("models")).unwrap();
    let name = stage.at(&format!("models/{EVIL}.gguf"));
    std::fs::copy(support::demonstration(), &name).unwrap();
    let path = stage.run(&["model", "path", name.to_str().unwrap()]);
    assert_eq!(String::from_utf8(path.stdout).unwrap(), format!("{}\n", name.display()));
}
