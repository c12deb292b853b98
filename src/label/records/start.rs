//! The first bytes of an input, and what they tell about all of it.
//!
//! The one idea: nothing structured is read as plain lines in silence. A file of other data is refused whole, and so is
//! one document in place of records. A note says where lines are read for lack of a better guess.

use std::path::Path;

use super::defect::quoted;
use super::format::{BYTE_ORDER_MARK, Format};
use crate::content::{NotText, is_utf16};

/// The format of an input, found where no flag names one.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::label) struct Begun {
    pub format: Format,
    /// A sentence for people, where the format may surprise them.
    pub note: Option<String>,
}

/// Finds the format by the file's name. If the name tells none, the input's beginning decides.
///
/// # Errors
///
/// A sentence. The input is one document of JSON, or its ending is unknown and it does not begin as JSON lines do.
pub(in crate::label) fn begun(start: &[u8], path: Option<&Path>) -> Result<Begun, String> {
    let told = path.and_then(Format::of_path);
    let ending = path.and_then(ending);
    if matches!(told, None | Some(Format::Jsonl))
        && let Some(what) = document(start, ending.as_deref() == Some("json"))
    {
        return Err(what.to_owned());
    }
    let begun = |format| Ok(Begun { format, note: None });
    match (told, Format::sniff(start), ending) {
        (Some(format), ..) | (None, format @ Format::Jsonl, _) => begun(format),
        (None, _, Some(ending)) => Err(unknown(&ending)),
        (None, format, None) => {
            let lines = "each line is read as a text; --format says otherwise";
            let note = match path {
                Some(_) if !start.is_empty() => Some(lines.to_owned()),
                None if looks_structured(start) => {
                    Some(format!("its first line looks like a header or markup, and {lines}"))
                }
                _ => None,
            };
            Ok(Begun { format, note })
        }
    }
}

/// Names data that cannot be the beginning of a text, with a remedy.
pub(in crate::label) fn no_text(start: &[u8]) -> Option<String> {
    let known = BINARY.iter().find(|(magic, ..)| start.starts_with(magic) && (!printable(magic) || is_binary(start)));
    if let Some((_, what, remedy)) = known {
        return Some(format!("it is {what}, and no text\nhint: {remedy}"));
    }
    if start.get(TAR_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return Some("it is a tar archive, and no text\nhint: unpack it, and name the files in it".to_owned());
    }
    if is_utf16(start) {
        return Some(NotText::Utf16.to_string());
    }
    // A text has hardly any control characters; other data has many.
    let (looked_at, few) = (&start[..start.len().min(1 << 10)], 64);
    let odd = looked_at.iter().filter(|byte| is_control(**byte)).count();
    (looked_at.len() >= few && odd * 16 > looked_at.len())
        .then(|| "it is binary data, and no text\nhint: export it as CSV or JSON lines in UTF-8".to_owned())
}

/// Beginnings of files that hold no text.
const BINARY: [(&[u8], &str, &str); 24] = [
    (b"PK\x03\x04", "a ZIP archive, as Excel and Word write them (.xlsx, .docx)", "save it as \"CSV UTF-8\""),
    (b"PK\x05\x06", "an empty ZIP archive", "name another file"),
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old file of Excel or Word (.xls, .doc)", "save it as \"CSV UTF-8\""),
    (b"%PDF-", "a PDF file", "`pdftotext FILE.pdf` makes text of it"),
    (b"PAR1", "Parquet", "name the file itself: Parquet is read from its end, which a pipe has not"),
    (b"ARROW1", "an Arrow file", "write it as Parquet or JSON lines"),
    (b"\xFF\xFF\xFF\xFF", "an Arrow stream, as `datasets` keeps them", "dataset.to_json(\"FILE.jsonl\") writes lines"),
    (b"\xFD7zXZ\0", "packed by xz", "xz -dc FILE | magistrate …"),
    (b"BZh", "packed by bzip2", "bzip2 -dc FILE | magistrate …"),
    (b"\x04\x22\x4D\x18", "packed by lz4", "lz4 -dc FILE | magistrate …"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", "unpack it"),
    (b"Rar!\x1A\x07", "a RAR archive", "unpack it"),
    (b"\x1F\x9D", "packed by compress", "uncompress -c FILE | magistrate …"),
    // The first packing has been unpacked by now.
    (b"\x1F\x8B", "packed twice", "gzip -dc FILE | magistrate …"),
    (b"\x28\xB5\x2F\xFD", "packed twice", "zstd -dc FILE | magistrate …"),
    (b"GGUF", "a model (GGUF)", "-m names the model; the texts are another file"),
    (b"SQLite format 3\0", "an SQLite database", "sqlite3 -csv -header FILE 'select …' writes CSV"),
    (b"Obj\x01", "an Avro file", "write it as JSON lines"),
    (b"\x89PNG", "a picture", "only texts are judged"),
    (b"\xFF\xD8\xFF", "a picture", "only texts are judged"),
    (b"GIF8", "a picture", "only texts are judged"),
    (b"\x7FELF", "a program", "only texts are judged"),
    (b"\xFF\xFE\0\0", "UTF-32", "iconv -f UTF-32 -t UTF-8 FILE writes UTF-8"),
    (b"\0\0\xFE\xFF", "UTF-32", "iconv -f UTF-32 -t UTF-8 FILE writes UTF-8"),
];

/// The place of a tar archive's mark.
const TAR_AT: usize = 257;

/// Reports whether a text could begin in the same way.
fn printable(magic: &[u8]) -> bool {
    magic.iter().all(|byte| (b' '..=b'~').contains(byte)) && !magic.starts_with(b"%PDF-")
}

