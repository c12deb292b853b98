//! Inputs as people have them: packed, ragged, in the wrong encoding, cut short. A damaged record costs only itself.

mod documents;
mod encodings;
mod packed;
#[cfg(feature = "parquet")]
mod parquet_files;
mod tables;
#[cfg(feature = "xlsx")]
mod workbooks;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use magistrate::error::hints;
use magistrate::label::records::{InputFormat, LARGEST, RecordFields, Text};
use magistrate::label::source::{Input, Source};

/// The result of reading files.
struct Reading {
    /// The text of each record, or the code of its defect.
    records: Vec<String>,
    messages: Vec<String>,
    end: Result<(), String>,
}

/// Reads files with these names and bytes.
fn read(files: &[(&str, Vec<u8>)], format: Option<InputFormat>, fields: &RecordFields) -> Reading {
    let folder = tempfile::tempdir().unwrap();
    let inputs = files.iter().map(|(name, bytes)| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        Input::file(folder.path().join(name))
    });
    // Without the folder's own name, which is random.
    let plain = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    let (mut records, mut messages) = (Vec::new(), Vec::new());
    let source = match Source::new(inputs.collect(), format, fields.clone()) {
        Ok(source) => source,
        Err(error) => return Reading { records, messages, end: Err(plain(in_words(&error))) },
    };
    for placed in source {
        match placed {
            Ok(placed) => match placed.record.content {
                Ok(content) => records.push(content.text().to_owned()),
                Err(defect) => {
                    records.push(format!("<{}>", defect.code));
                    messages.push(plain(in_words(&defect)));
                }
            },
            Err(error) => return Reading { records, messages, end: Err(plain(in_words(&error))) },
        }
    }
    Reading { records, messages, end: Ok(()) }
}

/// Returns an error with its hints.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    hints(error).iter().fold(error.to_string(), |text, hint| format!("{text}\nhint: {hint}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Checks one file: its records between bars, and the beginning of the first message or error.
#[track_caller]
fn check(name: &str, bytes: impl Into<Vec<u8>>, records: &str, expected: &str) {
    check_with(&RecordFields::default(), name, bytes, records, expected);
}

#[track_caller]
fn check_with(fields: &RecordFields, name: &str, bytes: impl Into<Vec<u8>>, records: &str, expected: &str) {
    let bytes = bytes.into();
    let found = read(&[(name, bytes)], None, fields);
    assert_eq!(found.records.join("|"), records, "{name}: {:?} {:?}", found.messages, found.end);
    let message = found.end.err().or_else(|| found.messages.into_iter().next()).unwrap_or_default();
    assert!(
        message.starts_with(expected) && message.is_empty() == expected.is_empty(),
        "{name}: {message:?}, expected {expected:?}"
    );
    assert!(!message.contains("SECRET"), "{message}");
}

fn column(name: &str) -> RecordFields {
    RecordFields { text: Text::Column(name.into()), ..RecordFields::default() }
}

