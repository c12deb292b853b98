//! Opens the files of a model: one file, or several parts that are found by their names.
//!
//! Links are not followed for names: a link's name has the number of the part, and the name of its target need not.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::{GgufError, ModelError, Problem};
use super::header::{Header, Value};
use super::limits::{ENTRY, LIMIT};
use crate::text::shown;

/// An open file with its header.
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// In bytes.
    pub(super) size: u64,
    pub(super) header: Header,
}

/// Opens all parts of the model whose first part is at `path`. Returns them with the model's name.
pub(super) fn open_all(path: &Path) -> Result<(Vec<Part>, String), ModelError> {
    let mut room = LIMIT;
    let first = open(path, &mut room)?;
    let count = u16_of(&first, "split.count")?.unwrap_or(0);
    let number = u16_of(&first, "split.no")?;
    if count <= 1 {
        return Ok((vec![first], name(path)));
    }
    let later = number.filter(|number| *number > 0);
    let part = later.map_or(1, |number| number.saturating_add(1));
    let Some(prefix) = prefix(path, part, count) else {
        let (number, count) = (part.into(), count.into());
        return Err(Problem::PartName { number, count }.at(path));
    };
    if later.is_some() {
        let (number, first) = (part.into(), sibling(path, &prefix, 1, count));
        return Err(Problem::LaterPart { number, first }.at(path));
    }
    if number.is_none() {
        return Err(Problem::MissingKey("split.no".into()).at(path));
    }
    let mut parts = vec![first];
    for number in 2..=count {
        parts.push(open_later(path, sibling(path, &prefix, number, count), (number, count), &mut room)?);
    }
    totals(&parts)?;
    Ok((parts, prefix))
}

/// Returns the name of a model's file without its ending. The path of a file in memory is a number, so its name is
/// looked up.
fn name(path: &Path) -> String {
    let open = path.starts_with("/proc/self/fd").then(|| fs::read_link(path).ok()).flatten();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let in_memory = open
        .map(|path| name(&path))
        .and_then(|name| Some(name.strip_prefix("memfd:")?.strip_suffix(" (deleted)")?.to_owned()));
    let stem = |name: &str| Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    stem(&in_memory.unwrap_or_else(|| name(path)))
}

/// Opens part `number`, counted from 1, of the model whose first part is `first`.
fn open_later(first: &Path, path: PathBuf, (number, count): (u16, u16), room: &mut u64) -> Result<Part, ModelError> {
    let mut part = match open(&path, room) {
        Err(error) if matches!(*error.problem, Problem::NotFound) => {
            return Err(Problem::MissingPart(path).at(first));
        }
        part => part?,
    };
    let found = u16_of(&part, "split.no")?;
    let counted = u16_of(&part, "split.count")?.unwrap_or(count);
    if found != Some(number - 1) || counted != count {
        let found = found.map(|found| u32::from(found) + 1);
        return Err(Problem::PartNumber { found, number: number.into(), count: count.into() }.at(path));
    }
    part.header.forget(); // llama.cpp reads those of the first part alone
    *room = room.saturating_sub(ENTRY);
    Ok(part)
}

/// Checks that the parts have as many tensors as the first part states, each once.
fn totals(parts: &[Part]) -> Result<(), ModelError> {
    let first = &parts[0];
    let key = "split.tensors.count";
    let expected = match first.header.get(key) {
        Some(Value::I32(expected)) => i64::from(*expected),
        Some(_) => {
            return Err(Problem::KeyType { key: key.into(), wanted: "an i32" }.at(&first.path));
        }
        None => return Err(Problem::MissingKey(key.into()).at(&first.path)),
    };
    let mut names = HashSet::new();
    for tensor in parts.iter().flat_map(|part| &part.header.tensors) {
        if !names.insert(tensor.name.as_str()) {
            return Err(Problem::RepeatedTensor(shown(&tensor.name)).at(&first.path));
        }
    }
    if i64::try_from(names.len()) != Ok(expected) {
        return Err(Problem::PartTensors { expected, found: names.len() }.at(&first.path));
    }
    Ok(())
}

fn u16_of(part: &Part, key: &str) -> Result<Option<u16>, ModelError> {
    match part.header.get(key) {
        None => Ok(None),
        Some(Value::U16(number)) => Ok(Some(*number)),
        Some(_) => Err(Problem::KeyType { key: key.into(), wanted: "a u16" }.at(&part.path)),
    }
}

/// Returns the part of a file's name before its number, if the file is named as llama.cpp demands.
fn prefix(path: &Path, number: u16, count: u16) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let prefix = name.strip_suffix(&format!("-{number:05}-of-{count:05}.gguf"))?;
    (!prefix.is_empty()).then(|| prefix.into())
}

fn sibling(path: &Path, prefix: &str, number: u16, count: u16) -> PathBuf {
    path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"))
}

/// Opens a file, and checks that it has the data of all its tensors.
fn open(path: &Path, room: &mut u64) -> Result<Part, ModelError> {
    let part = open_within(path, room)?;
    let ends = part.header.tensors.iter().map(|tensor| tensor.offset + tensor.size); // each is below 2^63
    let needed = ends.max().map_or(0, |end| part.header.data.saturating_add(end));
    let size = part.size;
    if needed > size { Err(Problem::Truncated { size, needed }.at(path)) } else { Ok(part) }
}

/// Opens a file that may end after its header.
pub(super) fn open_header(path: &Path) -> Result<Part, ModelError> {
    open_within(path, &mut LIMIT.clone())
}

fn open_within(path: &Path, room: &mut u64) -> Result<Part, ModelError> {
    let read = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Problem::NotFound.at(path),
        _ => Problem::Gguf(GgufError::Io(error)).at(path),
    };
    let kind = fs::metadata(path).map_err(read)?;
    if kind.is_dir() {
        return Err(Problem::Folder { files: models_in(path) }.at(path));
    }
    if !kind.is_file() {
        return Err(Problem::NotAFile.at(path)); // opening a pipe would wait for a writer
    }
    let file = File::open(path).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    let header = Header::read_within(&file, size, room).map_err(|error| Problem::Gguf(error).at(path))?;
    Ok(Part { path: path.into(), file, size, header })
}

/// Returns the names of some GGUF files in a folder, for a hint.
fn models_in(folder: &Path) -> Vec<String> {
    const SOME: usize = 3;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    names.sort();
    names.truncate(SOME);
    names
}
