//! Names of files that users send. They are shown, and never become a path.

use serde::{Deserialize, Serialize};

use crate::text::harmless;

/// The name of a user's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileName {
    /// The name for people: one line without controls.
    pub shown: String,
    /// The name in the folder of the run: `input` and an ending that is known.
    pub stored: String,
}

/// Endings by which a format is known.
const ENDINGS: [&str; 12] =
    ["csv", "tsv", "tab", "jsonl", "ndjson", "json", "txt", "lines", "log", "parquet", "xlsx", "xlsm"];
/// Endings of packed files.
const PACKED: [&str; 2] = ["gz", "zst"];
/// Characters of a name, at most.
const LONGEST: usize = 120;

impl FileName {
    /// Returns the names of a file that a user calls like this.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain: String = harmless(last).trim().chars().take(LONGEST).collect();
        let shown = if plain.trim_matches('.').is_empty() { "file".to_owned() } else { plain };
        let lower = shown.to_ascii_lowercase();
        let mut endings: Vec<&str> = lower.rsplit('.').take_while(|ending| PACKED.contains(ending)).take(1).collect();
        let inner = lower.rsplit('.').nth(endings.len());
        endings.extend(inner.filter(|ending| ENDINGS.contains(ending)));
        let stored = endings.iter().rev().fold("input".to_owned(), |stored, ending| format!("{stored}.{ending}"));
        Self { shown, stored }
    }

    /// Returns the name of an output: `posts.csv` becomes `posts.labeled.xlsx`.
    #[must_use]
    pub fn output(&self, ending: &str) -> String {
        let mut stem = self.shown.as_str();
        let known = |ending: &str| PACKED.iter().chain(&ENDINGS).any(|known| known.eq_ignore_ascii_case(ending));
        while let Some((before, _)) = stem.rsplit_once('.').filter(|(before, last)| !before.is_empty() && known(last)) {
            stem = before;
        }
        format!("{stem}.labeled.{ending}")
    }
}

/// Returns the header value that makes a browser save a response under a name.
#[must_use]
pub fn disposition(name: &str) -> String {
    let plain = |character: char| if is_plain(character) || character == ' ' { character } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let byte = |byte: &u8| {
        if is_plain(char::from(*byte)) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
    };
    let encoded: String = name.as_bytes().iter().map(byte).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// Reports whether a character may be anywhere in a header.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder_and_is_shown_without_controls() {
        for (name, shown, stored) in [
            ("posts.csv", "posts.csv", "input.csv"),
            ("../../etc/passwd", "passwd", "input"),
            ("C:\\temp\\Beiträge.XLSX", "Beiträge.XLSX", "input.xlsx"),
            ("a.csv.gz", "a.csv.gz", "input.csv.gz"),
            ("a.gz", "a.gz", "input.gz"),
            ("a.exe", "a.exe", "input"),
            ("..", "file", "input"),
            ("", "file", "input"),
            ("a\u{202E}\r\nb.csv", "a\u{FFFD}\u{FFFD}\u{FFFD}b.csv", "input.csv"),
            ("csv", "csv", "input.csv"),
        ] {
            let FileName { shown: is_shown, stored: is_stored } = FileName::of(name);
            assert_eq!((is_shown.as_str(), is_stored.as_str()), (shown, stored), "{name:?}");
        }
        assert_eq!(FileName::of(&"x".repeat(5000)).shown.chars().count(), LONGEST);
    }

    #[test]
    fn an_output_is_named_after_its_file_in_a_header_of_plain_characters() {
        assert_eq!(FileName::of("my posts.CSV.gz").output("xlsx"), "my posts.labeled.xlsx");
        assert_eq!(FileName::of(".csv").output("csv"), ".csv.labeled.csv");
        assert_eq!(
            disposition("ü \"a\".csv"),
            "attachment; filename=\"_ _a_.csv\"; filename*=UTF-8''%C3%BC%20%22a%22.csv"
        );
    }
}
