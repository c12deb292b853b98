//! `review`: reads the review queue of a server.

mod export;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::export::Export;

#[derive(Debug, Args)]
pub struct ReviewVerb {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the decisions of reviewers as JSONL, with their texts
    Export(Export),
}

impl ReviewVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        match self.verb {
            Verb::Export(export) => export.run(),
        }
    }
}
