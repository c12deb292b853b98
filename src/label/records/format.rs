//! How a stream of records is written.
//!
//! The one idea: a doubtful stream is taken for the format that can refuse it. JSON that is read as plain lines would be
//! judged as text, in silence; plain lines that are read as JSON are defects that say so.

use std::path::Path;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A JSON object a line. Blank lines are skipped.
    Jsonl,
    /// Fields between commas, by RFC 4180: a quoted one may hold commas and newlines. The first record is the header.
    /// Empty lines are skipped.
    Csv,
    /// The same between tabs.
    Tsv,
    /// A text a line, the empty ones too.
    Lines,
    /// Requests of the OpenAI Batch API, a JSON object a line, for chat completions or moderations.
    Batch,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// The format that a file's name tells, packed or not: `a.csv.gz` is CSV.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "gz" | "zst" => Self::of_path(Path::new(path.file_stem()?)),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "txt" | "lines" | "log" => Some(Self::Lines),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format of a stream without a name, by how it starts: [`Jsonl`](Self::Jsonl) if a JSON object opens there, or
    /// an array of them, [`Lines`](Self::Lines) otherwise. CSV looks like plain lines and is never guessed.
    #[must_use]
    pub fn sniff(start: &[u8]) -> Self {
        let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
        let mut dense = start.iter().filter(|byte| !byte.is_ascii_whitespace());
        match (dense.next(), dense.next()) {
            (Some(b'{'), None | Some(b'"' | b'}')) | (Some(b'['), Some(b'{')) => Self::Jsonl,
            _ => Self::Lines,
        }
    }
}

/// What some programs write before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format_by_its_ending() {
        for (name, format) in [
            ("a.jsonl", Some(Format::Jsonl)),
            ("a.b.NDJSON", Some(Format::Jsonl)),
            ("a.csv", Some(Format::Csv)),
            ("a.tsv", Some(Format::Tsv)),
            ("a.txt", Some(Format::Lines)),
            ("a.lines", Some(Format::Lines)),
            ("a.json", None),
            ("a.csv.gz", Some(Format::Csv)),
            ("a.b.jsonl.ZST", Some(Format::Jsonl)),
            ("a.gz", None),
            ("a.parquet", Some(Format::Parquet)),
            (".csv", None),
            ("csv", None),
        ] {
            assert_eq!(Format::of_path(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn a_stream_that_could_be_json_is_taken_for_it() {
        for start in ["{\"text\": 1}", "\u{FEFF}\r\n \n{ \"te", "{}", "{", "{\n  \"text\"", "{\"broken", "[{\"text\""] {
            assert_eq!(Format::sniff(start.as_bytes()), Format::Jsonl, "{start:?}");
        }
        for start in ["", "\n", "text,label", "{name}, hello", "[1] a footnote", "\"quoted\"", "hello\n{\"text\": 1}"] {
            assert_eq!(Format::sniff(start.as_bytes()), Format::Lines, "{start:?}");
        }
    }
}
