//! `model path`: the path of a model's file.

use std::process::ExitCode;

use clap::Args;

use crate::cli::models::path;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct PathOf {
    /// A file, a name of `model list`, or a source of `model pull`
    model: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl PathOf {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let model = self.model;
        let path = path(&model)?;
        // `path` returns a name that it does not know unchanged.
        ensure_hint!(
            path.exists(),
            "{model}: there is no such file, and no model of this name",
            "magistrate model list"
        );
        output::path(&path, self.json)?;
        Ok(ExitCode::from(exit::DONE))
    }
}
