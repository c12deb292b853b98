//! The flag that names a new policy file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use magistrate::files::{self, Files};

use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::output;

/// A new file. Without a name, or for `-`, the YAML goes to stdout.
#[derive(Debug, Default, Args)]
pub struct NewFile {
    /// File for the YAML [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl NewFile {
    /// Names the file, if no flag does.
    pub fn or(&mut self, path: impl Into<PathBuf>) {
        self.output.get_or_insert_with(|| path.into());
    }

    /// Reports whether a flag names the file, or stdout.
    pub fn is_named(&self) -> bool {
        self.output.is_some()
    }

    /// Returns the file's path. Refuses an existing file, and one that cannot be made.
    pub fn path(&self) -> Result<Option<&Path>, anyhow::Error> {
        let path = self.output.as_deref().filter(|path| path.as_os_str() != "-");
        if let Some(path) = path.filter(|path| !files::is_stream(path)) {
            let there = std::fs::symlink_metadata(path).is_ok();
            ensure_hint!(!there, ("{} exists already", path.display()), "name another file with -o");
            Files::new().write("the policy", "-o", path)?;
        }
        Ok(path)
    }

    /// Writes the YAML. Returns the file's path, if it has one.
    pub fn write(&self, yaml: &str) -> Result<Option<&Path>, anyhow::Error> {
        let path = self.path()?;
        let Some(place) = path else { return output::data(yaml).map(|()| None) };
        // `create` refuses a file that another program has made since `path` looked.
        let write_file = if files::is_stream(place) { files::write } else { files::create };
        write_file(place, yaml.as_bytes()).with_context(|| format!("{} cannot be written", place.display()))?;
        Ok(path)
    }
}
