//! The workspace: a folder of policies that the page writes, each with its golden set and its history.
//!
//! | Place | Contents |
//! |---|---|
//! | `ID.yaml`, `ID.md` | A policy, as its author wrote it |
//! | `golden/ID.yaml` | Its golden set |
//! | `history/ID/NUMBER.json` | A version of both that was saved, or found on the disk before it was replaced |
//! | `lock` | Locked by the server that uses the folder |

pub(super) mod golden;
pub(super) mod history;
pub(super) mod save;
pub(super) mod source;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::policies::Origin;
use crate::cache;
use crate::files::{self, Draft};
use crate::hint::Hints;
use crate::policy::lint::{Finding, Level, lint};
use crate::policy::{Notation, Policy, PolicySource, is_id, unlike_a_policy};

/// A workspace that this process alone uses.
#[derive(Debug)]
pub struct Workspace {
    folder: PathBuf,
    _lock: File,
}

/// The endings of policies, those of new files first.
const ENDINGS: [&str; 5] = ["yaml", "md", "yml", "markdown", "txt"];

impl Workspace {
    /// Opens a folder, or makes it for its user alone.
    ///
    /// # Errors
    ///
    /// An I/O error: others may write to it, or another server uses it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        cache::make(folder)?;
        let lock = files::options().read(true).write(true).create(true).truncate(false).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::WouldBlock, "another server uses this folder"))
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the place of its policies. There may be none.
    pub(super) fn origin(&self) -> Origin {
        let folder = self.folder.clone();
        let (name, path) = (folder.display().to_string(), Some(folder.clone()));
        Origin { name, path, read: Box::new(move || policies(&folder)) }
    }

    /// Returns the file of a policy, if it exists.
    fn file(&self, id: &str) -> Option<PathBuf> {
        files_of(&self.folder, id).find(|path| path.is_file())
    }

    /// Returns the place of a golden set.
    fn golden(&self, id: &str) -> PathBuf {
        self.folder.join("golden").join(format!("{id}.yaml"))
    }

    /// Returns the folder of a policy's versions.
    fn history(&self, id: &str) -> PathBuf {
        self.folder.join("history").join(id)
    }
}

/// Returns the paths that the file of a policy may have.
fn files_of(folder: &Path, id: &str) -> impl Iterator<Item = PathBuf> {
    ENDINGS.iter().map(move |ending| folder.join(format!("{id}.{ending}")))
}

/// Reads the policies in a folder, in the order of their ids. Other files are passed over.
fn policies(folder: &Path) -> Result<Vec<Policy>, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut named: Vec<(String, PathBuf)> = entries.flatten().filter_map(|entry| named(entry.path())).collect();
    named.sort();
    let mut policies = Vec::new();
    for (id, path) in named {
        let name = path.display().to_string();
        let source = PolicySource::open_file(&path, &name).map_err(|error| with_hints(&error))?;
        // A policy on security is no file about a project.
        if unlike_a_policy(&file_name("policy", source.notation), &source.text).is_none() {
            policies.push(read(&source, &id)?);
        }
    }
    Ok(policies)
}

/// Returns the id that the name of a policy's file states. `None` for another file.
fn named(path: PathBuf) -> Option<(String, PathBuf)> {
    let ending = path.extension()?.to_str()?;
    let id = path.file_stem()?.to_str()?.to_owned();
    (ENDINGS.contains(&ending) && is_id(&id) && path.is_file()).then_some((id, path))
}

/// Reads the policy in a file that is named after it.
fn read(source: &PolicySource, id: &str) -> Result<Policy, String> {
    let policy = source.parse(None).map_err(|error| with_hints(&error))?;
    if policy.id != id {
        return Err(format!(
            "{} has the id `{}`; a file of the workspace is named after its id",
            source.name, policy.id
        ));
    }
    match first_error(&source.name, &source.text) {
        Some(finding) => Err(format!("{}: {}", source.name, finding.message())),
        None => Ok(policy),
    }
}

/// Returns the first error that the linter finds in a text.
fn first_error(name: &str, text: &str) -> Option<Finding> {
    lint(name, text, None, |_| None).into_iter().find(|finding| finding.level() == Level::Error)
}

/// Returns the name of a policy's file, for messages and for a new file.
fn file_name(id: &str, notation: Notation) -> String {
    match notation {
        Notation::Yaml => format!("{id}.yaml"),
        Notation::Plain => format!("{id}.md"),
    }
}

fn with_hints(error: &impl Hints) -> String {
    error.hints().iter().fold(error.to_string(), |text, hint| format!("{text}; {hint}"))
}

/// Writes a file that only its user may read, whole or not at all.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        cache::make(folder)?;
    }
    let draft = Draft::private(path)?;
    draft.file().write_all(bytes)?;
    draft.file().sync_all()?;
    draft.put()
}

#[cfg(test)]
mod tests;
