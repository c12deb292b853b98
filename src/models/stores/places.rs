//! The folders of the stores.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::found::{DOCKER, Found, HUB, LLAMA, OLLAMA, OWN, STUDIO};
use super::layouts::{docker, files, hub, ollama};

/// Places where stores are searched: environment variables, and the user's home.
#[derive(Clone, Debug, Default)]
pub struct Places {
    variables: BTreeMap<&'static str, PathBuf>,
    home: PathBuf,
}

/// Variables that move stores.
const VARIABLES: [&str; 8] = [
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "LLAMA_CACHE",
    "OLLAMA_MODELS",
    "MAGISTRATE_MODELS",
];

impl Places {
    /// Returns the places of a user with this home, and these environment variables.
    #[must_use]
    pub fn new(home: PathBuf, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set =
            |name: &&'static str| variable(name).filter(|value| !value.is_empty()).map(|value| (*name, value.into()));
        Self { variables: VARIABLES.iter().filter_map(set).collect(), home }
    }

    /// Returns the folders of each store. They need not exist.
    #[must_use]
    pub fn folders(&self) -> Vec<(&'static str, PathBuf)> {
        let variable = |name: &str| self.variables.get(name).cloned();
        let hubs = [
            variable("HF_HUB_CACHE"),
            variable("HUGGINGFACE_HUB_CACHE"),
            variable("HF_HOME").map(|home| home.join("hub")),
            variable("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")),
            Some(self.home.join(".cache/huggingface/hub")),
        ];
        let mut folders: Vec<(&'static str, PathBuf)> = hubs.into_iter().flatten().map(|hub| (HUB, hub)).collect();
        for cache in [variable("LLAMA_CACHE"), Some(self.home.join(".cache/llama.cpp"))].into_iter().flatten() {
            folders.extend([(HUB, cache.clone()), (LLAMA, cache)]);
        }
        folders.push((STUDIO, self.home.join(".lmstudio/models")));
        folders.push((STUDIO, self.home.join(".cache/lm-studio/models")));
        match variable("OLLAMA_MODELS") {
            Some(folder) => folders.push((OLLAMA, folder)),
            None => {
                folders.push((OLLAMA, self.home.join(".ollama/models")));
                // The folder of Ollama as a service, as its installer for Linux sets it up.
                #[cfg(target_os = "linux")]
                folders.push((OLLAMA, PathBuf::from("/usr/share/ollama/.ollama/models")));
            }
        }
        folders.push((DOCKER, self.home.join(".docker/models")));
        folders.push((OWN, self.own()));
        let mut seen = Vec::new();
        folders.retain(|folder| {
            !seen.contains(folder) && {
                seen.push(folder.clone());
                true
            }
        });
        folders
    }

    /// Returns the folder for models that belong to no other store.
    #[must_use]
    pub fn own(&self) -> PathBuf {
        let data = || self.variables.get("XDG_DATA_HOME").cloned().unwrap_or_else(|| self.home.join(".local/share"));
        self.variables.get("MAGISTRATE_MODELS").cloned().unwrap_or_else(|| data().join("magistrate/models"))
    }

    /// Returns the cache of Hugging Face.
    #[must_use]
    pub fn hub(&self) -> PathBuf {
        // The folders begin with those of Hugging Face, in the order in which its variables count.
        self.folders().swap_remove(0).1
    }

    /// Returns all gpt-oss models in all stores, sorted by name.
    #[must_use]
    pub fn find(&self) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for (store, folder) in self.folders() {
            let here = match store {
                HUB => hub(&folder),
                OLLAMA => ollama(&folder),
                DOCKER => docker(&folder),
                _ => files(store, &folder),
            };
            found.extend(here);
        }
        found.sort_by(|one, other| (&one.name, one.store).cmp(&(&other.name, other.store)));
        found.dedup_by(|one, other| one.path == other.path);
        found
    }
}
