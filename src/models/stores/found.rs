//! A model in a store, and the names of the stores.

use std::path::PathBuf;

use serde::Serialize;

/// A model in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The name that commands accept.
    pub name: String,
    /// The store.
    pub store: &'static str,
    /// Its file, or the first of its parts.
    pub path: PathBuf,
    /// The size of all parts in bytes.
    pub size: u64,
    /// The SHA-256 of the file as the store states it. `None` for a model in parts.
    pub sha256: Option<String>,
    /// The reason why llama.cpp does not load it unchanged.
    pub unusable: Option<&'static str>,
}

pub(super) const HUB: &str = "Hugging Face";
pub(super) const LLAMA: &str = "llama.cpp";
pub(super) const STUDIO: &str = "LM Studio";
pub(super) const OLLAMA: &str = "Ollama";
pub(super) const DOCKER: &str = "Docker";
pub(super) const OWN: &str = "own folder";
