//! Parquet files as programs write them.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::*;

/// Returns three rows: one is null, and one has bytes that are not text.
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
    check_with(&column("3"), "a.parquet", file(), "x|<not-utf8>|z", "a.parquet: row 2: the column `raw` is not UTF-8");
    check_with(
        &column("n"),
        "a.parquet",
        file(),
        "<wrong-type>|<wrong-type>|<wrong-type>",
        "a.parquet: row 1: the column `n` is no text",
    );
    let template = RecordFields { text: Text::Template("{text} {n}".parse().unwrap()), ..RecordFields::default() };
    check_with(&template, "a.parquet", file(), "a 0.5| 1.0|c 1e+300", "");
}

#[test]
fn a_parquet_file_that_is_none_or_not_whole_is_an_error_with_its_name() {
    check_with(&column("body"), "a.parquet", file(), "", "a.parquet has no column \"body\". Columns: 1 \"id\"");
    check("a.parquet", "text\na\n", "", "a.parquet: it cannot be read: it is no whole Parquet file");
    check("a.parquet", "", "", "a.parquet: it cannot be read: it is no whole Parquet file");
    let whole = file();
    check("a.parquet", &whole[..whole.len() - 10], "", "a.parquet: it cannot be read: it is no whole Parquet file");
    let mut damaged = whole.clone();
    damaged[4..40].fill(0xFF);
    let found = read(&[("a.parquet", damaged)], None, &RecordFields::default());
    assert!(found.end.unwrap_err().starts_with("a.parquet: it is no whole Parquet file"));
    check_with(
        &RecordFields { skip: 1, ..RecordFields::default() },
        "a.parquet",
        whole,
        "",
        "a.parquet: Parquet has no header",
    );
}

/// Returns a file of this schema with this compression.
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

/// Returns the columns of each record except the text, as JSON.
fn columns(bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, bytes).unwrap();
    let source = Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap();
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
    let mut source = Source::new(inputs, None, RecordFields::default()).unwrap();
    assert_eq!(source.table_columns(), Some(vec!["id", "text", "raw", "n"]));
    assert!(
        source.require_alike().unwrap_err().message.ends_with("a.parquet: Parquet has no lines that could be printed")
    );
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
    check("a.parquet", file, "", "a.parquet: columns of the same name: \"text\"; rename");
}
