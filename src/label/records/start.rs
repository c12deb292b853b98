//! The format of an input, guessed from its name and its first bytes.
//!
//! Structured data is never read as plain lines in silence. A file of other data is refused whole, and so is one document
//! without records. A note reports that plain lines are read for lack of a better guess.

use std::path::Path;

use super::dialect::{evident_table, in_words, is_regular};
use super::document::Document;
use super::format::{BYTE_ORDER_MARK, InputFormat};
use super::names::quoted;
use super::notice::Notice;
use super::record_fields::RecordFields;
use crate::content::is_utf16;
use crate::file_kind::{FileKind, is_data};
use crate::hint::{Hint, Setting};

/// The guessed format of an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub format: InputFormat,
    /// The separator of a table, if it was found, too.
    pub separator: Option<u8>,
    /// A note, if the format may surprise people.
    pub note: Option<Notice>,
}

/// Guesses the format from the file's name. If its ending is unknown, the input's beginning decides.
///
/// # Errors
///
/// A [`Notice`]: the input is one document of JSON, or its ending is unknown and it does not begin as JSON lines do.
pub(super) fn guess(start: &[u8], whole: bool, path: Option<&Path>, wanted: &RecordFields) -> Result<Guess, Notice> {
    let named = path.and_then(InputFormat::of_path);
    let ending = path.and_then(ending);
    if matches!(named, None | Some(InputFormat::Jsonl)) {
        match Document::of(start, ending.as_deref() == Some("json")) {
            Some(Document::Array) => return Ok(Guess { format: InputFormat::Json, separator: None, note: None }),
            Some(Document::Refused(notice)) => return Err(notice),
            None => {}
        }
    }
    let sniffed = InputFormat::sniff(start);
    let could_be_lines = sniffed == InputFormat::Lines && matches!(named, None | Some(InputFormat::Lines));
    if could_be_lines && wanted.separator.is_some() {
        return Ok(Guess { format: InputFormat::Csv, separator: None, note: None });
    }
    // A name that ends in `.txt` promises no table, and does not exclude one.
    if could_be_lines
        && (named.is_some() || ending.is_none())
        && let Some(separator) = evident_table(start, whole, wanted)
    {
        let note = Notice::about(format!("is read as CSV, separated by {}", in_words(separator)))
            .with_hint(Hint::of_value(Setting::Format, "lines").text(" reads each line as a text"));
        return Ok(Guess { format: InputFormat::Csv, separator: Some(separator), note: Some(note) });
    }
    match (named, sniffed, ending) {
        (Some(InputFormat::Lines), ..) | (None, InputFormat::Lines, None) => {
            let note = note_on_lines(start, whole, path.is_some() && named.is_none());
            Ok(Guess { format: InputFormat::Lines, separator: None, note })
        }
        (Some(format), ..) | (None, format @ InputFormat::Jsonl, _) => {
            Ok(Guess { format, separator: None, note: None })
        }
        (None, _, ending) => Err(unknown(&ending.unwrap_or_default())),
    }
}

/// Returns the note on plain lines that may be something else. `unnamed`: a file whose name does not show its format.
fn note_on_lines(start: &[u8], whole: bool, unnamed: bool) -> Option<Notice> {
    let lines = "each line is read as a text";
    let table = || Hint::of_value(Setting::TextColumn, "NAME").text(" reads a table, and ");
    let format = |hint: Hint| hint.setting(Setting::Format).text(" chooses another format");
    if is_regular(start, whole) {
        return Some(Notice::new(format!("it looks like a table, and {lines}")).with_hint(format(table())));
    }
    if looks_structured(start) {
        let note = format!("its first line looks like a header or markup, and {lines}");
        return Some(Notice::new(note).with_hint(format(table())));
    }
    (unnamed && !start.is_empty()).then(|| Notice::new(lines).with_hint(format(Hint::new(""))))
}

