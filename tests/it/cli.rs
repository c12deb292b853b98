//! The command as its users see it: exit code, stdout and stderr of every verb, with the model of random weights.
//!
//! A test runs commands in a folder of its own, and compares their output with a transcript under `cli/snapshots/`.
//! Random weights round differently on other machines, so their decisions are removed from the transcript.

#![cfg(feature = "cli")]

use crate::support;

use std::fmt::{self, Write as _};
use std::fs;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};
use support::synth::{self, Shape};
use tempfile::TempDir;

/// A plain policy that states its labels.
const RULES: &str = "# House rules\nNo advertising.\nReturn exactly one word: VALID or INVALID\n";

/// A word in the text of every run that fails. No output may contain it.
const SECRET: &str = "quetzal";

/// A folder with a policy in it, where commands are run.
struct Stage {
    folder: TempDir,
}

/// The result of a command.
struct Run {
    line: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        stage.file("rules.md", RULES)
    }

    /// Writes a file, and the folders above it.
    fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    /// Writes a model.
    fn model(self, name: &str, shape: &Shape) -> Self {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        synth::write(&self.path(name), shape).unwrap();
        self
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_on(b"", args)
    }

    fn run_on(&self, stdin: &[u8], args: &[&str]) -> Run {
        self.run_with(stdin, args, &[])
    }

    fn run_with(&self, stdin: &[u8], args: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        let output = assert_cmd::Command::from_std(command).write_stdin(stdin).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace("magistrate.exe", "magistrate");
        Run {
            line: args.iter().map(|arg| format!(" {}", shown(arg))).collect(),
            code: output.status.code().expect("it ends by itself"),
            stdout: text(output.stdout),
            // Paths have `\` on Windows.
            stderr: text(output.stderr).replace('\\', "/").replace(support::SHOWN_OF_NOISE, ""),
        }
    }

    /// Returns the command without the settings of this process's environment.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(support::of_noise(args)).current_dir(&self.folder).env("NO_COLOR", "1").env("COLUMNS", "100");
        // Threads that share cores with other tests wait for each other, which takes longer than the small model.
        command.env("OMP_THREAD_LIMIT", "1");
        for variable in ["CLICOLOR_FORCE", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("MAGISTRATE_MODEL", support::demonstration());
        command.env("MAGISTRATE_CACHE", self.path("cache"));
        command
    }

    /// Runs a command over a text with the secret, which no output may contain.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> Run {
        let text = format!("a {SECRET} in the text");
        let run = self.run(&[args, &[&text]].concat());
        run.keeps_the_secret()
    }

    /// Returns the verdict's row, or the rows.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let run = self.run(&[args, &["--json", "Hello"]].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"))
    }

    #[track_caller]
    fn tokens(&self, stdin: &[u8]) -> Vec<u32> {
        let run = self.run_on(stdin, &["prompt", "-p", "rules.md", "--tokens"]);
        assert_eq!(run.code, 0, "{run}");
        serde_json::from_str(&run.stdout).unwrap()
    }
}

impl Run {
    #[track_caller]
    fn keeps_the_secret(self) -> Self {
        assert_ne!(self.code, 0, "{self}");
        assert!(!self.stdout.contains(SECRET) && !self.stderr.contains(SECRET), "{self}");
        self
    }

    /// Removes numbers and words of the model, which depend on the last digits of the weights.
    fn redacted(mut self) -> Self {
        let mut stdout: String = self.stdout.lines().map(|line| redacted(line) + "\n").collect();
        if let Some(at) = stdout.find("  reasoning: ") {
            stdout.replace_range(at.., "  reasoning: [reasoning]\n");
        }
        self.stdout = stdout;
        self.stderr = self.stderr.lines().map(|line| redacted(line) + "\n").collect();
        self
    }

    /// Removes the verdict too, where the two could be close enough to flip.
    #[track_caller]
    fn undecided(mut self) -> Self {
        let verdict = if self.code == 0 { ": safe\n" } else { ": violation\n" };
        assert!(self.code <= 1 && self.stdout.contains(verdict), "{self}");
        self.stdout = self.stdout.replacen(verdict, ": [verdict]\n", 1);
        self.code = -1;
        self.redacted()
    }
}

/// Returns an argument as a person types it, without the text of failing runs.
fn shown(arg: &str) -> String {
    match arg {
        arg if arg.contains(SECRET) => "'...'".to_owned(),
        "" => "''".to_owned(),
        arg if arg.contains([' ', '<']) => format!("'{arg}'"),
        arg => arg.to_owned(),
    }
}

/// Returns a line without its numbers that depend on rounding.
fn redacted(line: &str) -> String {
    let mut line = line.to_owned();
    let places = [
        ("  P(violation) ", "[p]"),
        (", mass ", "[mass]"),
        ("  off-contract: only ", "[mass]"),
        ("  note: only ", "[mass]"),
        // The engine decides the room that an item takes beside its text.
        ("tokens, room for ", "[room]"),
        ("hint: --context ", "[context]"),
    ];
    for (before, name) in places {
        if let Some(at) = line.find(before) {
            let start = at + before.len();
            let end = line[start..].find([',', ' ']).map_or(line.len(), |length| start + length);
            line.replace_range(start..end, name);
        }
    }
    line
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "$ magistrate{}", self.line)?;
        match self.code {
            -1 => writeln!(out, "exit code: [by verdict]")?,
            code => writeln!(out, "exit code: {code}")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(out, "--- {name}")?;
                for line in text.lines() {
                    // The reason's words differ between systems.
                    let line = match line.split_once(" (os error ") {
                        Some((before, _)) => format!("{}: [the system's reason]", before.rsplit_once(": ").unwrap().0),
                        None => line.to_owned(),
                    };
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(())
    }
}

/// Compares runs with their transcript.
macro_rules! assert_transcript {
    ($runs:expr) => {
        with_settings!({ omit_expression => true }, { assert_snapshot!(transcript($runs)) })
    };
}

fn transcript(runs: impl IntoIterator<Item = Run>) -> String {
    let mut text = String::new();
    for run in runs {
        writeln!(text, "{run}").unwrap();
    }
    text
}

/// Returns rows without digests, numbers and words that depend on the weights.
fn redacted_rows(mut value: Value) -> Value {
    fn walk(name: &str, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| walk(name, value)),
            Value::Number(_) if name != "threshold" => *value = json!(format!("[{name}]")),
            Value::String(_) if ["digest", "version", "rationale", "reasoning", "reasoning_ended"].contains(&name) => {
                *value = json!(format!("[{name}]"));
            }
            Value::String(text) if name == "message" => redacted(&format!("  {text}")).trim_start().clone_into(text),
            _ => {}
        }
    }
    walk("", &mut value);
    value
}

/// Removes the time from a run's stderr.
fn timeless(mut run: Run) -> Run {
    let timed = |line: &str| {
        let parts = line.split("; ").map(|part| if part.ends_with(" rows/s") { "[time]" } else { part });
        parts.collect::<Vec<_>>().join("; ") + "\n"
    };
    run.stderr = run.stderr.lines().map(timed).collect();
    run
}

/// `label` by the house rules. All its rows are violations.
const LABEL: [&str; 7] = ["label", "-p", "rules.md", "--effort", "none", "--threshold", "0"];

mod bench;
mod calibrate;
mod check;
mod completions;
mod config;
mod eval;
mod help;
mod label;
mod limits;
mod manner;
mod merge;
mod model;
mod policy;
mod prompt;
mod rows;
mod streams;
mod tables;
mod text;
