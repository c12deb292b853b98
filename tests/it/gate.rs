//! Texts and inputs that are refused before the model is loaded, in the same words by every verb.
#![cfg(feature = "cli")]

use crate::support;

use std::fs;
use std::path::PathBuf;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

const RULES: &str = "# House rules\nNo advertising.\nReturn exactly one word: VALID or INVALID\n";

/// A folder with a policy in it, where commands are run.
struct Place(TempDir);

/// The result of a command.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap()).file("rules.md", RULES)
    }

    fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, model: &str, args: &[&str], stdin: &[u8]) -> Run {
        let mut command = std::process::Command::new(cargo_bin!("magistrate"));
        command.args(args).current_dir(&self.0).env("NO_COLOR", "1").env("MAGISTRATE_CACHE", self.path("cache"));
        command.env("MAGISTRATE_MODEL", model).env("OMP_THREAD_LIMIT", "1");
        let output = assert_cmd::Command::from_std(command).write_stdin(stdin).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command that is refused, and returns its stderr. The model does not exist, so it cannot have been loaded.
    #[track_caller]
    fn refused(&self, args: &[&str], stdin: &[u8]) -> String {
        let run = self.run("absent.gguf", args, stdin);
        assert!(run.code == 2 && run.stdout.is_empty(), "{args:?}: {run:?}");
        assert!(!run.stderr.contains("absent.gguf"), "{args:?}: the model is asked for first: {run:?}");
        run.stderr
    }

    #[track_caller]
    fn label(&self, args: &[&str], stdin: &[u8]) -> Run {
        let model = support::demonstration();
        let label = ["label", "-p", "rules.md", "--effort", "none", "--min-mass", "0"];
        self.run(model.to_str().unwrap(), &[&label[..], args].concat(), stdin)
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn one_gate_has_the_same_words_for_every_verb() {
    let marked = [b"\xFF\xFE".to_vec(), utf16("WINNER, reply YES\n")].concat();
    for (bytes, expected) in [
        (marked, "the text is UTF-16 and not UTF-8; convert it"),
        (utf16("WINNER, reply YES\n"), "the text is UTF-16 and not UTF-8; convert it"),
        (b"WINNER\0, reply YES\n".to_vec(), "a NUL byte, which no text holds"),
        (b"caf\xE9, reply YES\n".to_vec(), "the text is not valid UTF-8: byte 3 of "),
        (b" \n".to_vec(), "the text is empty, or nothing but white space"),
    ] {
        let place = Place::new().file("text", &bytes).file("rows.txt", &bytes);
        for verb in ["check", "prompt"] {
            for args in [&[verb, "-p", "rules.md", "-f", "text"][..], &[verb, "-p", "rules.md"]] {
                let message = place.refused(args, &bytes);
                assert!(message.contains(expected), "{args:?}: {message}");
            }
        }
        let labelled = place.label(&["rows.txt", "--encoding", "utf-8", "--fields", "error"], b"");
        if !expected.contains("empty") {
            assert!(labelled.stdout.contains(expected) || labelled.stderr.contains(expected), "{labelled:?}");
            assert!(matches!(labelled.code, 2 | 3), "{labelled:?}");
        }
        let evaluated = place.run("absent.gguf", &["eval", "-p", "rules.md", "rows.txt"], b"");
        assert_eq!(evaluated.code, 2, "{evaluated:?}");
    }
    let empty = Place::new().refused(&["check", "-p", "rules.md", " "], b"");
    assert!(empty.contains("the text is empty"), "{empty}");
}

#[test]
fn all_inputs_are_looked_at_before_a_model_is_loaded() {
    let place =
        Place::new().file("a.csv", "text\nhello\n").file("b.xlsx", b"PK\x03\x04\x14\0").file("two.md", "A rule.\n");
    for (inputs, expected) in [
        (&["a.csv", "typo.csv"][..], "typo.csv: no such file"),
        (&["a.csv", "."], ".: it is a folder"),
        (&["a.csv", "b.xlsx"], "b.xlsx: it is no whole workbook"),
        (&["a.csv", "two.md"], "two.md: the ending `.md` names no format"),
        (&["a.csv", "./a.csv"], "./a.csv is named twice"),
    ] {
        for verb in ["label", "eval"] {
            let message = place.refused(&[&[verb, "-p", "rules.md"], inputs].concat(), b"");
            assert!(message.contains(expected), "{verb}: {message}");
        }
        let message = place.refused(&[&["label", "-p", "rules.md", "-o", "out.jsonl"], inputs].concat(), b"");
        assert!(message.contains(expected), "{message}");
        assert!(!place.path("out.jsonl.journal").exists(), "the right command begins anew");
    }
    let message = place.refused(&["label", "-p", "rules.md"], b"{\n\"text\":\"a\"\n}");
    assert!(message.contains("stdin: it is one JSON document over several lines\nhint: `jq -c"), "{message}");
}

#[test]
fn a_column_that_a_flag_names_and_nobody_has_is_refused() {
    let place = Place::new()
        .file("a.csv", "id,text,Lang\n1,hello,en\n")
        .file("b.csv", "id,text,topic\n1,hello,x\n")
        .file("a.jsonl", "{\"id\":1,\"text\":\"hello\",\"lang\":\"en\"}\n")
        .file("b.jsonl", "{\"Text\":\"hello\",\"TEXT\":1}\n")
        .file("c.jsonl", "{\"custom_id\":1,\"body\":{}}\n");
    for (flags, expected) in [
        (
            &["a.csv", "--columns", "text,lnag"][..],
            r#"no record has the column "lnag", which --columns names. Columns: "id", "text", "Lang""#,
        ),
        (&["a.csv", "--columns", "lang"], "did you mean \"Lang\"?"),
        (&["a.jsonl", "--columns", "lnag"], "no record has the column \"lnag\""),
        (
            &["a.jsonl", "--text-column", "txt"],
            "a.jsonl has no column \"txt\", which --text-column names. Columns: \"id\"",
        ),
        (&["b.jsonl"], "b.jsonl has no column \"text\". Columns: \"Text\", \"TEXT\"\nhint: did you mean \"Text\"?"),
        (&["c.jsonl"], "c.jsonl has no column \"text\". Columns: \"custom_id\", \"body\"\nhint: --format batch reads"),
        (&["a.jsonl", "--text-template", "{text} {bdy}"], "a.jsonl has no column \"bdy\", which --text-template names"),
        (&["a.jsonl", "--id-column", "key"], "a.jsonl has no column \"key\", which --id-column names"),
        (
            &["a.csv", "--text-column", "Text"],
            "a.csv has no column \"Text\". Columns: 1 \"id\", 2 \"text\", 3 \"Lang\"\nhint: did you mean \"text\"?",
        ),
        (&["a.csv", "--text-column", "9"], "a.csv has no column 9: there are 3 columns. Columns: 1 \"id\""),
    ] {
        let message = place.refused(&[&["label", "-p", "rules.md"], flags].concat(), b"");
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(place.label(&["a.csv", "b.csv", "--columns", "id,topic"], b"").code, 0, "one of the inputs has it");
    let stream = place.label(&["--columns", "lnag"], b"{\"text\":\"hello\"}\n");
    assert_eq!(stream.code, 0);
    assert!(stream.stderr.contains("warning: no record so far has the column \"lnag\""), "{stream:?}");
}

#[test]
fn only_prints_lines_under_the_header_that_they_have() {
    let place = Place::new()
        .file("a.csv", "id,text\n1,hello\n")
        .file("b.csv", "text,id\nsee you,2\n")
        .file("c.csv", "\"id\",\"text\"\n3,bye\n")
        .file("d.jsonl", "{\"text\":\"hello\"}\n")
        .file("e.csv", "id;text\n5;hi\n");
    let message = place.refused(&["label", "-p", "rules.md", "--only", "safe", "a.csv", "e.csv"], b"");
    assert!(message.contains("a.csv and e.csv are separated in different ways"), "{message}");
    for inputs in [["a.csv", "b.csv"], ["a.csv", "d.jsonl"]] {
        let message = place.refused(&[&["label", "-p", "rules.md", "--only", "safe"][..], &inputs].concat(), b"");
        assert!(message.contains(&format!("{} and {} have different columns", inputs[0], inputs[1])), "{message}");
    }
    let piped =
        place.label(&["--only", "safe", "--format", "csv", "a.csv", "-", "--threshold", "1"], b"text,id\nsee you,2\n");
    assert_eq!((piped.code, piped.stdout.as_str()), (2, "id,text\n1,hello\n"), "{piped:?}");
    let same = place.label(&["--only", "safe", "a.csv", "c.csv", "--threshold", "1"], b"");
    assert_eq!((same.code, same.stdout.as_str()), (0, "id,text\n1,hello\n3,bye\n"), "{same:?}");
}

#[test]
fn quotes_of_a_file_without_quoting_are_taken_as_they_stand() {
    let place = Place::new().file("sms.tsv", "label\ttext\nham\t\"Hello\nspam\tWIN\nham\tshe said \"bye\"\nham\tok\n");
    let texts = |run: &Run| {
        let text =
            |row: &str| serde_json::from_str::<serde_json::Value>(row).unwrap()["text"].as_str().map(str::to_owned);
        run.stdout.lines().map(text).collect::<Vec<_>>()
    };
    let damaged = place.label(&["sms.tsv"], b"");
    assert_eq!((damaged.code, texts(&damaged)), (3, vec![None, None, None, Some("ok".to_owned())]), "{damaged:?}");
    assert!(damaged.stdout.contains("--quote none"), "{damaged:?}");
    let whole = place.label(&["sms.tsv", "--quote", "none"], b"");
    let expect = ["\"Hello", "WIN", "she said \"bye\"", "ok"].map(|text| Some(text.to_owned()));
    assert_eq!((whole.code, texts(&whole)), (0, expect.to_vec()), "{whole:?}");
}

#[test]
fn that_plain_lines_are_read_is_told_where_it_may_surprise() {
    let place = Place::new().file("messages", "hello\n");
    let piped = place.label(&[], b"id,body,label\n1,\"WINNER, reply\",spam\n");
    assert!(piped.stderr.contains(
        "note: stdin: its first line looks like a header or markup, and each line is read as a text\n\
         hint: --text-column NAME reads a table, and --format chooses another format"
    ));
    assert_eq!(piped.stdout.lines().count(), 2);
    assert!(place.label(&["messages"], b"").stderr.contains("note: messages: each line is read as a text"));
    for (flags, stdin) in [(&[][..], "hello, you\n"), (&["--format", "lines"], "id,text\n")] {
        assert!(!place.label(flags, stdin.as_bytes()).stderr.contains("read as a text"));
    }
}

#[test]
fn blank_lines_of_stdin_are_skipped() {
    let run = Place::new().label(&["--fields", "verdict"], b"hello\n\n \r\nbye\n\n");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2), "{run:?}");
}

#[test]
fn a_table_on_stdin_is_read_as_one_and_that_is_said() {
    let place = Place::new();
    let text = |run: &Run| {
        serde_json::from_str::<serde_json::Value>(run.stdout.lines().next().unwrap()).unwrap()["text"].clone()
    };
    let run = place.label(&["--fields", "verdict"], b"id,text,label\n1,\"WINNER, reply\",spam\n");
    assert_eq!((run.code, run.stdout.lines().count(), text(&run)), (0, 1, "WINNER, reply".into()), "{run:?}");
    assert!(
        run.stderr
            .contains("note: stdin is read as CSV, separated by \",\"\nhint: --format lines reads each line as a text")
    );
    let run = place.label(&["--text-column", "Post", "--fields", "verdict"], b"n;Post\n1;hello\n");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 1), "{run:?}");
    let message = place.refused(&["label", "-p", "rules.md", "--text-column", "Pots"], b"n;Post\n1;hello\n");
    assert!(
        message.contains("stdin has no column \"Pots\". Columns: 1 \"n\", 2 \"Post\"\nhint: did you mean \"Post\"?"),
        "{message}"
    );
}

