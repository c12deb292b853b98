//! The flag that names the model.

use std::path::PathBuf;

use clap::Args;

use crate::cli::models;

const MODEL_HELP: &str = "Model: a gpt-oss GGUF file (of a split one the first part), a name of `model list`, or a \
    source of `model pull`, such as 20b [env: MAGISTRATE_MODEL] [default: magistrate-nano, a small built-in model for \
    demonstration]";

/// The model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[arg(short, long, value_name = "MODEL", help = MODEL_HELP)]
    model: Option<PathBuf>,
}

impl ModelArgs {
    /// Returns the model's file: the named one, or the built-in one.
    pub fn path(&self) -> Result<PathBuf, anyhow::Error> {
        // Not clap's `env`: clap treats a variable like a flag, so --schema would conflict with it.
        let variable = || std::env::var_os("MAGISTRATE_MODEL").filter(|path| !path.is_empty()).map(PathBuf::from);
        match self.model.clone().or_else(variable) {
            // Names of a store are UTF-8. Anything else is a path.
            Some(path) => path.to_str().map_or_else(|| Ok(path.clone()), models::path),
            None => models::built_in(),
        }
    }
}
