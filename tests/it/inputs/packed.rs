//! Packed inputs, requests of the batch API, and several inputs at once.

use std::path::Path;

use magistrate::label::records::{InputFormat, RecordFields};
use magistrate::label::source::{Input, Source};

use super::{check, gzip, read};

#[test]
fn packed_inputs_are_unpacked_and_torn_ones_are_errors() {
    let lines = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n";
    check("a.jsonl.gz", gzip(lines.as_bytes()), "a|b", "");
    check("a.jsonl", gzip(lines.as_bytes()), "a|b", "");
    check("a.csv.gz", gzip(b"text\na\n"), "a", "");
    check("a.jsonl.gz", lines, "a|b", "");
    let two = [gzip(b"a\n"), gzip(b"b\n")].concat();
    check("a.txt.gz", two, "a|b", "");
    let many: String = (0..20_000).map(|row| format!("text number {}\n", row * 7919 % 10_007)).collect();
    let whole = gzip(many.as_bytes());
    let torn = read(&[("a.txt.gz", whole[..whole.len() / 2].to_vec())], None, &RecordFields::default());
    assert!(torn.end.unwrap_err().starts_with("a.txt.gz: "));
    assert!((1..20_000).contains(&torn.records.len()) && torn.records[0] == "text number 0");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xFF;
    damaged.truncate(whole.len());
    assert!(read(&[("a.txt.gz", damaged)], None, &RecordFields::default()).end.is_err());
    check("a.jsonl.gz", &gzip(lines.as_bytes())[..5], "", "a.jsonl.gz: ");
}

#[cfg(feature = "zstd")]
#[test]
fn zstd_is_unpacked_and_a_torn_one_is_an_error() {
    let packed = zstd::encode_all(&b"{\"text\":\"a\"}\n"[..], 0).unwrap();
    check("a.jsonl.zst", packed.clone(), "a", "");
    check("a.jsonl.zst", &packed[..packed.len() - 4], "", "a.jsonl.zst: ");
}

#[test]
fn requests_of_the_batch_api_are_read() {
    let batch = |line: &str| {
        let found = read(&[("a.jsonl", line.as_bytes().to_vec())], Some(InputFormat::Batch), &RecordFields::default());
        (found.records.join("|"), found.messages.into_iter().next().unwrap_or_default())
    };
    let good = r#"{"custom_id":"1","method":"POST","url":"/v1/moderations","body":{"input":"a"}}"#;
    assert_eq!(batch(good), ("a".into(), String::new()));
    for (line, code, expected) in [
        ("{\"text\":\"SECRET\"}", "<not-a-request>", "a.jsonl: line 1: no `body`"),
        (
            r#"{"custom_id":"1","url":"/v1/embeddings","body":{"input":"x"}}"#,
            "<not-a-request>",
            "a.jsonl: line 1: its `url`",
        ),
        (
            r#"{"custom_id":"1","url":"/v1/moderations","body":{"input":["a","b"]}}"#,
            "<several-inputs>",
            "a.jsonl: line 1: 2 inputs",
        ),
        (
            r#"{"custom_id":"1","url":"/v1/chat/completions","body":{"messages":[]}}"#,
            "<empty>",
            "a.jsonl: line 1: the text is empty",
        ),
    ] {
        let (records, message) = batch(line);
        assert_eq!(records, code, "{line}");
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn several_inputs_are_read_one_after_another_and_a_wrong_one_is_known_at_once() {
    let found = read(
        &[
            ("a.jsonl", b"{\"text\":\"a\"}\n-\n".to_vec()),
            ("b.csv", b"text\nb\n\"c".to_vec()),
            ("c.txt", b"d".to_vec()),
        ],
        None,
        &RecordFields::default(),
    );
    assert_eq!(found.records.join("|"), "a|<not-json>|b|<unclosed-quote>|d");
    assert!(found.messages[0].starts_with("a.jsonl: line 2: ") && found.messages[1].starts_with("b.csv: line 3: "));
    let found = read(
        &[("a.jsonl", b"{\"text\":\"a\"}\n".to_vec()), ("b.csv", b"id\n1\n".to_vec())],
        None,
        &RecordFields::default(),
    );
    assert_eq!(found.records.len(), 0);
    assert!(found.end.unwrap_err().starts_with("b.csv has no column \"text\""));
    let absent = Source::new(vec![Input::file(Path::new("absent.csv").into())], None, RecordFields::default());
    assert!(absent.err().unwrap().to_string().starts_with("absent.csv: it cannot be read: "));
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("a.txt");
    std::fs::write(&here, "a\n").unwrap();
    for (other, expected) in [("typo.csv", "it cannot be read"), ("", "it is a folder")] {
        let inputs = vec![Input::file(here.clone()), Input::file(folder.path().join(other))];
        let error = Source::new(inputs, None, RecordFields::default()).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
