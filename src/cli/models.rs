//! The models of this machine: the stores, the files behind names, and the built-in model.

use std::path::{Path, PathBuf};
#[cfg(feature = "nano")]
use std::sync::OnceLock;

use magistrate::gguf::{self, ModelFile};
use magistrate::models::stores::{Places, named, to_be_had, word};

use crate::cli::terminal::error::bail_hint;

/// Returns the folders of this user's models.
pub fn places() -> Places {
    Places::new(std::env::home_dir().unwrap_or_default(), |name| std::env::var_os(name))
}

/// Returns the file of a name: a file of that name, else a model in a store, else the built-in model.
pub fn path(name: &str) -> Result<PathBuf, anyhow::Error> {
    if Path::new(name).exists() {
        return Ok(name.into());
    }
    let found = places().find();
    match named(&found, name) {
        Ok(Some(model)) => Ok(model.path.clone()),
        Ok(None) if name == BUILT_IN => built_in(),
        Ok(None) => match to_be_had(name) {
            Some((source, size)) => {
                let size = size.map_or(String::new(), |size| format!(" ({size})"));
                bail_hint!("{name} is not on this machine", "`magistrate model pull {source}` fetches it{size}")
            }
            // An error in the path is reported where the file is opened.
            None => Ok(name.into()),
        },
        Err(several) => {
            bail_hint!(("`{name}` could be one of several: {}", several.join(", ")), "give the whole name")
        }
    }
}

/// Describes a published model of a name, unless a file of that name is here.
pub fn published(name: &str) -> Option<ModelFile> {
    let word = word(name)?;
    let here = Path::new(name).exists() || named(&places().find(), name).is_ok_and(|found| found.is_some());
    if here { None } else { gguf::published(word) }
}

/// The built-in model's name in rows.
const BUILT_IN: &str = "magistrate-nano";

#[cfg(feature = "nano")]
pub fn built_in() -> Result<PathBuf, anyhow::Error> {
    // The file is compared with the built-in bytes. Once is enough: a daemon needs it for every text.
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    let path = match UNPACKED.get() {
        Some(path) => path,
        None => {
            let path = magistrate::models::nano::unpacked()?;
            UNPACKED.get_or_init(|| path)
        }
    };
    Ok(path.clone())
}

#[cfg(not(feature = "nano"))]
pub fn built_in() -> Result<PathBuf, anyhow::Error> {
    bail_hint!("no model is named", "pass --model FILE or set MAGISTRATE_MODEL to a gpt-oss-safeguard GGUF file")
}
