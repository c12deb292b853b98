//! The flags that decide where verdicts are kept for the next evaluation.

use std::path::{Path, PathBuf};

use clap::Args;
use magistrate::cache;
use magistrate::calibration::terms::Terms;
use magistrate::eval::Keep;
use magistrate::files::Files;
use magistrate::label::journal::{Existing, Journal};
use magistrate::label::memo::{Archive, Memo};
use serde_json::json;

use crate::cli::terminal::output;

/// The folder in the cache, and the most bytes in it.
const ROOM: &str = "evaluations";
const MOST: u64 = 512 << 20;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Judging")]
pub struct KeepArgs {
    /// Judge every text again, and keep no verdicts in the cache folder
    #[arg(long, conflicts_with = "restart")]
    no_cache: bool,

    /// Judge every text again, and replace the verdicts of earlier runs
    #[arg(long)]
    restart: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Judging")]
pub struct JournalArgs {
    #[command(flatten)]
    pub cache: KeepArgs,

    /// Keep the rows in FILE, too, as a journal of label that --from reads
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_cache", "from"])]
    journal: Option<PathBuf>,
}

impl KeepArgs {
    /// Reports whether a run that ends early loses nothing that was finished.
    pub fn keeps(&self) -> bool {
        !self.no_cache && folder().is_ok()
    }

    /// Opens the archive of earlier verdicts under these terms. `verb` has an archive of its own. Without a cache
    /// folder a note is printed, and the verdicts are not kept.
    pub fn archive(&self, verb: &str, terms: &Terms) -> Option<Archive> {
        if self.no_cache {
            return None;
        }
        let key = json!({ "verb": verb, "version": env!("CARGO_PKG_VERSION"), "terms": terms }).to_string();
        let opened = folder().and_then(|folder| {
            cache::trim(&folder, ROOM, MOST)?;
            let mut archive = Archive::open(&folder, &key)?;
            if self.restart {
                archive.restart()?;
            }
            Ok(archive)
        });
        match opened {
            Ok(archive) => Some(archive),
            Err(error) => {
                output::message(&format!("note: verdicts are not kept for the next run: {error}"));
                None
            }
        }
    }
}

impl JournalArgs {
    /// Adds the journal to the files of a run.
    pub fn claim(&self, files: &mut Files) -> Result<(), anyhow::Error> {
        self.journal.iter().try_for_each(|path| files.write("the journal", "--journal", path))?;
        Ok(())
    }

    /// Reports whether a run that ends early loses nothing that was finished.
    pub fn keeps(&self) -> bool {
        self.journal.is_some() || self.cache.keeps()
    }

    /// Returns the journal's path, if one is named.
    pub fn journal(&self) -> Option<&Path> {
        self.journal.as_deref()
    }

    /// Opens the journal of a run under these terms. Without one, the verdicts go to a memo with this archive.
    pub fn open(&self, terms: &Terms, archive: Option<Archive>) -> Result<Keep, anyhow::Error> {
        let Some(path) = &self.journal else {
            let memo = Memo::in_memory();
            return Ok(Keep::Memo(match archive {
                Some(archive) => memo.with_archive(archive),
                None => memo,
            }));
        };
        let existing = if self.cache.restart { Existing::Restart } else { Existing::Resume };
        let (journal, past) = Journal::open(path, terms, existing)?;
        Ok(Keep::Journal { journal: Box::new(journal), past, path: path.clone() })
    }
}

fn folder() -> std::io::Result<PathBuf> {
    cache::folder().map(|cache| cache.join(ROOM))
}
