//! `cache`: what is kept to be quicker the next time.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use magistrate::cache;

use super::{exit, output};

#[derive(Debug, Args)]
pub struct CacheVerb {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say where it is, and how large each part is
    Show,
    /// Remove all of it: decoded policies, verdicts of --cache, the unpacked built-in model. Journals beside outputs stay
    Clear,
}

impl CacheVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let folder = cache::folder()?;
        match self.verb.unwrap_or(Verb::Show) {
            Verb::Show => {
                let mut text = format!("{}\n", folder.display());
                for (name, size) in parts(&folder)? {
                    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
                    let megabytes = size as f64 / 1e6;
                    text.push_str(&format!("{megabytes:>10.1} MB  {name}\n"));
                }
                output::print(&text)?;
            }
            Verb::Clear => {
                for (name, _) in parts(&folder)? {
                    let path = folder.join(name);
                    let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                    removed.with_context(|| format!("{} cannot be removed", path.display()))?;
                }
            }
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

/// What lies in the folder, with its bytes, by name.
fn parts(folder: &Path) -> Result<Vec<(String, u64)>, anyhow::Error> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut parts: Vec<(String, u64)> = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), size(&entry.path())))
        .collect();
    parts.sort();
    Ok(parts)
}

fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
        }
        Ok(about) => about.len(),
        Err(_) => 0,
    }
}
