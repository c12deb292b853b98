//! Inputs as people have them: packed, ragged, in the wrong encoding, cut short. Each has a stated outcome, and a damaged
//! record costs only itself.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use magistrate::label::records::{Fields, Format, LARGEST, Text};
use magistrate::label::source::{Input, Source};
use proptest::prelude::*;

/// What comes of files with these names and bytes: of each record its text or its defect's code, and how it ended.
struct Told {
    records: Vec<String>,
    messages: Vec<String>,
    end: Result<(), String>,
}

fn read(files: &[(&str, Vec<u8>)], format: Option<Format>, fields: &Fields) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let inputs = files.iter().map(|(name, bytes)| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        Input::file(folder.path().join(name))
    });
    // Not the folder's own name, which is another each time.
    let plain = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    let (mut records, mut messages) = (Vec::new(), Vec::new());
    let source = match Source::new(inputs.collect(), format, fields.clone()) {
        Ok(source) => source,
        Err(error) => return Told { records, messages, end: Err(plain(error.to_string())) },
    };
    for placed in source {
        match placed {
            Ok(placed) => match placed.record.content {
                Ok(content) => records.push(content.text().to_owned()),
                Err(defect) => {
                    records.push(format!("<{}>", defect.code));
                    messages.push(plain(defect.message));
                }
            },
            Err(error) => return Told { records, messages, end: Err(plain(error.to_string())) },
        }
    }
    Told { records, messages, end: Ok(()) }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// The bytes of a text in UTF-16, with its mark.
