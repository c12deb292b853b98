//! The flag that names the model.

use std::path::PathBuf;

use clap::Args;

use crate::cli::models;

const MODEL_HELP: &str = "A gpt-oss GGUF file, of a model in parts the first, or a name of `model list` [env: MAGISTRATE_MODEL] [default: \
    magistrate-nano, a small model for demonstration that is built in]";

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[arg(short, long, value_name = "MODEL", help = MODEL_HELP)]
    model: Option<PathBuf>,
}

impl ModelArgs {
    /// The model's file: as named, or the one that is built in.
    pub fn path(&self) -> Result<PathBuf, anyhow::Error> {
        // Not clap's `env`: to clap a variable is as good as a flag, so --schema would be in conflict with it.
        let variable = || std::env::var_os("MAGISTRATE_MODEL").filter(|path| !path.is_empty()).map(PathBuf::from);
        match self.model.clone().or_else(variable) {
            // A name of a store is text; what is none is a path.
            Some(path) => path.to_str().map_or_else(|| Ok(path.clone()), models::path),
            None => models::built_in(),
        }
    }
}
