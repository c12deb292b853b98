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
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the parts that magistrate made: decoded policies, verdicts of --cache, the unpacked built-in model,
    /// runs of the Python package. Journals beside outputs stay
    Clear,
}

impl CacheVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let folder = cache::folder()?;
        match self.verb.unwrap_or(Verb::Show { json: false }) {
            Verb::Show { json } => {
                let rooms = cache::ROOMS.iter().map(|(name, _)| (*name, folder.join(name)));
                let sizes: Vec<(&str, u64)> =
                    rooms.map(|(name, room)| (name, size(&room))).filter(|(_, bytes)| *bytes > 0).collect();
                if json {
                    let parts: Vec<_> =
                        sizes.iter().map(|(name, bytes)| serde_json::json!({ "name": name, "bytes": bytes })).collect();
                    let shown = serde_json::json!({ "folder": folder, "parts": parts });
                    output::data(&format!("{shown}\n"))?;
                } else {
                    let line = |(name, bytes): &(&str, u64)| format!("{:>13}  {name}\n", megabytes(*bytes));
                    let lines: String = sizes.iter().map(line).collect();
                    output::print(&format!("{}\n{lines}", folder.display()))?;
                }
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
