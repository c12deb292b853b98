//! The layouts of the stores: how each keeps its models.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::found::{DOCKER, Found, HUB, OLLAMA};
use super::manifest::{Manifest, OLLAMA_MODEL, is_hex};
use super::parts::{is_first, parts};
use crate::gguf::kind;

/// Returns the models of Hugging Face: `models--ORG--REPO/snapshots/COMMIT/FILE` is a link to a blob, whose name is its
/// SHA-256.
pub(super) fn hub(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, folder) in entries(root) {
        let Some(repository) = name.strip_prefix("models--") else { continue };
        let repository = repository.replacen("--", "/", 1);
        for (_, snapshot) in entries(&folder.join("snapshots")) {
            for path in ggufs(&snapshot) {
                let file = path.strip_prefix(&snapshot).unwrap_or(&path).display().to_string();
                // The blob's name is the digest. The path stays the link's, which has the number of a part.
                let blob =
                    fs::read_link(&path).ok().and_then(|blob| Some(blob.file_name()?.to_string_lossy().into_owned()));
                found.extend(model(HUB, format!("hf:{repository}:{file}"), path, blob.filter(|blob| is_hex(blob, 64))));
            }
        }
    }
    found
}

/// Reads a list that a store keeps. A list that is longer than any store's is not read.
fn list(path: &Path) -> Option<Vec<u8>> {
    const LONGEST: u64 = 1 << 20;
    let metadata = fs::metadata(path).ok()?;
    (metadata.is_file() && metadata.len() <= LONGEST).then(|| fs::read(path).ok())?
}

/// Returns the models of Ollama: `manifests/REGISTRY/NAMESPACE/MODEL/TAG` is a list of blobs.
pub(super) fn ollama(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for path in walk(&root.join("manifests"), 5) {
        let manifest = list(&path).and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        let layers = manifest.map(|manifest| manifest.layers).unwrap_or_default();
        let Some(layer) = layers.iter().find(|layer| layer.kind == OLLAMA_MODEL) else {
            continue;
        };
        let Some(sha256) = layer.sha256() else { continue };
        let names: Vec<String> = path.iter().rev().take(3).map(|part| part.to_string_lossy().into_owned()).collect();
        let [tag, name, namespace] = names.as_slice() else { continue };
        let name = if namespace == "library" {
            format!("ollama:{name}:{tag}")
        } else {
            format!("ollama:{namespace}/{name}:{tag}")
        };
        found.extend(model(OLLAMA, name, root.join("blobs").join(format!("sha256-{sha256}")), Some(sha256.to_owned())));
    }
    found
}

/// Returns the models of Docker: `models.json` lists models with tags and files, which are `blobs/sha256/DIGEST`.
pub(super) fn docker(root: &Path) -> Vec<Found> {
    #[derive(Deserialize)]
    struct Index {
        models: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        tags: Vec<String>,
        #[serde(default)]
        files: Vec<String>,
    }
    let index = list(&root.join("models.json")).and_then(|bytes| serde_json::from_slice::<Index>(&bytes).ok());
    let mut found = Vec::new();
    for Entry { tags, files } in index.map(|index| index.models).unwrap_or_default() {
        let blobs = files.iter().filter_map(|file| file.strip_prefix("sha256:")).filter(|digest| is_hex(digest, 64));
        let first = blobs.filter_map(|digest| {
            let path = root.join("blobs/sha256").join(digest);
            kind(&path).ok().map(|_| (path, digest.to_owned()))
        });
        if let (Some((path, digest)), Some(tag)) = (first.into_iter().next(), tags.first()) {
            found.extend(model(DOCKER, format!("docker:{tag}"), path, Some(digest)));
        }
    }
    found
}

/// Returns the models below a folder.
pub(super) fn files(store: &'static str, root: &Path) -> Vec<Found> {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        model(store, name, path, None)
    };
    ggufs(root).into_iter().filter_map(named).collect()
}

/// Describes a file. `None` unless it is a gpt-oss model, or the first part of one.
fn model(store: &'static str, name: String, path: PathBuf, sha256: Option<String>) -> Option<Found> {
    let unusable = match kind(&path).ok()?.as_str() {
        "gpt-oss" => None,
        "gptoss" => Some("made for Ollama's own engine: `magistrate model convert` makes a plain file of it"),
        _ => return None,
    };
    if !is_first(&path) {
        return None;
    }
    let parts = parts(&path);
    let size =
        parts.iter().map(|part| fs::metadata(part).map_or(0, |metadata| metadata.len())).fold(0, u64::saturating_add);
    Some(Found { name, store, path, size, sha256: sha256.filter(|_| parts.len() == 1), unusable })
}

/// Returns the entries of a folder, sorted by name.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    entries.sort();
    entries
}

/// Returns the GGUF files below a folder.
fn ggufs(folder: &Path) -> Vec<PathBuf> {
    let mut files = walk(folder, 4);
    files.retain(|path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")));
    files
}

/// Returns the files below a folder, at most `depth` folders deep. Folders that are links are not entered.
fn walk(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (_, path) in entries(folder) {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() && depth > 0 => files.extend(walk(&path, depth - 1)),
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => files.push(path),
            Err(_) => {}
        }
    }
    files
}