/// Recognizes data that cannot be the beginning of a text.
pub(in crate::label) fn not_a_text(start: &[u8]) -> Option<Notice> {
    let refused = |name: &str, hint: Hint| Some(Notice::new(format!("it is {name}, and no text")).with_hint(hint));
    if let Some(kind) = FileKind::of(start) {
        return match kind.name {
            _ if kind.is_workbook() => refused(
                kind.name,
                Hint::new("name the file itself: a workbook is read from its end, which a pipe has not"),
            ),
            _ if start.starts_with(b"GGUF") => {
                refused(kind.name, Hint::of(Setting::Model).text(" takes the model; the texts are another file"))
            }
            // The first packing has been unpacked by now.
            "packed by gzip" | "packed by zstd" => refused("packed twice", kind.remedy.into()),
            name => refused(name, kind.remedy.into()),
        };
    }
    if is_utf16(start) {
        return None;
    }
    is_data(start).then(|| refused("binary data", "export it as CSV or JSON lines in UTF-8".into())).flatten()
}

/// Returns the ending of a file's name, without that of its packing.
fn ending(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "gz" | "zst" => self::ending(Path::new(path.file_stem()?)),
        _ => Some(ending),
    }
}

fn unknown(ending: &str) -> Notice {
    let ending = quoted(&format!(".{ending}"));
    let hint = match ending.trim_matches('`') {
        ".md" | ".yaml" | ".yml" => Hint::new("a policy is named with ")
            .setting(Setting::Policy)
            .text(", each with a ")
            .setting(Setting::Policy)
            .text(" of its own; "),
        ".json" => Hint::new("each line must be an object, such as {\"text\": \"…\"}; "),
        _ => Hint::new(""),
    };
    let formats = " reads each line as a text; csv, tsv, jsonl and parquet are formats, too";
    Notice::new(format!("the ending {ending} names no format"))
        .with_hint(hint.value(Setting::Format, "lines").text(formats))
}

