//! Generated streams: any bytes, damaged rows and tables.

use std::io::BufReader;

use magistrate::label::records::{InputFormat, RecordFields, Records};
use proptest::prelude::*;

use super::{FORMATS, columns, id, records, text_of};

/// Generates bytes that are easily cut at the wrong place.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["\n", "\r\n", "\r", "\"", "\"\"", ",", "\t", "\n\n", " ", "a", "{", "}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::sample::select(vec![
            &b"{\"text\":\"ok\"}\n"[..],
            b"{\"id\":1,\"text\":\"\\ud800\"}\n",
            b"ok,1\n",
            b"\"o\nk\",1\n",
            b"\xEF\xBB\xBF",
            b"\0",
            b"\xE9",
            b"\xFF\xFE",
        ])
        .prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Removes lines from the front that are not records.
fn skip_blank(format: InputFormat, mut input: &[u8]) -> &[u8] {
    while !input.is_empty() {
        let end = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |at| at + 1);
        let blank = match format {
            InputFormat::Jsonl | InputFormat::Lines => input[..end].iter().all(u8::is_ascii_whitespace),
            _ => matches!(&input[..end], b"\n" | b"\r\n"),
        };
        if !blank {
            break;
        }
        input = &input[end..];
    }
    input
}

/// A record as it is written, with the expected result.
#[derive(Clone, Debug)]
enum Row {
    Good(String),
    Damaged(Vec<u8>),
}

fn good() -> impl Strategy<Value = Row> {
    any::<String>()
        .prop_filter("nothing to judge", |text| !text.trim().is_empty() && !text.contains('\0'))
        .prop_map(Row::Good)
}

/// Generates a row of JSONL or CSV with damage that ends with its line.
fn damaged(json: bool) -> impl Strategy<Value = Row> {
    let rows: Vec<&[u8]> = if json {
        vec![b"{\"id\":0,\"text\":\"", b"\xFF\xFE{\0", b"[]", b"\"", b"{\"text\":\"\\udfff\"}", b"}", b"x,y", b"\0"]
    } else {
        vec![b"1", b"1,2,3", b"a\"b\"", b"\"\",", b"1,\xE9", b"\0,\0", b"1,\"a\"b\",\"c\"", b"1,"]
    };
    prop::sample::select(rows).prop_map(|row| Row::Damaged(row.to_vec()))
}

fn rows(json: bool) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(prop_oneof![good(), damaged(json)], 0..20)
}

