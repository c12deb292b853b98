//! `policy import`: YAML from a policy in prose or Markdown.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use magistrate::policy::PolicySource;
use magistrate::policy::import::{Imported, import};

use crate::cli::args::new_file::NewFile;
use crate::cli::terminal::error::in_file;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Import {
    /// Policy in a .md or .txt file
    file: PathBuf,

    #[command(flatten)]
    output: NewFile,
}

impl Import {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        // A file that exists is refused before the work begins.
        self.output.path()?;
        let name = self.file.display().to_string();
        let text = PolicySource::open(&name)?.text;
        let short = self.file.file_name().unwrap_or_default().to_string_lossy();
        let Imported { draft, unplaced, notes } = import(&short, &text).map_err(|error| in_file(&name, error))?;
        self.output.write(&draft.yaml())?;
        for note in notes {
            output::message(&format!("note: {note}"));
        }
        if !unplaced.is_empty() {
            let lines: Vec<String> = unplaced.iter().map(ToString::to_string).collect();
            let noun = if unplaced.len() == 1 { "line" } else { "lines" };
            output::message(&format!(
                "note: {} {noun} of {name} found no place and are kept as comments: {}",
                unplaced.len(),
                lines.join(", ")
            ));
        }
        Ok(ExitCode::from(exit::DONE))
    }
}