/// Reports whether the first line looks like a header of CSV, or like markup.
fn looks_structured(start: &[u8]) -> bool {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let is_name = |field: &[u8]| {
        let field = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field);
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii();
        (1..=40).contains(&field.len()) && field.iter().all(plain)
    };
    let is_header = |separator: u8| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == separator).collect();
        fields.len() > 1 && fields.into_iter().all(is_name)
    };
    line.starts_with(b"<") || line.eq_ignore_ascii_case(b"text") || [b',', b';', b'\t', b'|'].into_iter().any(is_header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_is_no_text_is_refused_by_name() {
        let zeros = [0; 64];
        for (start, what) in [
            (&b"PK\x03\x04\x14\0"[..], "a ZIP archive"),
            (b"%PDF-1.7\n", "a PDF"),
            (b"PAR1\x15\x04", "Parquet"),
            (b"ARROW1\0\0", "an Arrow file"),
            (b"\xFF\xFF\xFF\xFFH\x02\0\0", "an Arrow stream"),
            (b"BZh91AY&SY\x01", "packed by bzip2"),
            (b"GGUF\x03\0\0\0", "a model"),
            (b"\x1F\x8B\x08", "packed twice"),
            (b"\xFF\xFE\0\0a\0\0\0", "UTF-32"),
            (&zeros, "binary data"),
        ] {
            let message = not_a_text(start).unwrap().message;
            assert!(message.contains(what), "{start:?}: {message}");
        }
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(not_a_text(&tar).unwrap().message.contains("tar archive"));
    }

    #[test]
    fn texts_that_begin_alike_are_texts() {
        for start in [
            "",
            "PAR1 is a format",
            "GGUF, what is that?",
            "BZh",
            "a\0b,1\n",
            "\u{1B}[1mbold\u{1B}[0m",
            "Über",
            "ARROW1",
            "h\0i\0\n\0",
        ] {
            assert_eq!(not_a_text(start.as_bytes()), None, "{start:?}");
        }
        assert_eq!(not_a_text("Хорошо, 日本語 ".repeat(80).as_bytes()), None);
        assert_eq!(not_a_text(&"\u{e9}caf\n".repeat(80).into_bytes()[1..]), None, "another encoding is text, too");
    }

    fn named(start: &str, name: &str) -> Result<InputFormat, Notice> {
        guess_of(start, Some(name)).map(|guess| guess.format)
    }

    fn guess_of(start: &str, name: Option<&str>) -> Result<Guess, Notice> {
        guess(start.as_bytes(), true, name.map(Path::new), &RecordFields::default())
    }

    #[test]
    fn a_document_of_json_is_known_by_its_beginning_and_other_formats_by_the_name() {
        for (start, name, format) in [
            ("[{\"text\":1}]", "a.json", InputFormat::Json),
            ("[\n{\"text\":1}", "a.jsonl", InputFormat::Json),
            ("[ {\"text\":1}", "a", InputFormat::Json),
            ("{\"text\":1}\n{\"text\":2}", "a.json", InputFormat::Jsonl),
            ("{\"tex", "a.json.gz", InputFormat::Jsonl),
            ("[1] a footnote", "a.txt", InputFormat::Lines),
            ("[\"a\"]\n{\"text\":1}", "a.jsonl", InputFormat::Jsonl),
            ("[", "a.jsonl", InputFormat::Jsonl),
            ("[{\"a\"", "a.csv", InputFormat::Csv),
        ] {
            assert_eq!(named(start, name), Ok(format), "{start} {name}");
        }
        assert_eq!(guess_of("[{\"text\":1}]", None).unwrap().format, InputFormat::Json);
        for start in ["[1, 2]", "{\n  \"text\": 1\n}"] {
            let notice = named(start, "a.json").unwrap_err();
            assert!(notice.message.contains("JSON") && notice.hint.is_some(), "{notice}");
        }
    }

    #[test]
    fn an_ending_that_means_nothing_is_refused() {
        for name in ["tests.csv.backup", "gold.yaml", "posts.xml", "two.md", "a.docx.gz", "a.json"] {
            let notice = named("id,text\n1,a\n", name).unwrap_err();
            let hint = notice.hint.unwrap().to_string();
            assert!(notice.message.contains("names no format") && hint.contains("= lines"), "{hint}");
        }
        assert!(named("a", "two.md").unwrap_err().hint.unwrap().to_string().contains("policy"));
        assert_eq!(named("{\"text\":1}", "posts.backup"), Ok(InputFormat::Jsonl));
        assert_eq!(named("a", "messages.log"), Ok(InputFormat::Lines));
    }

    #[test]
    fn a_note_reports_plain_lines_where_they_may_surprise() {
        let note = |start: &str, path: Option<&str>| guess_of(start, path).unwrap().note;
        assert!(note("a text\n", Some("texts")).is_some());
        assert_eq!(note("a text\n", Some("texts.txt")), None);
        assert!(note("Post ID\tPost\n1\ta\n", Some("texts.txt")).is_some());
        for start in ["id,body,label\n1,a,b", "\u{FEFF}id;Text", "\"id\"\t\"text\"\r\n", "<posts>", "text\na\n"] {
            assert!(note(start, None).is_some(), "{start}");
        }
        for start in ["", "hello", "Hello, world", "yes|no? maybe", "a, b"] {
            assert_eq!(note(start, None), None, "{start}");
        }
    }

    #[test]
    fn a_stream_whose_first_line_is_evidently_a_header_is_a_table() {
        for name in [None, Some("posts"), Some("posts.txt")] {
            let guess = guess_of("id\ttext\n1\ta\n", name).unwrap();
            assert_eq!((guess.format, guess.separator), (InputFormat::Csv, Some(b'\t')));
            assert!(guess.note.unwrap().of_input("x").message.starts_with("x is read as CSV, separated by tabs"));
        }
        assert_eq!(named("a, text\nand more, of it\n", "posts.txt"), Ok(InputFormat::Csv));
        assert_eq!(named("Dear all,\nthe text, as promised\n", "posts.txt"), Ok(InputFormat::Lines));
    }
}
