//! An input: a file or stdin, and its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Problem, SourceError};
use crate::label::records::Notice;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name in rows and errors.
    pub name: Arc<str>,
    /// The file. `None` for stdin.
    pub(super) path: Option<PathBuf>,
}

impl Input {
    /// Returns the input of a file. Bytes of the name that are not UTF-8 are escaped, so different files have different
    /// names.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self { name: name_of(&path).into(), path: Some(path) }
    }

    /// Returns the same input under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Returns the input that is piped in.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "stdin".into(), path: None }
    }

    /// Returns the file's path. `None` for stdin.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the size of a file in bytes.
    pub(super) fn size(&self) -> Option<u64> {
        let about = fs::metadata(self.path.as_ref()?).ok()?;
        about.is_file().then_some(about.len())
    }

    pub(super) fn failed(&self, problem: Problem) -> SourceError {
        SourceError { input: Arc::clone(&self.name), problem }
    }

    pub(super) fn refused(&self, notice: Notice) -> SourceError {
        self.failed(Problem::Refused(notice))
    }

    /// Reports whether the input is a file, which can be examined before its turn, or a folder, which is refused. A
    /// pipe cannot be examined.
    pub(super) fn can_be_examined(&self) -> Result<bool, SourceError> {
        let Some(path) = &self.path else { return Ok(false) };
        let about = fs::metadata(path).map_err(|error| self.failed(Problem::Open(error)))?;
        Ok(about.is_file() || about.is_dir())
    }
}

/// Returns a path as text. Bytes that are not UTF-8 are written as `\xFF`.
fn name_of(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name.push_str(chunk.valid());
        name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    name
}