fn utf16(text: &str) -> Vec<u8> {
    [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// One file, and what must come of it: records between bars, and what the first message or error begins with.
#[track_caller]
fn check(name: &str, bytes: impl Into<Vec<u8>>, records: &str, said: &str) {
    check_with(&Fields::default(), name, bytes, records, said);
}

#[track_caller]
fn check_with(fields: &Fields, name: &str, bytes: impl Into<Vec<u8>>, records: &str, said: &str) {
    let bytes = bytes.into();
    let told = read(&[(name, bytes)], None, fields);
    assert_eq!(told.records.join("|"), records, "{name}: {:?} {:?}", told.messages, told.end);
    let message = told.end.err().or_else(|| told.messages.into_iter().next()).unwrap_or_default();
    assert!(
        message.starts_with(said) && message.is_empty() == said.is_empty(),
        "{name}: {message:?}, expected {said:?}"
    );
    assert!(!message.contains("SECRET"), "{message}");
}

fn column(name: &str) -> Fields {
    Fields { text: Text::Column(name.into()), ..Fields::default() }
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
        "a.jsonl: line 1: an array, where each line must be",
    );
    check("a.jsonl", "{'text': 'SECRET'}\n", "<not-json>", "a.jsonl: line 1: not JSON at byte 2");
    for (line, word) in [
        (r#"{"text":"SECRET","n":NaN}"#, "NaN at byte 22"),
        (r#"{"text":"NaN","n": Infinity}"#, "Infinity at byte 20"),
        (r#"{"text":"NaN","n":[-Infinity]}"#, "Infinity at byte"),
    ] {
        check("a.jsonl", line, "<not-json>", &format!("a.jsonl: line 1: {word}"));
    }
    check("a.jsonl", "{\"text\":\"SECRET\",}\n", "<not-json>", "a.jsonl: line 1: not JSON at byte 18");
    check(
        "a.jsonl",
        "{\"body\":\"SECRET\"}\n",
        "<missing-text>",
        "a.jsonl: line 1: the column `text` is missing; found: `body`; --text-column NAME says",
    );
    check(
        "a.jsonl",
        "{\"text\":\"a\",\"text\":\"SECRET\"}\n",
        "<duplicate-text>",
        "a.jsonl: line 1: the column `text` stands twice",
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
        b"{\"text\":\"caf\xE9\"}\n{\"text\":\"b\"}\n",
        "<not-utf8>|b",
        "a.jsonl: line 1: the text is not valid UTF-8: byte 12",
    );
    check(
        "a.jsonl",
        utf16("{\"text\":\"SECRET\"}\n{\"text\":\"b\"}\n"),
        "",
        "a.jsonl: the text is UTF-16 and not UTF-8; convert it",
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
        "a.ndjson: line 1: the column `text` is missing; found: `custom_id`, `url`, `body`; --format batch",
    );
}

#[test]
fn malformed_tables_cost_only_their_records_which_are_named() {
    check("a.csv", "", "", "a.csv: line 1: the input is empty");
    check("a.csv", "text,n\n", "", "");
    check("a.csv", "\u{FEFF}text,n\na,1\nb,2", "a|b", "");
    check("a.csv", "text,n\n\"a\nb\",1\n\"c,\"\"d\"\"\",2\n", "a\nb|c,\"d\"", "");
    check(
        "a.csv",
        "text,n\nSECRET\na,1\nb,1,2\n",
        "<fields>|a|<fields>",
        "a.csv: line 2: 1 fields, where the header has 2",
    );
    check(
        "a.csv",
        "text,n\na,1\n\"SECRET,2\nb,3\n",
        "a|<unclosed-quote>",
        "a.csv: line 3: the quote that opens on line 3 is never closed",
    );
    check(
        "a.csv",
        "text,n\na\"b\"c,1\n\"SECRET\"b,2\n\"c\",3\n",
        "a\"b\"c|<quote>|c",
        "a.csv: line 3: text follows the quote that closes a field; ",
    );
    check("a.csv", "body,n\nSECRET,1\n", "", "a.csv: line 1: the column `text` is missing; found: 1 `body`, 2 `n`; ");
    check(
        "a.csv",
        "Text,n\nSECRET,1\n",
        "",
        "a.csv: line 1: the column `text` is missing; found: 1 `Text`, 2 `n`; did you mean `Text`?",
    );
    check("a.csv", "text,text\na,b\n", "", "a.csv: line 1: columns of the same name stand in the header: `text`");
    check("a.csv", "text,,\na,b,c\n", "a", "");
    check("a.csv", b"text,n\ncaf\xE9,1\nb,2\n", "<not-utf8>|b", "a.csv: line 2: the text is not valid UTF-8: byte 3");
    check("a.csv", utf16("text,n\na,1\n"), "", "a.csv: the text is UTF-16");
    check("a.csv", &utf16("text,n\na,1\n")[2..], "", "a.csv: the text is UTF-16");
    check("a.csv", "text,n\ra,1\rb,2\r", "", "a.csv: line 1: a carriage return without a newline");
    check("a.csv", "text,n\na\0b,1\n,2\n", "<nul>|<empty>", "a.csv: line 2: a NUL byte");
    check(
        "a.csv",
        format!("text,n\n\"{}\",1\nb,2\n", "x".repeat(10 << 20)),
        "<too-large>|b",
        "a.csv: line 2: a record of more than 4 MiB",
    );
    check("a.tsv", "text\tn\na, b\t1\n", "a, b", "");
    check_with(
        &column("9"),
        "a.csv",
        "text,n\na,1\n",
        "",
        "a.csv: line 1: the column `9` is missing, as there are 2 columns; ",
    );
    check_with(&column("2"), "a.csv", "n,t\n1,a\n", "a", "");
    check_with(&column("2"), "a.csv", "2,t\na,1\n", "a", "");
    let id = Fields { id: Some("key".into()), ..Fields::default() };
    check_with(
        &id,
        "a.csv",
        "text,n\na,1\n",
        "",
        "a.csv: line 1: the column `key` is missing; found: 1 `text`, 2 `n` (--id-column)",
    );
}

#[test]
fn quotes_that_do_not_close_well_cost_each_line_that_they_join() {
    let six = "label\ttext\nham\t\"Hello there\nspam\tWIN\n\nham\tsee you\nham\tshe said \"bye\"\nham\tok\n";
    check(
        "a.tsv",
        six,
        "<quote>|<quote>|<quote>|<quote>|ok",
        "a.tsv: line 2: text follows the quote on line 6 that closes a field, which opens on line 2; double each quote in a \
         text and put the text in quotes. If quotes are but characters in this file: --quote none",
    );
    let unquoted = Fields { unquoted: true, ..Fields::default() };
    check_with(&unquoted, "a.tsv", six, "\"Hello there|WIN|see you|she said \"bye\"|ok", "");
    check_with(&unquoted, "a.tsv", "id\ttext\n1\t\"hello\" he said\n", "\"hello\" he said", "");
    check(
        "a.csv",
        "text,n\n\"a\nb\",1\n\"c\n\"\"d\" e\",2\nf,3\n",
        "a\nb|<quote>|<quote>|f",
        "a.csv: line 4: text follows",
    );
    check("a.csv", "\"text\" ,n\na,1\n", "", "a.csv: line 1: text follows the quote");
    let headless = Fields { no_header: true, ..Fields::default() };
    check_with(&headless, "a.csv", "\"a\"b\n", "", "a.csv: line 1: text follows the quote");
}

#[test]
fn a_header_between_other_separators_is_named() {
    for (name, header, said) in [
        ("a.csv", "\u{FEFF}id;text;label\r\n", "one column by commas, and holds semicolons; "),
        ("a.csv", "\"id\";\"text\"\n", "one column by commas, and holds semicolons; "),
        ("a.csv", "sep=;\r\nid;text\n", "one column by commas, and holds semicolons; "),
        ("a.csv", "id\ttext\n", "one column by commas, and holds tabs; --format tsv"),
        ("a.csv", "id|text\n", "one column by commas, and holds vertical bars; "),
        ("a.tsv", "id,text\n", "one column by tabs, and holds commas; --format csv"),
    ] {
        let rows = "1;WINNER;spam\n".repeat(2);
        for column in [Fields::default(), column("1")] {
            let said = format!("a.{}: line 1: the separator seems to be another: the header is {said}", &name[2..]);
            check_with(&column, name, format!("{header}{rows}"), "", &said);
        }
    }
    check("a.csv", "sep=,\nid,text\n1,a\n", "", "a.csv: line 1: Excel's line that names the separator");
    check_with(&Fields { skip: 1, ..Fields::default() }, "a.csv", "sep=,\nid,text\n1,a\n", "a", "");
    check_with(&column("1"), "a.csv", "\"text; or note\"\na\n", "a", "");
    check("a.csv", "text\na;b\n", "a;b", "");
}

#[test]
fn what_is_no_text_is_refused_whole_before_the_first_record() {
    for (name, start, said) in [
        ("a.xlsx", &b"PK\x03\x04\x14\0\x06\0"[..], "it is a ZIP archive"),
        ("a.csv", b"PK\x03\x04\x14\0\x06\0", "it is a ZIP archive"),
        ("data.arrow", b"\xFF\xFF\xFF\xFFH\x02\0\0", "it is an Arrow stream"),
        ("a.txt", b"%PDF-1.7\n%\xE2\xE3", "it is a PDF file"),
        ("a.jsonl", b"GGUF\x03\0\0\0", "it is a model (GGUF)"),
        ("a.jsonl.xz", b"\xFD7zXZ\0\0\x04", "it is packed by xz"),
    ] {
        check(name, start, "", &format!("{name}: {said}"));
    }
    check("a.csv.gz", gzip(&gzip(b"text\na\n")), "", "a.csv.gz: it is packed twice");
    check("a.gz", gzip(b"PK\x03\x04\x14\0"), "", "a.gz: it is a ZIP archive");
    let told = read(&[("b.csv", b"text\na\n".to_vec()), ("a.csv", b"PK\x03\x04\0".to_vec())], None, &Fields::default());
    assert!(told.records.is_empty() && told.end.unwrap_err().starts_with("a.csv: it is a ZIP archive"));
}

#[test]
fn nothing_structured_is_read_as_plain_lines() {
    for name in ["tests.csv.backup", "gold.yaml", "posts.xml", "two.md"] {
        check(name, "id,text\n1,a\n", "", &format!("{name}: the ending `."));
    }
    check("a.json", "[{\"text\":\"a\"},\n{\"text\":\"b\"}]\n", "", "a.json: it is one JSON array");
    check("a.json", "[\n  {\n    \"text\": \"a\"\n  }\n]\n", "", "a.json: it is one JSON array");
    check("a.jsonl", "[{\"text\":\"a\"}]\n", "", "a.jsonl: it is one JSON array");
    check("a.json", "{\n  \"text\": \"a\"\n}\n", "", "a.json: it is one JSON document over several lines");
    check("a.json", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "a|b", "");
    check("texts", "a\nb\n", "a|b", "");
    let lines = read(&[("two.md", b"a\nb\n".to_vec())], Some(Format::Lines), &Fields::default());
    assert_eq!(lines.records, ["a", "b"], "unless it is asked for");
    let rows =
        read(&[("a.json", b"[{\"text\":1}]\n{\"text\":\"b\"}\n".to_vec())], Some(Format::Jsonl), &Fields::default());
    assert_eq!(rows.records, ["<not-an-object>", "b"], "a stream that is said to be JSON lines goes on");
}

#[test]
fn of_several_columns_an_absent_one_is_null() {
    let template = Fields { text: Text::Template("{subject}: {body}".parse().unwrap()), ..Fields::default() };
    check_with(
        &template,
        "a.jsonl",
        "{\"subject\":\"a\"}\n{\"subject\":\"b\",\"body\":null}\n{\"body\":\"c\"}\n{\"x\":1}\n",
        "a: |b: |: c|<missing-text>",
        "a.jsonl: line 4: the column `subject` is missing",
    );
    check_with(
        &column("messages"),
        "a.jsonl",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"SECRET\"}]}\n",
        "<wrong-type>",
        "a.jsonl: line 1: the column `messages` is a list of messages and not a string; --format batch",
    );
}

#[test]
fn tables_without_a_header_or_with_lines_above_it_are_read() {
    let headless = Fields { no_header: true, ..column("2") };
    check_with(&headless, "a.csv", "1,a\n2,b\n", "a|b", "");
    check_with(&headless, "a.csv", "", "", "");
    check_with(&Fields { no_header: true, ..Fields::default() }, "a.csv", "a\n\"b,c\"\n", "a|b,c", "");
    check_with(
        &headless,
        "a.csv",
        "a\n",
        "",
        "a.csv: line 1: the column `2` is missing, as there is 1 column; found: 1 `column_1`",
    );
    check_with(
        &Fields { no_header: true, ..Fields::default() },
        "a.csv",
        "a,b\n",
        "",
        "a.csv: line 1: the column `text` is missing",
    );
    let above = Fields { skip: 1, ..column("Example Prompt") };
    check_with(&above, "a.csv", "\"These are synthetic, and so on.\",,\nExample Prompt,Label,\na,X0,\n", "a", "");
    check_with(&Fields { skip: usize::MAX, ..Fields::default() }, "a.jsonl", "{\"text\":\"a\"}\n", "", "");
    check_with(&Fields { skip: 9, ..Fields::default() }, "a.csv", "text\na\n", "", "a.csv: line 1: the input is empty");
    check_with(&Fields { skip: 1, ..Fields::default() }, "a.txt", "a\nb\n", "b", "");
    check_with(&column("text"), "a.txt", "a\nb\n", "", "a.txt: it is read as plain lines, which have no columns");
}

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
    let torn = read(&[("a.txt.gz", whole[..whole.len() / 2].to_vec())], None, &Fields::default());
    assert!(torn.end.unwrap_err().starts_with("a.txt.gz: "));
    assert!((1..20_000).contains(&torn.records.len()) && torn.records[0] == "text number 0");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xFF;
    damaged.truncate(whole.len());
    assert!(read(&[("a.txt.gz", damaged)], None, &Fields::default()).end.is_err());
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
        let told = read(&[("a.jsonl", line.as_bytes().to_vec())], Some(Format::Batch), &Fields::default());
        (told.records.join("|"), told.messages.into_iter().next().unwrap_or_default())
    };
    let good = r#"{"custom_id":"1","method":"POST","url":"/v1/moderations","body":{"input":"a"}}"#;
    assert_eq!(batch(good), ("a".into(), String::new()));
    for (line, code, said) in [
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
        assert!(message.starts_with(said), "{message}");
    }
}

#[test]
fn several_inputs_are_read_one_after_another_and_a_wrong_one_is_known_at_once() {
    let told = read(
        &[
            ("a.jsonl", b"{\"text\":\"a\"}\n-\n".to_vec()),
            ("b.csv", b"text\nb\n\"c".to_vec()),
            ("c.txt", b"d".to_vec()),
        ],
        None,
        &Fields::default(),
    );
    assert_eq!(told.records.join("|"), "a|<not-json>|b|<unclosed-quote>|d");
    assert!(told.messages[0].starts_with("a.jsonl: line 2: ") && told.messages[1].starts_with("b.csv: line 3: "));
    let told =
        read(&[("a.jsonl", b"{\"text\":\"a\"}\n".to_vec()), ("b.csv", b"id\n1\n".to_vec())], None, &Fields::default());
    assert_eq!(told.records.len(), 0);
    assert!(told.end.unwrap_err().starts_with("b.csv: line 1: the column `text` is missing"));
    let absent = Source::new(vec![Input::file(Path::new("absent.csv").into())], None, Fields::default());
    assert!(absent.err().unwrap().to_string().starts_with("absent.csv: it cannot be read: "));
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("a.txt");
    std::fs::write(&here, "a\n").unwrap();
    for (other, said) in [("typo.csv", "it cannot be read"), ("", "it is a folder")] {
        let inputs = vec![Input::file(here.clone()), Input::file(folder.path().join(other))];
        let error = Source::new(inputs, None, Fields::default()).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_input_in_utf16_is_refused_whole(
        text in "[ -~é\n]{4,200}", name in prop::sample::select(vec!["a.csv", "a.jsonl", "a.txt", "a"]),
        marked in any::<bool>(), big in any::<bool>(),
    ) {
        let units = marked.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
        let bytes = units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect();
        let told = read(&[(name, bytes)], None, &Fields::default());
        prop_assert!(told.records.is_empty());
        let said = format!("{name}: the text is UTF-16");
        prop_assert!(told.end.unwrap_err().starts_with(&said));
    }
}

#[cfg(feature = "parquet")]
mod parquet_files {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// Three rows: one of them null, one with bytes that are no text.
    fn file() -> Vec<u8> {
        let schema =
            "message rows { required int64 id; optional binary text (utf8); optional binary raw; required double n; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let texts = |texts: &[&[u8]]| texts.iter().map(|text| ByteArray::from(text.to_vec())).collect::<Vec<_>>();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 2, 3], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts(&[b"a", b"c"]), Some(&[1, 0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts(&[b"x", b"\xFF", b"z"]), Some(&[1, 1, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[0.5, 1.0, 1e300], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn parquet_is_read_by_name_or_number_whatever_the_file_is_called() {
        check("a.parquet", file(), "a|<wrong-type>|c", "a.parquet: row 2: the column `text` is null");
        check("a.data", file(), "a|<wrong-type>|c", "a.data: row 2: the column `text` is null");
        check_with(
            &column("3"),
            "a.parquet",
            file(),
            "x|<not-utf8>|z",
            "a.parquet: row 2: the column `raw` is not UTF-8",
        );
        check_with(
            &column("n"),
            "a.parquet",
            file(),
            "<wrong-type>|<wrong-type>|<wrong-type>",
            "a.parquet: row 1: the column `n` is no text",
        );
        let template = Fields { text: Text::Template("{text} {n}".parse().unwrap()), ..Fields::default() };
        check_with(&template, "a.parquet", file(), "a 0.5| 1.0|c 1e+300", "");
    }

    #[test]
    fn a_parquet_file_that_is_none_or_not_whole_is_an_error_with_its_name() {
        check_with(
            &column("body"),
            "a.parquet",
            file(),
            "",
            "a.parquet: it cannot be read: the column `body` is missing; found: 1 `id`",
        );
        check("a.parquet", "text\na\n", "", "a.parquet: it cannot be read: it is no whole Parquet file");
        check("a.parquet", "", "", "a.parquet: it cannot be read: it is no whole Parquet file");
        let whole = file();
        check("a.parquet", &whole[..whole.len() - 10], "", "a.parquet: it cannot be read: it is no whole Parquet file");
        let mut damaged = whole.clone();
        damaged[4..40].fill(0xFF);
        let told = read(&[("a.parquet", damaged)], None, &Fields::default());
        assert!(told.end.unwrap_err().starts_with("a.parquet: it is no whole Parquet file"));
        check_with(
            &Fields { skip: 1, ..Fields::default() },
            "a.parquet",
            whole,
            "",
            "a.parquet: Parquet has no header",
        );
    }

    /// A file of this schema, packed so.
    fn written(schema: &str, packing: Compression, write: impl FnOnce(&mut SerializedFileWriter<Vec<u8>>)) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(packing).build();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        write(&mut writer);
        writer.into_inner().unwrap()
    }

    /// Writes a row group of columns, each by a function.
    fn group(writer: &mut SerializedFileWriter<Vec<u8>>, columns: &[&dyn Fn(&mut SerializedColumnWriter<'_>)]) {
        let mut group = writer.next_row_group().unwrap();
        for write in columns {
            let mut column = group.next_column().unwrap().unwrap();
            write(&mut column);
            column.close().unwrap();
        }
        group.close().unwrap();
    }

    fn texts(texts: &'static [&str]) -> impl Fn(&mut SerializedColumnWriter<'_>) {
        let texts: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
        move |column| {
            column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        }
    }

    fn integers(values: &'static [i64]) -> impl Fn(&mut SerializedColumnWriter<'_>) {
        move |column| {
            column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
        }
    }

    /// The columns of each record but the text, as JSON.
    fn columns(bytes: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        std::fs::write(&path, bytes).unwrap();
        let source = Source::new(vec![Input::file(path)], None, Fields::default()).unwrap();
        source
            .map(|placed| {
                let record = placed.unwrap().record;
                assert!(record.content.is_ok(), "{record:?}");
                serde_json::to_string(&record.columns).unwrap()
            })
            .collect()
    }

    #[test]
    fn every_packing_that_programs_offer_is_read() {
        use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};
        for packing in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            let file = written("message rows { required binary text (utf8); }", packing, |writer| {
                group(writer, &[&texts(&["a", "b"])]);
            });
            check("a.parquet", file, "a|b", "");
        }
    }

    #[test]
    fn moments_beyond_the_calendar_have_a_date_all_the_same() {
        let schema = "message rows { required binary text (utf8); required int64 t (timestamp_micros); required int64 s \
                      (timestamp_millis); required int32 d (date); }";
        let file = written(schema, Compression::SNAPPY, |writer| {
            let days = |column: &mut SerializedColumnWriter<'_>| {
                column.typed::<Int32Type>().write_batch(&[0, i32::MAX], None, None).unwrap();
            };
            group(writer, &[&texts(&["a", "b"]), &integers(&[0, i64::MAX]), &integers(&[1, i64::MIN]), &days]);
        });
        let columns = columns(&file);
        assert_eq!(
            columns[0],
            r#"{"text":"a","t":"1970-01-01 00:00:00.000000 +00:00","s":"1970-01-01 00:00:00.001 +00:00","d":"1970-01-01"}"#
        );
        assert!(columns[1].contains("+294247-01-10 04:00:54.775807 +00:00"), "{columns:?}");
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        let schema = "message rows { required binary text (utf8); required int64 u (integer(64,false)); required int64 i; \
                      required int64 few (decimal(9,2)); required int64 many (decimal(18,2)); required double f; }";
        let file = written(schema, Compression::SNAPPY, |writer| {
            let doubles = |column: &mut SerializedColumnWriter<'_>| {
                column.typed::<DoubleType>().write_batch(&[f64::NAN, f64::NEG_INFINITY, 0.1], None, None).unwrap();
            };
            let few = integers(&[1_250, -5, 0]);
            let many = integers(&[123_456_789_012_345_678, -1, 0]);
            group(
                writer,
                &[
                    &texts(&["a", "b", "c"]),
                    &integers(&[-1, 0, 1]),
                    &integers(&[i64::MIN, 9_007_199_254_740_993, 1]),
                    &few,
                    &many,
                    &doubles,
                ],
            );
        });
        assert_eq!(
            columns(&file),
            [
                r#"{"text":"a","u":18446744073709551615,"i":-9223372036854775808,"few":12.50,"many":"1234567890123456.78","f":"NaN"}"#,
                r#"{"text":"b","u":0,"i":9007199254740993,"few":-0.05,"many":"-0.01","f":"-inf"}"#,
                r#"{"text":"c","u":1,"i":1,"few":0.00,"many":"0.00","f":0.1}"#,
            ]
        );
    }

    #[test]
    fn a_parquet_file_has_no_lines_that_could_be_printed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.parquet"), file()).unwrap();
        let inputs = vec![Input::file(folder.path().join("a.parquet"))];
        let mut source = Source::new(inputs, None, Fields::default()).unwrap();
        assert_eq!(source.table_columns(), Some(vec!["text", "raw", "n"]));
        assert!(source.require_alike().unwrap_err().ends_with("a.parquet: Parquet has no lines that could be printed"));
    }

    #[test]
    fn two_columns_of_one_name_are_refused() {
        let file = written(
            "message rows { required binary text (utf8); required binary text (utf8); }",
            Compression::SNAPPY,
            |writer| {
                group(writer, &[&texts(&["a"]), &texts(&["b"])]);
            },
        );
        check("a.parquet", file, "", "a.parquet: it cannot be read: columns of the same name: `text`; rename");
    }
}