fn is_binary(start: &[u8]) -> bool {
    let looked_at = &start[..start.len().min(1 << 10)];
    looked_at.iter().any(|byte| is_control(*byte))
        || std::str::from_utf8(looked_at).is_err_and(|error| error.error_len().is_some())
}

/// Reports whether a byte is a control character. White space is not, nor is the escape that begins a colour.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)
}

/// Finds one document of JSON over several lines, or an array. `named` says that the file's name ends as JSON's.
fn document(start: &[u8], named: bool) -> Option<&'static str> {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let second = line.get(1..).unwrap_or_default().trim_ascii_start().first();
    let over = line.len() < text.len();
    match (text.first()?, second) {
        (b'[', Some(b'{') | None) if second.is_some() || over => {
            Some("it is one JSON array\nhint: `jq -c '.[]' FILE > FILE.jsonl` makes lines of it")
        }
        (b'[', _) if named => Some(
            "it is one JSON array, and not of objects\nhint: each line must be an object, such as {\"text\": \"…\"}",
        ),
        (b'{', None) if over => Some(
            "it is one JSON document over several lines\nhint: `jq -c . FILE > FILE.jsonl` writes each object on a line",
        ),
        _ => None,
    }
}

/// Returns the ending of a file's name, without that of its packing.
fn ending(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "gz" | "zst" => self::ending(Path::new(path.file_stem()?)),
        _ => Some(ending),
    }
}

fn unknown(ending: &str) -> String {
    let ending = quoted(&format!(".{ending}"));
    let hint = match ending.trim_matches('`') {
        ".md" | ".yaml" | ".yml" => "a policy is named with -p, each with a -p of its own; ",
        ".json" => "each line must be an object, such as {\"text\": \"…\"}; ",
        _ => "",
    };
    format!(
        "the ending {ending} does not tell how it is written\nhint: {hint}--format lines reads each line as a text; csv, tsv, jsonl and parquet are formats, too"
    )
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
    line.starts_with(b"<") || [b',', b';', b'\t', b'|'].into_iter().any(is_header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_refused_by_name() {
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
            (b"\xFF\xFEa\0", "UTF-16"),
            (b"\xFF\xFE\0\0a\0\0\0", "UTF-32"),
            (b"h\0i\0\n\0", "UTF-16"),
            (&zeros, "binary data"),
        ] {
            let told = no_text(start).unwrap_or_default();
            assert!(told.contains(what), "{start:?}: {told}");
        }
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(no_text(&tar).unwrap().contains("tar archive"));
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
        ] {
            assert_eq!(no_text(start.as_bytes()), None, "{start:?}");
        }
        assert_eq!(no_text("Хорошо, 日本語 ".repeat(80).as_bytes()), None);
        assert_eq!(
            no_text(&"\u{e9}caf\n".repeat(80).into_bytes()[1..]),
            None,
            "another encoding is told for each record"
        );
    }

    fn named(start: &str, name: &str) -> Result<Format, String> {
        begun(start.as_bytes(), Some(Path::new(name))).map(|begun| begun.format)
    }

    #[test]
    fn one_document_of_json_is_refused_whole() {
        for (start, name) in [
            ("[{\"text\":1}]", "a.json"),
            ("\u{FEFF}[\n  {", "a.json"),
            ("[1, 2]", "a.json"),
            ("[\n{\"text\":1}", "a.jsonl"),
            ("[ {\"text\":1}", "a"),
            ("{\n  \"text\": 1\n}", "a.json"),
        ] {
            let told = named(start, name).unwrap_err();
            assert!(told.contains("JSON") && told.contains("hint: "), "{told}");
            assert!(name == "a.json" || begun(start.as_bytes(), None).is_err());
        }
        for (start, name, format) in [
            ("{\"text\":1}\n{\"text\":2}", "a.json", Format::Jsonl),
            ("{\"tex", "a.json.gz", Format::Jsonl),
            ("[1] a footnote", "a.txt", Format::Lines),
            ("[\"a\"]\n{\"text\":1}", "a.jsonl", Format::Jsonl),
            ("[", "a.jsonl", Format::Jsonl),
            ("[{\"a\"", "a.csv", Format::Csv),
        ] {
            assert_eq!(named(start, name), Ok(format), "{start} {name}");
        }
    }

    #[test]
    fn an_ending_that_means_nothing_is_refused() {
        for name in ["tests.csv.backup", "gold.yaml", "posts.xml", "two.md", "a.docx.gz", "a.json"] {
            let told = named("id,text\n1,a\n", name).unwrap_err();
            assert!(told.contains("does not tell how it is written") && told.contains("--format lines"), "{told}");
        }
        assert!(named("a", "two.md").unwrap_err().contains("-p"));
        assert_eq!(named("{\"text\":1}", "posts.backup"), Ok(Format::Jsonl));
        assert_eq!(named("a", "messages.log"), Ok(Format::Lines));
    }

    #[test]
    fn that_lines_are_read_is_told_where_it_may_surprise() {
        let note = |start: &str, path: Option<&str>| begun(start.as_bytes(), path.map(Path::new)).unwrap().note;
        assert!(note("a text\n", Some("texts")).is_some());
        assert_eq!(note("a text\n", Some("texts.txt")), None);
        for start in ["id,text,label\n1,a,b", "\u{FEFF}id;Text", "\"id\"\t\"text\"\r\n", "<posts>"] {
            assert!(note(start, None).is_some(), "{start}");
        }
        for start in ["", "hello", "Hello, world", "yes|no? maybe", "a, b"] {
            assert_eq!(note(start, None), None, "{start}");
        }
    }
}