#[test]
fn flags_of_a_table_are_checked_and_hold_for_golden_sets_too() {
    let place = Place::new().file("gold.csv", b"Text#Answer\nzo\xEB, reply#violation\nhello#safe\n");
    for (flags, expected) in [
        (&["--delimiter", ";;"][..], "not one ASCII character"),
        (&["--quote", "any"], "not double, none or one ASCII character"),
        (&["--encoding", "nope"], "an unknown encoding; known ones are utf-8"),
        (&["--limit", "0"], "not a whole number from 1 up"),
        (&["--format", "lines", "--delimiter", "tab"], "a separator is given, and it is not read as CSV"),
    ] {
        let message = place.refused(&[&["label", "-p", "rules.md", "gold.csv"], flags].concat(), b"");
        assert!(message.contains(expected), "{message}");
    }
    let golden = ["--delimiter", "#", "--encoding", "latin1", "--label-column", "Answer"];
    let message =
        place.refused(&[&["eval", "-p", "rules.md", "gold.csv", "--positive", "x"], &golden[..]].concat(), b"");
    assert!(message.contains("no record has the label `x`") && message.contains("safe"), "{message}");
    assert!(message.contains("note: gold.csv has no column \"text\", so the column \"Text\" is judged"), "{message}");
}

#[test]
fn a_table_without_records_has_its_columns_in_the_output() {
    let place =
        Place::new().file("a.csv", "id,lang,verdict,text\n").file("b.csv", "id,lang,verdict,text\n1,en,x,hello\n");
    for (name, flags) in [("a.csv", &[][..]), ("b.csv", &[]), ("a.csv", &["--columns", "lang,verdict"])] {
        let out = format!("{}.{name}", flags.len());
        let run = place.label(&[&[name, "-o", &out], flags].concat(), b"");
        assert_eq!(run.code, 0, "{run:?}");
        let table = fs::read_to_string(place.path(&out)).unwrap();
        let header = table.lines().next().unwrap();
        let kept = if flags.is_empty() { "lang,input_verdict,text" } else { "lang,input_verdict" };
        assert!(header.contains(&format!("{kept},verdict,category,")), "{header}");
    }
}

