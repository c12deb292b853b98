//! Formats of record streams.
//!
//! A doubtful stream is taken for the format that can refuse it. JSON read as plain lines would be judged as text in
//! silence; plain lines read as JSON are reported as defects.

use std::path::Path;

/// The format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputFormat {
    /// A JSON object on each line. Blank lines are skipped.
    Jsonl,
    /// One document of JSON: an array of objects.
    Json,
    /// Fields between commas or another separator, by RFC 4180: a quoted one may hold separators and newlines. The first
    /// record is the header.
    /// Empty lines are skipped.
    Csv,
    /// Fields between tabs.
    Tsv,
    /// A text on each line. Blank lines are skipped.
    Lines,
    /// Requests of the OpenAI Batch API, a JSON object a line, for chat completions or moderations.
    Batch,
    /// A Parquet file.
    Parquet,
    /// A workbook of Excel (.xlsx). The first row with a value is the header.
    Xlsx,
}

impl InputFormat {
    /// Returns the format that a file's name implies, packed or not: `a.csv.gz` is CSV.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "gz" | "zst" => Self::of_path(Path::new(path.file_stem()?)),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "txt" | "lines" | "log" => Some(Self::Lines),
            "parquet" | "pq" => Some(Self::Parquet),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            _ => None,
        }
    }

    /// Returns the usual separator of a table's fields.
    pub(in crate::label) fn separator(self) -> u8 {
        if self == Self::Tsv { b'\t' } else { b',' }
    }

    /// Guesses the format of a stream without a name from its start: [`Jsonl`](Self::Jsonl) if a JSON object opens there,
    /// [`Json`](Self::Json) for an array of them, [`Lines`](Self::Lines) otherwise. CSV looks like plain lines and is never guessed.
    #[must_use]
    pub fn sniff(start: &[u8]) -> Self {
        let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
        let mut dense = start.iter().filter(|byte| !byte.is_ascii_whitespace());
        match (dense.next(), dense.next()) {
            (Some(b'['), Some(b'{')) => Self::Json,
            (Some(b'{'), None | Some(b'"' | b'}')) => Self::Jsonl,
            _ => Self::Lines,
        }
    }
}

/// The byte order mark that some programs write before UTF-8.
pub(in crate::label) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_implies_the_format() {
        for (name, format) in [
            ("a.jsonl", Some(InputFormat::Jsonl)),
            ("a.b.NDJSON", Some(InputFormat::Jsonl)),
            ("a.csv", Some(InputFormat::Csv)),
            ("a.tsv", Some(InputFormat::Tsv)),
            ("a.txt", Some(InputFormat::Lines)),
            ("a.lines", Some(InputFormat::Lines)),
            ("a.json", None),
            ("a.csv.gz", Some(InputFormat::Csv)),
            ("a.b.jsonl.ZST", Some(InputFormat::Jsonl)),
            ("a.gz", None),
            ("a.parquet", Some(InputFormat::Parquet)),
            (".csv", None),
            ("csv", None),
        ] {
            assert_eq!(InputFormat::of_path(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn a_stream_that_could_be_json_is_taken_for_it() {
        for start in ["{\"text\": 1}", "\u{FEFF}\r\n \n{ \"te", "{}", "{", "{\n  \"text\"", "{\"broken"] {
            assert_eq!(InputFormat::sniff(start.as_bytes()), InputFormat::Jsonl, "{start:?}");
        }
        assert_eq!(InputFormat::sniff(b" [\n{\"text\""), InputFormat::Json);
        for start in ["", "\n", "text,label", "{name}, hello", "[1] a footnote", "\"quoted\"", "hello\n{\"text\": 1}"] {
            assert_eq!(InputFormat::sniff(start.as_bytes()), InputFormat::Lines, "{start:?}");
        }
    }
}