#[test]
fn malformed_jsonl_costs_only_its_line_which_is_named() {
    check("a.jsonl", "", "", "");
    check("a.jsonl", "\n\n \n", "", "");
    check("a.jsonl", "\u{FEFF}{\"text\":\"a\"}\n", "a", "");
    check("a.jsonl", "{\"text\":\"a\"}\r\n{\"text\":\"b\"}", "a|b", "");
    check(
        "a.jsonl",
        "{\"text\":\"a\"}\n{\"text\":\"SECRET\n{\"text\":\"c\"}",
        "a|<not-json>|c",
        "a.jsonl: line 2: JSON that stops short",
    );
    check("a.jsonl", "{\"text\":\"a\"}{\"text\":\"SECRET\"}\n", "<not-json>", "a.jsonl: line 1: not JSON at byte 13");
    check(
        "a.jsonl",
        "[1]\n{\"text\":\"b\"}\n",
        "<not-an-object>|b",
        "a.jsonl: line 1: an array, where each record must be",
    );
    check("a.jsonl", "{'text': 'SECRET'}\n", "<not-json>", "a.jsonl: line 1: not JSON at byte 2");
    check("a.jsonl", "{\"text\":\"SECRET\",}\n", "<not-json>", "a.jsonl: line 1: not JSON at byte 18");
    check(
        "a.jsonl",
        "{\"body\":\"SECRET\"}\n",
        "<missing-text>",
        "a.jsonl: line 1: the record has no column \"text\". Columns: \"body\"\nhint: `RecordFields::text` = \"body\"",
    );
    check(
        "a.jsonl",
        "{\"text\":\"a\",\"text\":\"SECRET\"}\n",
        "<duplicate-text>",
        "a.jsonl: line 1: the column `text` occurs twice",
    );
    check(
        "a.jsonl",
        "{\"text\":null}\n{\"text\":5}\n{\"text\":[]}",
        "<wrong-type>|<wrong-type>|<wrong-type>",
        "a.jsonl: line 1: the column `text` is null",
    );
    check("a.jsonl", "{\"text\":\" \\n\"}\n", "<empty>", "a.jsonl: line 1: the text is empty");
    check("a.jsonl", "{\"text\":\"a\\u0000\"}\n", "<nul>", "a.jsonl: line 1: a NUL byte");
    check(
        "a.jsonl",
        "{\"text\":\"\\ud83d\"}\n",
        "<not-utf8>",
        "a.jsonl: line 1: the column `text` holds half of a surrogate pair",
    );
    check(
        "a.jsonl",
        [b"{\"text\":\"caf\xE9\"}\n", "{\"text\":\"é\"}\n".as_bytes()].concat(),
        "<not-utf8>|é",
        "a.jsonl: line 1: the text is not valid UTF-8: byte 12",
    );
    check("a.jsonl", "{\"id\":1,\"text\":\"a\"}\n{\"id\":1,\"text\":\"b\"}\n", "a|b", "");
    let huge = format!("{{\"text\":\"{}\"}}\n{{\"text\":\"b\"}}\n", "SECRET".repeat(LARGEST / 4));
    check("a.jsonl", huge, "<too-large>|b", "a.jsonl: line 1: a line of more than 4 MiB");
    let deep = format!("{{\"text\":\"a\",\"deep\":{}{}}}\n", "[".repeat(9_999), "]".repeat(9_999));
    check("a.jsonl", deep, "a", "");
    check(
        "a.ndjson",
        "{\"custom_id\":\"1\",\"url\":\"u\",\"body\":{}}\n",
        "<missing-text>",
        "a.ndjson: line 1: the record has no column \"text\". Columns: \"custom_id\", \"url\", \"body\"\nhint: `InputFormat` = batch",
    );
}

#[test]
fn what_is_no_text_is_refused_whole_before_the_first_record() {
    for (name, start, expected) in [
        ("a.zip", &b"PK\x03\x04\x14\0\x06\0"[..], "it is a ZIP archive"),
        ("a.csv", b"PK\x03\x04\x14\0\x06\0", "it is a ZIP archive"),
        ("data.arrow", b"\xFF\xFF\xFF\xFFH\x02\0\0", "it is an Arrow stream"),
        ("a.txt", b"%PDF-1.7\n%\xE2\xE3", "it is a PDF file"),
        ("a.jsonl", b"GGUF\x03\0\0\0", "it is a model (GGUF)"),
        ("a.jsonl.xz", b"\xFD7zXZ\0\0\x04", "it is packed by xz"),
    ] {
        check(name, start, "", &format!("{name}: {expected}"));
    }
    check("a.csv.gz", gzip(&gzip(b"text\na\n")), "", "a.csv.gz: it is packed twice");
    check("a.gz", gzip(b"PK\x03\x04\x14\0"), "", "a.gz: it is a ZIP archive");
    let found =
        read(&[("b.csv", b"text\na\n".to_vec()), ("a.csv", b"PK\x03\x04\0".to_vec())], None, &RecordFields::default());
    assert!(found.records.is_empty() && found.end.unwrap_err().starts_with("a.csv: it is a ZIP archive"));
}

#[test]
fn nothing_structured_is_read_as_plain_lines() {
    for name in ["tests.csv.backup", "gold.yaml", "posts.xml", "two.md"] {
        check(name, "id,text\n1,a\n", "", &format!("{name}: the ending `."));
    }
    check("a.json", "[\"a\", \"b\"]\n", "", "a.json: it is one JSON array, and not of objects\nhint: `jq -c");
    check("a.json", "{\n  \"text\": \"a\"\n}\n", "", "a.json: it is one JSON document over several lines");
    check("a.json", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "a|b", "");
    check("texts", "a\nb\n", "a|b", "");
    let lines = read(&[("two.md", b"a\nb\n".to_vec())], Some(InputFormat::Lines), &RecordFields::default());
    assert_eq!(lines.records, ["a", "b"], "unless it is asked for");
    let rows = read(
        &[("a.json", b"[{\"text\":1}]\n{\"text\":\"b\"}\n".to_vec())],
        Some(InputFormat::Jsonl),
        &RecordFields::default(),
    );
    assert_eq!(rows.records, ["<not-an-object>", "b"], "a stream that is said to be JSON lines goes on");
}
