//! Streams of records: no record is lost, and a damaged one harms no other.

mod generated;

use std::io::{self, BufReader, Read};

use magistrate::label::records::{Defect, InputFormat, LARGEST, Record, RecordFields, Records, RecordsError, Text};

const FORMATS: [InputFormat; 4] = [InputFormat::Jsonl, InputFormat::Csv, InputFormat::Tsv, InputFormat::Lines];

fn records(format: InputFormat, input: &[u8]) -> Vec<Record> {
    let records = Records::new(input, format, RecordFields::default()).unwrap();
    records.map(Result::unwrap).collect()
}

fn only(format: InputFormat, input: &str) -> Record {
    let mut records = records(format, input.as_bytes());
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// Returns the message of a defect, with its hint.
fn in_words(defect: &Defect) -> String {
    defect.hint.iter().fold(defect.message.clone(), |text, hint| format!("{text}; {hint}"))
}

fn refused(format: InputFormat, input: &[u8], wanted: RecordFields) -> (&'static str, String) {
    match Records::new(input, format, wanted) {
        Err(RecordsError::Header(defect)) => (defect.code, in_words(&defect)),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("should have been refused"),
    }
}

/// Returns the text, or the code of the defect.
fn text_of(record: &Record) -> Result<&str, &'static str> {
    record.content.as_ref().map(magistrate::content::Content::text).map_err(|defect| defect.code)
}

fn columns(record: &Record) -> String {
    serde_json::to_string(&record.columns).unwrap()
}

fn id(record: &Record) -> Option<&str> {
    record.id.as_ref().map(|id| id.get())
}

fn named(text: &str, id: &str) -> RecordFields {
    RecordFields { text: Text::Column(text.into()), id: Some(id.into()), ..RecordFields::default() }
}

