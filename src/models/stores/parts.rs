//! Models in parts, by the names of their files.

use std::path::{Path, PathBuf};

/// Returns a file's name without its ending.
pub(super) fn whole_stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// Returns a file's name without its ending and the number of its part.
pub(in crate::models) fn stem(path: &str) -> &str {
    let stem = whole_stem(path);
    numbered(stem).map_or(stem, |(prefix, ..)| prefix)
}

/// Returns all parts of a model by their names, and true if the path is that of the first.
pub(super) fn parts_of(path: &Path) -> Option<(Vec<PathBuf>, bool)> {
    let name = path.file_name()?.to_str()?;
    Some(match name.strip_suffix(".gguf").and_then(numbered) {
        None => (vec![path.to_owned()], true),
        Some((prefix, number, count)) => {
            let part = |number: u32| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"));
            ((1..=count.min(1000)).map(part).collect(), number == 1)
        }
    })
}

/// Returns the files of the model at a path by its name: the path itself, or all parts. They need not exist.
#[must_use]
pub fn parts(path: &Path) -> Vec<PathBuf> {
    /// A bound that no model reaches.
    const MOST: u32 = 999;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(numbered);
    match stem {
        Some((prefix, _, count)) if count <= MOST => {
            (1..=count).map(|number| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"))).collect()
        }
        _ => vec![path.to_owned()],
    }
}

/// Splits the name of a part without its ending: the common beginning of all parts, its number, and their number.
fn numbered(stem: &str) -> Option<(&str, u32, u32)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, number) = rest.rsplit_once('-')?;
    Some((prefix, number.parse().ok()?, count.parse().ok()?))
}
