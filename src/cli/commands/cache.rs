//! `cache`: shows and clears the cache folder.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use magistrate::cache;

#[cfg(unix)]
use crate::cli::daemon::client;
use crate::cli::terminal::units::megabytes;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct CacheVerb {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the cache folder, and the size of each part
    Show,
    /// Remove the parts that magistrate made: decoded policies, verdicts of --cache, the unpacked built-in model.
    /// Journals beside outputs stay
    Clear,
}

impl CacheVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let folder = cache::folder()?;
        match self.verb.unwrap_or(Verb::Show) {
            Verb::Show => {
                let mut text = format!("{}\n", folder.display());
                for (name, _) in cache::ROOMS {
                    let room = folder.join(name);
                    if room.is_dir() {
                        text.push_str(&format!("{:>13}  {name}\n", megabytes(size(&room))));
                    }
                }
                output::print(&text)?;
            }
            Verb::Clear => {
                // A daemon without its socket could not be reached or stopped.
                #[cfg(unix)]
                client::stop()?;
                let cleared = cache::clear(&folder);
                let cleared = cleared.with_context(|| format!("{} cannot be cleared", folder.display()))?;
                output::summary(&format!("{} are removed from {}", megabytes(cleared.bytes), folder.display()));
                for path in cleared.busy {
                    output::note(&format!("{} stays: another process uses it", path.display()));
                }
                if let Some((first, more)) = cleared.foreign.split_first() {
                    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                    output::note(&format!("{first}{more} in {} stay: not made by magistrate", folder.display()));
                }
            }
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Returns the bytes of a file, or of everything in a folder.
fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
        }
        Ok(about) => about.len(),
        Err(_) => 0,
    }
}
