//! Runs that are continued: by the same command or a later one, on the same inputs or on changed ones.

#![cfg(all(feature = "cli", unix))]

use crate::support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A folder in which commands run.
struct Stage(TempDir);

impl Stage {
    /// Returns a stage with a table of texts.
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        fs::write(stage.path("rules.md"), "Say whether it is spam.\nReturn exactly one word: VALID or INVALID\n")
            .unwrap();
        stage.write("in.csv", &table(12));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(args).current_dir(&self.0).env("NO_COLOR", "1").stdin(Stdio::null());
        command.env("MAGISTRATE_MODEL", support::demonstration()).env("MAGISTRATE_CACHE", self.path("cache"));
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        Done::of(&self.command(args).output().unwrap())
    }

    fn label(&self, args: &[&str]) -> Done {
        self.run(&[&LABEL[..], args].concat())
    }
}

/// The flags of each run.
const LABEL: [&str; 7] = ["label", "-p", "rules.md", "--effort", "none", "--min-mass", "0"];

/// The result of a command.
struct Done {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Done {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Checks that a command was refused in these words, before a model was loaded.
    #[track_caller]
    fn refused(&self, words: &str) {
        assert_eq!(self.code, Some(2), "{}", self.stderr);
        assert!(self.stderr.contains(words), "{}", self.stderr);
        assert!(!self.stderr.contains("demonstration model"), "a model was loaded: {}", self.stderr);
    }
}

fn table(rows: usize) -> String {
    "id,text,lang\n".to_owned() + &(0..rows).map(|row| format!("r{row},See you at {row},en\n")).collect::<String>()
}

#[test]
fn an_input_may_be_spelled_otherwise_or_renamed_and_grow() {
    let stage = Stage::new();
    stage.label(&["in.csv", "-o", "out.csv"]).succeeded();
    let rows = stage.read("out.csv");
    let absolute = stage.path("in.csv");
    fs::copy(&absolute, stage.path("renamed.csv")).unwrap();
    for name in ["./in.csv", absolute.to_str().unwrap(), "renamed.csv"] {
        let again = stage.label(&[name, "-o", "out.csv"]).succeeded();
        assert!(again.stderr.contains("resumed  12 rows"), "{name}: {}", again.stderr);
        assert_eq!(stage.read("out.csv"), rows);
    }
    stage.write("more.csv", &table(2));
    let more = stage.label(&["in.csv", "more.csv", "-o", "out.csv"]).succeeded();
    assert!(more.stderr.contains("resumed  12 rows"), "{}", more.stderr);
    assert_eq!(stage.read("out.csv").lines().count(), 15);
}

#[test]
fn a_limited_run_is_continued_by_a_later_one() {
    let stage = Stage::new();
    let out = ["in.csv", "-o", "out.csv", "--reproducible"];
    stage.label(&[&out[..], &["--limit", "5"]].concat()).succeeded();
    assert_eq!(stage.read("out.csv").lines().count(), 6);
    let more = stage.label(&[&out[..], &["--limit", "8"]].concat()).succeeded();
    assert!(more.stderr.contains("resumed  5 rows"), "{}", more.stderr);
    assert_eq!(stage.read("out.csv").lines().count(), 9);
    let fewer = stage.label(&[&out[..], &["--limit", "2"]].concat()).succeeded();
    assert!(fewer.stderr.contains("out.csv.journal has 8 records already, more than --limit"), "{}", fewer.stderr);
    assert_eq!(stage.read("out.csv").lines().count(), 9);
    let all = stage.label(&out).succeeded();
    assert!(all.stderr.contains("resumed  8 rows"), "{}", all.stderr);
    stage.label(&["in.csv", "-o", "fresh.csv", "--reproducible"]).succeeded();
    assert_eq!(stage.read("out.csv"), stage.read("fresh.csv"));
    let streamed = stage.label(&["in.csv", "--limit", "3", "--fields", "verdict"]).succeeded();
    assert_eq!(streamed.stdout.lines().count(), 3);
}

#[test]
fn an_input_in_another_encoding_or_dialect_is_the_same_input() {
    let stage = Stage::new();
    stage.write("in.csv", "id;text\n1;zoë says hello\n2;goodbye\n");
    stage.label(&["in.csv", "-o", "out.csv"]).succeeded();
    fs::write(stage.path("in.csv"), b"id;text\n1;zo\xEB says hello\n2;goodbye\n3;more\n").unwrap();
    for flags in [&[][..], &["--encoding", "windows-1252", "--delimiter", ";"]] {
        let again = stage.label(&[&["in.csv", "-o", "out.csv"], flags].concat()).succeeded();
        assert!(again.stderr.contains("resumed  "), "{}", again.stderr);
    }
    let rows = stage.read("out.csv");
    assert!(rows.lines().count() == 4 && rows.contains("zoë says hello"), "{rows}");
}

#[test]
fn a_record_whose_columns_have_changed_is_named_and_no_row_shows_the_old_ones() {
    let stage = Stage::new();
    stage.label(&["in.csv", "-o", "out.csv"]).succeeded();
    for (from, to, record) in [("r3,", "x3,", 4), ("at 5,en", "at 5,de", 6), ("See you at 0", "See you at one", 1)] {
        stage.write("in.csv", &table(12).replacen(from, to, 1));
        let done = stage.label(&["in.csv", "-o", "out.csv"]);
        assert_eq!(done.code, Some(2));
        let expected = format!("out.csv.journal: record {record} of in.csv has changed since it was judged");
        assert!(done.stderr.contains(&expected), "{}", done.stderr);
    }
    // A renamed column shows in the header.
    stage.write("in.csv", &table(12).replace("lang", "language"));
    stage
        .label(&["in.csv", "-o", "out.csv"])
        .refused("columns of the tables: then id, text, lang, now id, text, language");
    // In lines of JSON a renamed field changes the record.
    stage.write("in.jsonl", "{\"text\":\"a\",\"lang\":\"en\"}\n{\"text\":\"a\",\"lang\":\"de\"}\n");
    stage.label(&["in.jsonl", "-o", "out.jsonl"]).succeeded();
    // The texts are equal, so the rows differ only in their records.
    stage.write("in.jsonl", "{\"text\":\"a\",\"lang\":\"de\"}\n{\"text\":\"a\",\"lang\":\"en\"}\n");
    let swapped = stage.label(&["in.jsonl", "-o", "out.jsonl"]);
    assert!(swapped.stderr.contains("record 1 of in.jsonl has changed"), "{}", swapped.stderr);
}

#[test]
fn a_record_that_was_still_being_written_is_judged_once_it_is_whole() {
    let stage = Stage::new();
    stage.write("in.jsonl", "{\"id\":1,\"text\":\"Hello\"}\n{\"id\":2,\"text\":\"half a li");
    assert_eq!(stage.label(&["in.jsonl", "-o", "out.jsonl"]).code, Some(3));
    stage.write(
        "in.jsonl",
        "{\"id\":1,\"text\":\"Hello\"}\n{\"id\":2,\"text\":\"half a line\"}\n{\"id\":3,\"text\":\"x\"}\n",
    );
    let done = stage.label(&["in.jsonl", "-o", "out.jsonl"]).succeeded();
    assert!(done.stderr.contains("resumed  1 row "), "{}", done.stderr);
    let rows = stage.read("out.jsonl");
    assert!(rows.lines().count() == 3 && rows.contains("half a line"), "{rows}");
    // The journal alone gives the same result.
    assert_eq!(stage.run(&["merge", "out.jsonl"]).succeeded().stdout, rows);
}

#[test]
fn other_terms_are_refused_in_plain_words_before_a_model_is_loaded() {
    let stage = Stage::new();
    stage.label(&["in.csv", "-o", "out.csv"]).succeeded();
    for (flags, expected) in [
        (&["--threshold", "0.5"][..], "--threshold: then not given, now 0.5"),
        (&["--kv", "q8_0"], "--kv: then f16, now q8_0"),
        (&["--flash-attention", "off"], "--flash-attention: then auto, now off"),
        (&["--kernels", "llama"], "--kernels: then own, now llama"),
        (&["--reproducible"], "--reproducible: then no, now yes"),
        (&["--max-content-tokens", "9"], "--max-content-tokens: then not given, now 9"),
    ] {
        let done = stage.label(&[&["in.csv", "-o", "out.csv"], flags].concat());
        done.refused(&format!("out.csv.journal: this run was started with other settings\n  {expected}\n"));
    }
    // A setting that changes only the order of sums is not compared.
    stage
        .label(&["in.csv", "-o", "out.csv", "--layout", "split", "--parallel", "2", "--micro-batch", "64"])
        .succeeded();
}

#[test]
fn a_text_without_room_is_judged_once_there_is_room() {
    let stage = Stage::new();
    stage.write("in.txt", &format!("{}\nSee you at nine\n", "word ".repeat(1500)));
    let short = ["--context", "1024"];
    for args in [&["in.txt", "-o", "out.jsonl"][..], &["in.txt", "--cache=kept"]] {
        let first = stage.label(&[args, &short].concat());
        assert_eq!(first.code, Some(3), "{}", first.stderr);
        let again = stage.label(&[args, &short].concat());
        assert_eq!(again.code, Some(3), "{}", again.stderr);
        let done = stage.label(args).succeeded();
        assert!(done.stderr.contains("resumed  1 row ") || done.stderr.contains("reused  1 row "), "{}", done.stderr);
    }
    let fresh = stage.label(&["in.txt", "--fields", "verdict"]).succeeded();
    let merged = stage.run(&["merge", "out.jsonl", "--fields", "verdict"]).succeeded();
    assert_eq!(merged.stdout, fresh.stdout);
}

#[test]
fn a_context_that_a_hint_names_is_enough() {
    let stage = Stage::new();
    let check = |context: &str, text: &str| {
        stage.run(&["check", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "--context", context, text])
    };
    for text in ["hi", &"word ".repeat(300)] {
        let mut context = "1".to_owned();
        let mut done = check(&context, text);
        assert_eq!(done.code, Some(2), "{}", done.stderr);
        let printed = done.stdout + &done.stderr;
        let hint = printed.split("--context ").nth(1).unwrap_or_else(|| panic!("no hint: {printed}"));
        context = hint.split(' ').next().unwrap().to_owned();
        done = check(&context, text);
        assert!(matches!(done.code, Some(0 | 1)), "--context {context}: {}{}", done.stdout, done.stderr);
    }
}

#[test]
fn a_damaged_archive_is_told_and_nothing_that_it_says_goes_out() {
    let stage = Stage::new();
    // Rows are judged again. Without this flag their last digits depend on the rows beside them.
    let label = || stage.label(&["in.csv", "--cache=kept", "--output-format", "jsonl", "--reproducible"]).succeeded();
    let rows = label().stdout;
    assert_eq!(label().stdout, rows);
    let archive = fs::read_dir(stage.path("kept")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read_to_string(&archive).unwrap();
    for (from, to) in
        [("\"safe\"", "\"violation\""), ("\"violation\"", "\"safe\""), ("\"status\"", "\"status"), ("[", "(")]
    {
        let damaged = whole.replace(from, to);
        if damaged == whole {
            continue;
        }
        fs::write(&archive, damaged).unwrap();
        let done = label();
        assert!(done.stderr.contains("damaged lines in kept are not used"), "{}", done.stderr);
        assert_eq!(done.stdout, rows);
    }
}

#[test]
fn one_journal_is_merged_as_several_are_and_what_is_no_run_is_named() {
    let stage = Stage::new();
    stage.label(&["in.csv", "-o", "out.csv"]).succeeded();
    let journal = stage.read("out.csv.journal");
    let lines: Vec<&str> = journal.split_inclusive('\n').collect();
    stage.write("half", &lines[..6].concat());
    stage.write("gap", &[&lines[..3], &lines[5..]].concat().concat());
    stage.write("twice", &[&lines[..3], &lines[2..]].concat().concat());
    for (name, expected) in [
        ("half", "half is not finished"),
        ("gap", "2 of 12 records are missing, the first is number 3"),
        ("twice", "twice: record 2 is there twice"),
        (
            "in.csv",
            "in.csv is not a magistrate run (there is no in.csv.journal beside it)\nhint: name the output of a run",
        ),
    ] {
        let done = stage.run(&["merge", name, "-o", "new.jsonl"]);
        done.refused(expected);
        assert!(!stage.path("new.jsonl").exists() && !done.stderr.contains("remove it"), "{}", done.stderr);
    }
    for (name, rows) in [("half", 5), ("gap", 10)] {
        assert_eq!(stage.run(&["merge", name, "--partial"]).succeeded().stdout.lines().count(), rows);
    }
    stage.write("damaged", &journal.replacen("See you at 7", "See you at 8", 1));
    stage.run(&["merge", "damaged"]).refused("damaged: line 9 is damaged");
}

#[test]
fn an_output_that_nobody_reads_ends_quietly() {
    let stage = Stage::new();
    stage.label(&["in.csv", "-o", "out.csv"]).succeeded();
    let formats = ["jsonl", "csv", "tsv", "parquet"];
    let merges = formats.map(|format| vec!["merge", "out.csv", "--output-format", format]);
    let labels = formats.map(|format| [&LABEL[..], &["in.csv", "--output-format", format]].concat());
    for args in merges.iter().chain(&labels) {
        let mut child = stage.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = Done::of(&child.wait_with_output().unwrap()).succeeded();
        assert!(!done.stderr.contains("error") && !done.stderr.contains("roken pipe"), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn a_file_in_the_journals_place_that_is_no_journal_stays_as_it_is() {
    let stage = Stage::new();
    for text in ["my diary, the only copy", "line one\nline two\nlast line", "{\"text\":\"a\"}\n", "\n"] {
        stage.write("trip.journal", text);
        stage
            .label(&["in.csv", "-o", "trip"])
            .refused("trip.journal is not a journal of magistrate, and is left as it is");
        assert_eq!(stage.read("trip.journal"), text);
        assert!(!stage.path("trip").exists());
    }
}