fn check(format: InputFormat, rows: &[Row], input: &[u8]) {
    let records = records(format, input);
    assert_eq!(records.len(), rows.len());
    for (number, (record, row)) in records.iter().zip(rows).enumerate() {
        match row {
            Row::Good(text) => {
                assert_eq!(text_of(record), Ok(text.as_str()));
                assert_eq!(id(record).unwrap().trim_matches('"'), number.to_string());
            }
            Row::Damaged(_) => assert!(record.content.is_err()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_byte_comes_out_once_and_in_order(input in hostile(), buffer in 1..20_usize) {
        for format in FORMATS {
            let (mut rest, mut input) = (&input[..], input.clone());
            if matches!(format, InputFormat::Csv | InputFormat::Tsv) {
                input = [b"text\n", rest].concat();
                rest = &input;
            }
            rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
            let whole = rest;
            let mut stream = Records::new(BufReader::with_capacity(buffer, &input[..]), format, RecordFields::default()).unwrap();
            rest = &rest[stream.header().map_or(0, <[u8]>::len)..];
            for record in stream.by_ref() {
                let record = record.unwrap();
                rest = skip_blank(format, rest);
                prop_assert!(rest.starts_with(&record.raw) && !record.raw.is_empty());
                let before = &whole[..whole.len() - rest.len()];
                prop_assert_eq!(record.number, before.split(|byte| *byte == b'\n').count() as u64);
                rest = &rest[record.raw.len()..];
                if let Err(defect) = &record.content {
                    let place = format!("line {}: ", record.number);
                    prop_assert!(defect.message.starts_with(&place));
                }
            }
            prop_assert!(skip_blank(format, rest).is_empty());
        }
    }

    #[test]
    fn a_damaged_line_of_jsonl_harms_no_other(rows in rows(true)) {
        let mut input = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            match row {
                Row::Good(text) => input.extend(serde_json::json!({"id": number, "text": text}).to_string().bytes()),
                Row::Damaged(bytes) => input.extend(bytes),
            }
            input.push(b'\n');
        }
        check(InputFormat::Jsonl, &rows, &input);
    }

    #[test]
    fn a_damaged_record_of_csv_harms_no_other(rows in rows(false)) {
        let mut input = b"id,text\r\n".to_vec();
        for (number, row) in rows.iter().enumerate() {
            match row {
                Row::Good(text) => input.extend(format!("{number},\"{}\"", text.replace('"', "\"\"")).bytes()),
                Row::Damaged(bytes) => input.extend(bytes),
            }
            input.extend(b"\r\n");
        }
        check(InputFormat::Csv, &rows, &input);
    }

    #[test]
    fn what_is_judged_stands_in_the_records_own_bytes(input in hostile()) {
        for format in [InputFormat::Csv, InputFormat::Tsv] {
            let separator = if format == InputFormat::Csv { "," } else { "\t" };
            let input = [b"text\n", &input[..]].concat();
            let mut lines = 0;
            for record in records(format, &input) {
                let raw = &record.raw[..];
                lines += raw.split_inclusive(|byte| *byte == b'\n').count();
                let Ok(text) = text_of(&record) else { continue };
                let bare = raw.strip_suffix(b"\n").map_or(raw, |raw| raw.strip_suffix(b"\r").unwrap_or(raw));
                let plain = !text.starts_with('"') && !text.contains(['\n']) && !text.contains(separator);
                let quoted = format!("\"{}\"", text.replace('"', "\"\""));
                prop_assert!((plain && bare == text.as_bytes()) || bare == quoted.as_bytes(), "{:?} of {:?}", text, bare);
            }
            let blank = |line: &&[u8]| !matches!(*line, b"\n" | b"\r\n");
            let all = input.split_inclusive(|byte| *byte == b'\n').skip(1);
            prop_assert!(lines >= all.filter(blank).count(), "a line was lost");
        }
    }

    #[test]
    fn a_table_that_was_written_well_is_read_as_it_was_written(table in table()) {
        let read = records(table.format, &table.bytes());
        prop_assert_eq!(read.len(), table.rows.len());
        for (record, row) in read.iter().zip(&table.rows) {
            let [id, text, note] = row;
            let expect = serde_json::json!({"text": text, "note": note}).to_string();
            let id = serde_json::json!(id).to_string();
            prop_assert_eq!((columns(record), self::id(record)), (expect, Some(id.as_str())));
            match text_of(record) {
                Ok(judged) => prop_assert_eq!(judged, text),
                Err(code) => prop_assert!(code == "empty" && text.trim().is_empty()),
            }
        }
    }

    #[test]
    fn a_table_in_another_encoding_loses_no_row_and_gains_no_text(table in table()) {
        let rows: Vec<[String; 3]> = table.rows.iter().map(|row| row.each_ref().map(|cell| cell.replace(|character: char| !character.is_ascii(), "é"))).collect();
        let table = Table { rows, mark: false, ..table };
        let text = String::from_utf8(table.bytes()).unwrap();
        // In Windows-1252: a byte for each character.
        let bytes: Vec<u8> = text.chars().map(|character| if character == 'é' { 0xE9 } else { character as u8 }).collect();
        let read = records(table.format, &bytes);
        prop_assert_eq!(read.len(), table.rows.len());
        for (record, row) in read.iter().zip(&table.rows) {
            let expect = match row {
                row if row.concat().contains('é') => Err("not-utf8"),
                [_, text, _] if text.trim().is_empty() => Err("empty"),
                [_, text, _] => Ok(text.as_str()),
            };
            prop_assert_eq!(text_of(record), expect);
        }
    }

    #[test]
    fn lines_and_objects_that_were_written_well_are_read_as_they_were_written(
        texts in prop::collection::vec(cell(), 0..20), ascii in any::<bool>(), end in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let escape = |character: char| {
            let escaped = || character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
            if character.is_ascii() { character.to_string() } else { escaped() }
        };
        let lines: String = texts.iter().map(|text| {
            let json = serde_json::json!({"text": text}).to_string();
            let json = if ascii { json.chars().map(escape).collect() } else { json };
            json + end
        }).collect();
        let read = records(InputFormat::Jsonl, lines.as_bytes());
        prop_assert_eq!(read.len(), texts.len());
        for (record, text) in read.iter().zip(&texts) {
            prop_assert!(text_of(record) == Ok(text.as_str()) || (text_of(record) == Err("empty") && text.trim().is_empty()));
        }

        let plain: Vec<String> = texts.iter().map(|text| text.replace(['\n', '\r'], " ")).collect();
        let plain: Vec<String> =
            plain.into_iter().filter(|text| !text.bytes().all(|byte| byte.is_ascii_whitespace())).collect();
        // With a byte order mark, so that a text which begins with one keeps it.
        let lines: String = plain.iter().map(|text| text.clone() + end).collect();
        let read = records(InputFormat::Lines, format!("\u{FEFF}{lines}").as_bytes());
        prop_assert_eq!(read.len(), plain.len());
        for (record, text) in read.iter().zip(&plain) {
            prop_assert!(text_of(record) == Ok(text.as_str()) || (text_of(record) == Err("empty") && text.trim().is_empty()));
        }
    }
}

/// A table as programs write it by RFC 4180, such as Python's `csv.writer`.
#[derive(Clone, Debug)]
struct Table {
    format: InputFormat,
    rows: Vec<[String; 3]>,
    /// Every field is quoted, even where no quotes are needed.
    all_quoted: bool,
    end: &'static str,
    /// The last record ends in a newline.
    ended: bool,
    mark: bool,
}

impl Table {
    fn bytes(&self) -> Vec<u8> {
        let separator = if self.format == InputFormat::Tsv { "\t" } else { "," };
        let field = |field: &str| {
            let special = field.is_empty() || field.contains(['"', '\r', '\n']) || field.contains(separator);
            if special || self.all_quoted { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
        };
        let header = ["id", "text", "note"].map(str::to_owned);
        let lines = [&header].into_iter().chain(&self.rows);
        let lines: Vec<String> = lines.map(|row| row.each_ref().map(|value| field(value)).join(separator)).collect();
        let mark = if self.mark { "\u{FEFF}" } else { "" };
        let last = if self.ended { self.end } else { "" };
        format!("{mark}{}{last}", lines.join(self.end)).into_bytes()
    }
}

fn table() -> impl Strategy<Value = Table> {
    let formats = prop::sample::select(vec![InputFormat::Csv, InputFormat::Tsv]);
    let ends = prop::sample::select(vec!["\n", "\r\n"]);
    let rows = prop::collection::vec([cell(), cell(), cell()], 0..12);
    (formats, rows, any::<bool>(), ends, any::<bool>(), any::<bool>())
        .prop_map(|(format, rows, all_quoted, end, ended, mark)| Table { format, rows, all_quoted, end, ended, mark })
}

/// Generates a text with characters that have a meaning in tables.
fn cell() -> impl Strategy<Value = String> {
    let pieces = vec![
        "\"", "\"\"", ",", ";", "\t", "\n", "\r\n", "\r", "a", " ", "é", "日本", "\u{2028}", "{", "=1", "\u{FEFF}",
    ];
    prop_oneof![
        prop::collection::vec(prop::sample::select(pieces), 0..8).prop_map(|pieces| pieces.concat()),
        any::<String>().prop_map(|text| text.replace('\0', " ")),
    ]
}
