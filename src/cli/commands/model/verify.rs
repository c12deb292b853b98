//! `model verify`: the digest of a model's file, compared with the store's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::gguf::{self, sha256};
use serde_json::json;

use crate::cli::models::{path, places};
use crate::cli::terminal::{exit, output, progress};

#[derive(Debug, Args)]
pub struct Verify {
    /// A file, a name of `model list`, or a source of `model pull`
    model: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let path = path(&self.model)?;
        let known = places().find().into_iter().find(|found| found.path == path).and_then(|found| found.sha256);
        // The digest shows that a file is damaged, also of one with a header that cannot be read.
        let parts = gguf::inspect(&path).map_or_else(|_| vec![path.clone()], |file| file.parts);
        let mut text = String::new();
        let mut digests = Vec::new();
        for part in &parts {
            let digest = progress::shown("reading", |progress| sha256(part, progress));
            let digest = digest.with_context(|| format!("{} cannot be read", part.display()))?;
            text.push_str(&format!("{digest}  {}\n", part.display()));
            digests.push(digest);
        }
        if self.json {
            let file = |(path, digest): (&PathBuf, &String)| json!({ "path": path, "sha256": digest });
            let files: Vec<_> = parts.iter().zip(&digests).map(file).collect();
            let matches = known.as_ref().map(|known| digests == [known.clone()]);
            output::data(&format!("{}\n", json!({ "files": files, "store": known, "matches": matches })))?;
        } else {
            output::print(&text)?;
        }
        match known {
            Some(known) if digests != [known.clone()] => {
                output::message(&format!("error: the store has the digest {known}"));
                output::hint("the file is damaged: remove it and fetch it again");
                Ok(ExitCode::from(exit::DIFFERENT))
            }
            Some(_) => {
                output::summary("the store has the same digest");
                Ok(ExitCode::from(exit::DONE))
            }
            None => {
                output::summary("no store has a digest to compare with");
                Ok(ExitCode::from(exit::DONE))
            }
        }
    }
}