#[test]
fn a_json_object_keeps_every_byte_of_its_values() {
    let line = r#" {"id": 12345678901234567890123, "text": "a\u00e9", "n": 1.50e+0, "n": [1, 2], "half": "\ud800"} "#;
    let record = only(InputFormat::Jsonl, line);
    assert_eq!(text_of(&record), Ok("aé"));
    assert_eq!(id(&record), Some("12345678901234567890123"));
    assert_eq!(columns(&record), r#"{"text":"a\u00e9","n":1.50e+0,"n":[1, 2],"half":"\ud800"}"#);
}

#[test]
fn an_id_is_a_string_or_a_number_and_stands_once() {
    for (value, expect, left) in [
        ("\"a\"", Some("\"a\""), ""),
        ("-1e9", Some("-1e9"), ""),
        ("null", None, ""),
        ("true", None, r#","id":true"#),
        (r#"{"a":1}"#, None, r#","id":{"a":1}"#),
    ] {
        let record = only(InputFormat::Jsonl, &format!(r#"{{"text":"t","id":{value}}}"#));
        assert_eq!(id(&record), expect);
        assert_eq!(columns(&record), format!(r#"{{"text":"t"{left}}}"#));
    }
    let input = &br#"{"body":"t","key":7,"id":8}"#[..];
    let record = Records::new(input, InputFormat::Jsonl, named("body", "key")).unwrap().next().unwrap().unwrap();
    assert_eq!((text_of(&record), id(&record)), (Ok("t"), Some("7")));
    assert_eq!(columns(&record), r#"{"body":"t","key":7,"id":8}"#);
}

#[test]
fn each_defect_of_a_json_line_has_its_code_and_shows_no_content() {
    for (line, code, message) in [
        (r#"{"text":" \n"}"#, "empty", "the text is empty, or nothing but white space"),
        (r#"{"text":"SECRET\u0000"}"#, "nul", "a NUL byte, which no text holds: is this a binary file, or UTF-16? con"),
        ("SECRET\0", "nul", "a NUL byte"),
        (r#"{"text":"SECRET \udc00"}"#, "not-utf8", "the column `text` holds half of a surrogate pair"),
        (r#"{"text":"SECRET"#, "not-json", "JSON that stops short after byte 15; each record must be a whole JSON"),
        ("SECRET", "not-json", "not JSON at byte 1; each record must be a JSON object"),
        (r#"{"text":"SECRET"} {}"#, "not-json", "not JSON at byte 19"),
        (r#"{"text": SECRET}"#, "not-json", "not JSON at byte 10"),
        (r#"{"\ud800 SECRET": 1}"#, "not-json", "not JSON at byte"),
        (r#""SECRET""#, "not-an-object", "a string, where each record must be a JSON object"),
        (r#" [{"text":"SECRET"}]"#, "not-an-object", "an array, where"),
        ("3", "not-an-object", "a number, where"),
        (
            r#"{"a":1,"two words":2}"#,
            "missing-text",
            "the record has no column \"text\". Columns: \"a\", \"two words\"; `RecordFields::text`",
        ),
        ("{}", "missing-text", "the record has no column \"text\", and no other; `RecordFields::text`"),
        (r#"{"text":null}"#, "wrong-type", "the column `text` is null and not a string"),
        (r#"{"text":["SECRET"]}"#, "wrong-type", "the column `text` is an array and"),
        (r#"{"text":1}"#, "wrong-type", "the column `text` is a number"),
        (r#"{"text":false}"#, "wrong-type", "the column `text` is a boolean"),
        (r#"{"text":{}}"#, "wrong-type", "the column `text` is an object"),
        (r#"{"text":"SECRET","text":"a"}"#, "duplicate-text", "the column `text` occurs twice; keep only one"),
    ] {
        let records = records(InputFormat::Jsonl, format!("\n{line}\n{{\"text\":\"next\"}}").as_bytes());
        let defect = records[0].content.as_ref().unwrap_err();
        assert_eq!((defect.code, records[0].number), (code, 2), "{line}");
        assert!(in_words(defect).starts_with(&format!("line 2: {message}")), "{}", in_words(defect));
        assert!(!format!("{:?} {defect}", records[0]).contains("SECRET"));
        assert_eq!(text_of(&records[1]), Ok("next"));
    }
}

#[test]
fn a_defective_text_leaves_the_other_columns() {
    let record = only(InputFormat::Jsonl, r#"{"id":1,"text":null,"lang":"de"}"#);
    assert_eq!((id(&record), columns(&record)), (Some("1"), r#"{"text":null,"lang":"de"}"#.into()));
    let records = records(InputFormat::Csv, b"id,text,name\n1,caf\xE9,a\n2,ok,b\n");
    assert_eq!(text_of(&records[0]), Err("not-utf8"));
    assert_eq!((id(&records[0]), columns(&records[0])), (Some("\"1\""), r#"{"name":"a"}"#.into()));
    assert_eq!(text_of(&records[1]), Ok("ok"));
}

#[test]
fn deep_and_wide_json_is_no_danger() {
    let deep = format!(r#"{{"text":"t","deep":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(text_of(&only(InputFormat::Jsonl, &deep)), Ok("t"));
    let wide = format!(r#"{{"text":"t"{}}}"#, r#","":1"#.repeat(100_000));
    assert_eq!(text_of(&only(InputFormat::Jsonl, &wide)), Err("too-large"));
}

#[test]
fn plain_lines_are_texts_and_blank_ones_are_skipped() {
    let records = records(InputFormat::Lines, "\u{FEFF}one\r\n\n \n\"two\", {\nthr\u{FFFD}ée".as_bytes());
    let texts: Vec<_> = records.iter().map(text_of).collect();
    assert_eq!(texts, [Ok("one"), Ok("\"two\", {"), Ok("thr\u{FFFD}ée")]);
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 4, 5]);
    assert_eq!((columns(&records[0]), records[0].raw.as_slice()), (r#"{"text":"one"}"#.into(), &b"one\r\n"[..]));
    let damaged = self::records(InputFormat::Lines, b"a\xFFb\nnext");
    assert_eq!((text_of(&damaged[0]), columns(&damaged[0])), (Err("not-utf8"), "{}".into()));
    assert_eq!(text_of(&damaged[1]), Ok("next"));
}

#[test]
fn quoted_fields_hold_newlines_and_records_know_their_lines() {
    let input = "\u{FEFF}id,text,\r\n\r\n7,\"a\r\n\"\"b\"\", c\",x\r\n\n8,d,\"\"";
    let mut stream = Records::new(input.as_bytes(), InputFormat::Csv, RecordFields::default()).unwrap();
    assert_eq!(stream.header(), Some(&b"id,text,\r\n"[..]));
    let first = stream.next().unwrap().unwrap();
    assert_eq!((first.number, text_of(&first), id(&first)), (3, Ok("a\r\n\"b\", c"), Some("\"7\"")));
    assert_eq!(columns(&first), r#"{"text":"a\r\n\"b\", c","column_3":"x"}"#);
    let second = stream.next().unwrap().unwrap();
    assert_eq!((second.number, second.raw.as_slice()), (6, &b"8,d,\"\""[..]));
    assert_eq!(columns(&second), r#"{"text":"d","column_3":""}"#);
    assert!(stream.next().is_none());
}

#[test]
fn a_record_with_another_number_of_fields_is_a_defect_with_both_counts() {
    let records = records(InputFormat::Tsv, b"text\tlabel\nSECRET\none\t1\na\tb\tc\n");
    assert_eq!(records.iter().map(text_of).collect::<Vec<_>>(), [Err("fields"), Ok("one"), Err("fields")]);
    let message = records[2].content.as_ref().unwrap_err().to_string();
    assert!(message.starts_with("line 4: 3 fields, where the header has 2; "), "{message}");
    assert_eq!(columns(&records[2]), "{}");
}

#[test]
fn a_quote_that_is_never_closed_says_where_it_opens() {
    for (input, opens, last) in [
        ("text,b\nok,1\n\"x\ny\",\"SECRET\n\na,b\n", 4, 6),
        ("text,b\nok,1\n\"x\ny\",\"SECRET\n\na,b", 4, 6),
        ("text,b\nok,1\na,\"", 3, 3),
        ("text,b\nok,1\na,\"\n", 3, 3),
    ] {
        let records = records(InputFormat::Csv, input.as_bytes());
        assert_eq!(records.iter().map(text_of).collect::<Vec<_>>(), [Ok("ok"), Err("unclosed-quote")], "{input:?}");
        let message = records[1].content.as_ref().unwrap_err().to_string();
        let expect = format!("line 3: the quote that opens on line {opens} is never closed, so all lines up to {last}");
        assert!(message.starts_with(&expect), "{message}");
        assert!(input.as_bytes().ends_with(&records[1].raw));
    }
}

#[test]
fn a_header_must_have_what_is_wanted() {
    let refused = |input: &[u8]| refused(InputFormat::Csv, input, RecordFields::default());
    for (input, code, message) in [
        (&b""[..], "no-header", "line 1: the input is empty"),
        (b"\xEF\xBB\xBF\n\r\n", "no-header", "line 1: the input is empty"),
        (
            b"\nid,body,two words\n",
            "missing-text",
            "has no column \"text\". Columns: 1 \"id\", 2 \"body\", 3 \"two words\"; ",
        ),
        (b"text,a,a,b c,b c\n", "duplicate-columns", "line 1: duplicate columns: \"a\", \"b c\";"),
        (b"text,column_3,\n", "duplicate-columns", "line 1: duplicate columns: \"column_3\";"),
        (b"text,\xE9\n", "not-utf8", "line 1: the text is not valid UTF-8: byte 5 of 7"),
        (b"\xFF\xFEt\0e\0x\0t\0\n\0", "not-utf8", "line 1: the text is UTF-16"),
        (b"t\0ext\n", "nul", "line 1: a NUL byte"),
        (b"text,\"a\n", "unclosed-quote", "line 1: the quote that opens on line 1"),
        (b"text,a\r1,2\r", "carriage-return", "line 1: a carriage return without a newline"),
    ] {
        let (found, text) = refused(input);
        assert_eq!(found, code);
        assert!(text.starts_with(message), "{text}");
    }
    let (code, message) = self::refused(InputFormat::Csv, b"text,a\n", named("text", "key"));
    assert_eq!(code, "missing-id");
    assert_eq!(
        message,
        "has no column \"key\". Columns: 1 \"text\", 2 \"a\"; `RecordFields::id` = NAME chooses the column of the id"
    );
    assert_eq!(records(InputFormat::Csv, b"text\n").len(), 0);
    assert_eq!(records(InputFormat::Jsonl, b"\n \n\xEF\xBB\xBF").len(), 1);
    assert_eq!(records(InputFormat::Lines, b"\xEF\xBB\xBF").len(), 0);
}

#[test]
fn what_is_too_large_is_passed_over_up_to_the_next_line() {
    let large = vec![b'x'; LARGEST + 5];
    for (format, before, after) in [
        (InputFormat::Lines, "", "\nok"),
        (InputFormat::Jsonl, "", "\n{\"text\":\"ok\"}"),
        (InputFormat::Csv, "text,b\na,", "\nok,1"),
        (InputFormat::Csv, "text,b\na,\"q\n\"\"", ",\nok,1"),
    ] {
        let input = [before.as_bytes(), &large, after.as_bytes()].concat();
        let records = records(format, &input);
        assert_eq!(records.iter().map(text_of).collect::<Vec<_>>(), [Err("too-large"), Ok("ok")]);
        assert!(records[0].raw.is_empty());
        assert_eq!(records[1].number, 1 + input.split(|byte| *byte == b'\n').count() as u64 - 1);
    }
    // An open quote takes lines up to the limit, and no more.
    let lines = b"a,1\n".repeat(LARGEST / 4 + 100);
    let records = records(InputFormat::Csv, &[b"text,b\n\"", lines.as_slice()].concat());
    assert_eq!(text_of(&records[0]), Err("too-large"));
    assert_eq!(records.len(), 1 + 100);
    assert!(records[1..].iter().all(|record| text_of(record) == Ok("a")));
}

#[test]
fn lines_that_a_damaged_quote_has_joined_come_out_one_by_one() {
    let lines = 1_000_000;
    let input = [b"text\n\"".to_vec(), b"a\n".repeat(lines), b"\"b\nc\n".to_vec()].concat();
    let stream = Records::new(&input[..], InputFormat::Csv, RecordFields::default()).unwrap();
    let (mut damaged, mut end) = (0, 0);
    for (line, record) in (2..).zip(stream) {
        let record = record.unwrap();
        assert!(record.number == line && record.end > end);
        end = record.end;
        damaged += usize::from(text_of(&record) == Err("quote"));
    }
    assert_eq!((damaged, end), (lines + 1, input.len() as u64));
}

#[test]
fn an_error_of_reading_ends_the_stream() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    for format in FORMATS {
        let stream = BufReader::new(b"text\n{}\n".chain(Broken));
        let mut records = Records::new(stream, format, RecordFields::default()).unwrap();
        let errors = records.by_ref().take(9).filter(Result::is_err).count();
        assert_eq!(errors, 1);
        assert!(records.next().is_none());
    }
    let at_once = Records::new(BufReader::new(Broken), InputFormat::Csv, RecordFields::default());
    assert!(matches!(at_once, Err(RecordsError::Read(_))));
}
