//! `man`: manual pages, made of the help.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man as Page;
use magistrate::files;

use crate::cli::terminal::error::bail_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Man {
    /// Verb, such as `label` or `policy lint` [default: magistrate itself]
    #[arg(value_name = "VERB")]
    verb: Vec<String>,

    /// Folder for the pages of all verbs, such as ~/.local/share/man/man1
    #[arg(long, value_name = "FOLDER", conflicts_with = "verb", help_heading = "Output")]
    dir: Option<PathBuf>,
}

impl Man {
    pub fn run(self, mut command: Command) -> Result<ExitCode, anyhow::Error> {
        command.build();
        let mut pages = Vec::new();
        pages_of(&command, "magistrate", &mut pages);
        if let Some(folder) = &self.dir {
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            for (name, page) in &pages {
                write(&folder.join(format!("{name}.1")), page)?;
            }
            output::summary(&format!("{} manual pages are in {}", pages.len(), folder.display()));
            return Ok(ExitCode::from(exit::DONE));
        }
        let name = [&["magistrate".to_owned()], &self.verb[..]].concat().join("-");
        let Some((_, page)) = pages.into_iter().find(|(page, _)| *page == name) else {
            bail_hint!(("there is no verb {}", self.verb.join(" ")), "magistrate --help lists the verbs");
        };
        output::data(&page)?;
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Adds the pages of a verb and of the verbs in it: the name and the text in roff.
fn pages_of(command: &Command, name: &str, pages: &mut Vec<(String, String)>) {
    let mut page = Vec::new();
    // clap names a nested verb by its own word alone.
    let titled = command.clone().display_name(name.to_owned());
    // Writing into memory does not fail.
    let _ = Page::new(titled).manual("magistrate").render(&mut page);
    pages.push((name.to_owned(), String::from_utf8_lossy(&page).into_owned()));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        pages_of(verb, &format!("{name}-{}", verb.get_name()), pages);
    }
}

fn write(path: &Path, page: &str) -> Result<(), anyhow::Error> {
    files::write(path, page.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}
