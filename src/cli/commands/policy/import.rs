//! `policy import`: YAML from a policy in prose or Markdown.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use magistrate::policy::PolicySource;
use magistrate::policy::import::{Imported, import};
use serde_json::{Value, json};

use crate::cli::args::new_file::NewFile;
use crate::cli::terminal::error::in_file;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Import {
    /// Policy in a .md or .txt file; - for stdin
    file: PathBuf,

    #[command(flatten)]
    output: NewFile,

    /// Print JSON: the YAML, the notes, and the lines without a place
    #[arg(long)]
    json: bool,
}

impl Import {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        // A file that exists is refused before the work begins.
        self.output.path()?;
        let is_stdin = self.file.as_os_str() == "-";
        let name = if is_stdin { "stdin".to_owned() } else { self.file.display().to_string() };
        let path = (!is_stdin).then_some(self.file.as_path());
        let (PolicySource { text, .. }, is_foreign) = PolicySource::to_import(path, &name)?;
        if is_foreign {
            output::note(&format!(
                "{name} is no UTF-8, and is read as Windows-1252: check its quotation marks and umlauts"
            ));
        }
        let short =
            if is_stdin { "imported".into() } else { self.file.file_name().unwrap_or_default().to_string_lossy() };
        let Imported { draft, unplaced, notes } = import(&short, &text).map_err(|error| in_file(&name, error))?;
        let yaml = draft.yaml();
        let path = if self.json && !self.output.is_named() { None } else { self.output.write(&yaml)? };
        if self.json {
            let lines = unplaced.iter().map(|number| {
                json!({ "line": number, "text": text.lines().nth(number.saturating_sub(1)).unwrap_or_default().trim() })
            });
            let object = json!({ "file": path, "yaml": yaml, "notes": notes, "unplaced": lines.collect::<Value>() });
            output::data(&format!("{object:#}\n"))?;
        }
        for note in notes {
            output::note(&note);
        }
        if !unplaced.is_empty() {
            let lines: Vec<String> = unplaced.iter().map(ToString::to_string).collect();
            let (noun, kept) = match unplaced.len() {
                1 => ("line", "is kept as a comment"),
                _ => ("lines", "are kept as comments"),
            };
            output::note(&format!(
                "{} {noun} of {name} could not be placed and {kept}: {}",
                unplaced.len(),
                lines.join(", ")
            ));
        }
        Ok(ExitCode::from(exit::DONE))
    }
}
