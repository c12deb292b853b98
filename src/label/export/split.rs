//! Split outputs: a file for each verdict.

use std::path::{Path, PathBuf};

use crate::label::row::RowVerdict;

/// The names in the files of a split output.
pub(super) const NAMES: [Option<&str>; 3] = [Some("safe"), Some("violation"), Some("undecided")];

/// Returns the index of the file for a record. A record that a person must look at is undecided.
pub(super) fn file_of(verdict: RowVerdict) -> usize {
    match verdict {
        RowVerdict::Safe => 0,
        RowVerdict::Violation => 1,
        RowVerdict::Review | RowVerdict::Undecided => 2,
    }
}

/// Returns the path of one file of a split output: `verdicts.csv.gz` and `safe` make `verdicts.safe.csv.gz`.
pub(super) fn split_path(path: &Path, part: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let at = stem.rfind('.').filter(|at| *at > 0).unwrap_or(stem.len());
    path.with_file_name(format!("{}.{part}{}", &name[..at], &name[at..]))
}

/// Returns the files of an output.
#[must_use]
pub fn files(path: &Path, split: bool) -> Vec<PathBuf> {
    if split { NAMES.iter().flatten().map(|part| split_path(path, part)).collect() } else { vec![path.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_before_the_ending() {
        for (path, expect) in [
            ("a/verdicts.csv", "a/verdicts.safe.csv"),
            ("v.b.jsonl.gz", "v.b.safe.jsonl.gz"),
            ("v", "v.safe"),
            (".v", ".v.safe"),
            ("a.b/v.zst", "a.b/v.safe.zst"),
        ] {
            assert_eq!(split_path(Path::new(path), "safe"), Path::new(expect));
        }
    }
}
