//! `model convert`: a plain GGUF of a file that was made for Ollama's own engine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use magistrate::files::Files;
use magistrate::gguf::rewrite;

use crate::cli::models::path;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::units::megabytes;
use crate::cli::terminal::{exit, output, progress};

#[derive(Debug, Args)]
pub struct Convert {
    /// A file, a name of `model list`, or a source of `model pull`
    model: String,

    /// File for the result
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Convert {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let to = self.output;
        ensure_hint!(to.as_os_str() != "-", "a model is not written to stdout", "name a file with -o");
        let there = std::fs::symlink_metadata(&to).is_ok();
        ensure_hint!(!there, ("{} is there already", to.display()), "name another file with -o");
        let from = path(&self.model)?;
        Files::new().write("the model", "-o", &to)?;
        let made = progress::waiting("writing", || rewrite::convert(&from, &to))?;
        output::summary(&format!("{} is written: {} ({})", to.display(), made.name, megabytes(made.size)));
        Ok(ExitCode::from(exit::DONE))
    }
}