#[test]
fn flags_that_ask_for_nothing_are_refused() {
    let place = Place::new();
    for (flag, expected) in [
        ("--chunk=0", "it is at least 1"),
        ("--parallel=0", "it is at least 1"),
        ("--workers=0", "it is at least 1"),
        ("--micro-batch=0", "it is at least 1"),
        ("--memory=8", "8 bytes hold no model: is the unit missing"),
    ] {
        for verb in ["check", "label"] {
            let message = place.refused(&[verb, "-p", "rules.md", flag], b"hello");
            assert!(message.contains(expected), "{verb} {flag}: {message}");
        }
    }
    let skipped = place.label(&["--skip-rows", "18446744073709551615"], b"hello\n");
    assert_eq!((skipped.code, skipped.stdout.as_str()), (0, ""), "{skipped:?}");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_told_apart() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let mut command = std::process::Command::new(cargo_bin!("magistrate"));
    command.args(["label", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "--fields", "verdict"]);
    for byte in [b"\xFF.jsonl", b"\xFE.jsonl"] {
        let name = std::ffi::OsStr::from_bytes(byte);
        if fs::write(place.0.path().join(name), "no\n").is_err() {
            return; // This system does not allow such names.
        }
        command.arg(name);
    }
    command.current_dir(&place.0).env("MAGISTRATE_CACHE", place.path("cache"));
    let output = command.env("MAGISTRATE_MODEL", support::demonstration()).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 3);
}
