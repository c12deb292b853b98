//! The file of a run's journal: beside the output, or a temporary one.

use std::error::Error;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use magistrate::label::journal;
use magistrate::label::run::RunError;
use magistrate::{cache, files};

use crate::cli::terminal::error::hinted;
use crate::cli::terminal::stop::SAVED;

/// The file of the journal in which a run keeps its rows.
pub struct JournalPlace {
    pub path: PathBuf,
    /// Set if the journal is removed at the end.
    passing: bool,
    /// The open file of a journal that has no name any more.
    hidden: Option<File>,
}

impl JournalPlace {
    /// Returns the place beside an output, where the journal stays.
    pub fn beside(output: &Path) -> Self {
        Self { path: journal::beside(output), passing: false, hidden: None }
    }

    /// Returns a place for a journal that is removed at the end.
    pub fn passing() -> Result<Self, anyhow::Error> {
        let folder = match cache::folder() {
            // Another user could read or change it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error.into()),
            folder => folder.map(|cache| cache.join("journals")),
        };
        // A read-only container has no cache, but may have a folder for temporary files.
        let folder =
            folder.and_then(|folder| cache::make(&folder).map(|()| folder)).unwrap_or_else(|_| std::env::temp_dir());
        Ok(Self { path: folder.join(format!("{}.journal", files::random())), passing: true, hidden: None })
    }

    /// Removes the name of a passing journal that is open. So a killed process leaves no texts behind. Only Linux
    /// offers another name to read an open file again.
    pub fn hide(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(open) = File::open(&self.path).ok().filter(|_| self.passing) {
            let again = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open)));
            if again.exists() && std::fs::remove_file(&self.path).is_ok() {
                (self.path, self.hidden) = (again, Some(open));
            }
        }
    }

    /// Returns the line after a stop, if the journal stays.
    pub fn saved(&self) -> Option<String> {
        (!self.passing).then(|| SAVED.to_owned())
    }

    /// Returns a hint on how to continue after this run, if the journal stays.
    fn hint(&self) -> Option<String> {
        (!self.passing).then(|| {
            format!("the finished rows are in {}, and the same command resumes from there", self.path.display())
        })
    }

    /// Returns the error with a hint on how to continue, unless the journal itself is at fault.
    pub fn hinted(&self, error: anyhow::Error) -> anyhow::Error {
        let of_journal = |cause: &(dyn Error + 'static)| matches!(cause.downcast_ref(), Some(RunError::Journal(_)));
        match self.hint().filter(|_| !error.chain().any(of_journal)) {
            Some(hint) => hinted(error, hint),
            None => error,
        }
    }
}

impl Drop for JournalPlace {
    fn drop(&mut self) {
        if self.passing && self.hidden.is_none() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
