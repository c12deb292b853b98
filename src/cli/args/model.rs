//! The flag that names the model.

use std::path::PathBuf;

use clap::Args;

use crate::cli::models;

/// The model.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Model: a GGUF file (of a split one the first part), a name of `model list`, or a source of `model pull`, such as
    /// 20b [default: magistrate-nano, a small built-in model for demonstration]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<PathBuf>,
}

impl ModelArgs {
    /// Reports whether a model is named.
    #[cfg(feature = "remote")]
    pub fn is_named(&self) -> bool {
        self.model.is_some()
    }

    /// Returns the model's file: the named one, or the built-in one.
    pub fn path(&self) -> Result<PathBuf, anyhow::Error> {
        match &self.model {
            // Names of a store are UTF-8. Anything else is a path.
            Some(path) => path.to_str().map_or_else(|| Ok(path.clone()), models::path),
            None => models::built_in(),
        }
    }
}
