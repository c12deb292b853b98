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

/// Reports whether a file's name is that of a whole model or of a first part. llama.cpp takes no name that is not
/// UTF-8.
pub(super) fn is_first(path: &Path) -> bool {
    name(path).is_some_and(|name| part(name).is_none_or(|(_, number, _)| number == 1))
}

/// Returns the files of the model at a path by its name: the path itself, or all parts. They need not exist.
#[must_use]
pub fn parts(path: &Path) -> Vec<PathBuf> {
    /// A bound that no model reaches.
    const MOST: u32 = 999;
    match name(path).and_then(part) {
        Some((prefix, _, count)) if count <= MOST => {
            (1..=count).map(|number| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"))).collect()
        }
        _ => vec![path.to_owned()],
    }
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Splits the name of a part's file, as [`numbered`] does. `None` for another file.
fn part(name: &str) -> Option<(&str, u32, u32)> {
    name.strip_suffix(".gguf").and_then(numbered)
}

/// Splits the name of a part without its ending: the common beginning of all parts, its number, and their number.
fn numbered(stem: &str) -> Option<(&str, u32, u32)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, number) = rest.rsplit_once('-')?;
    Some((prefix, number.parse().ok()?, count.parse().ok()?))
}
