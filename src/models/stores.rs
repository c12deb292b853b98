//! The models that other programs have fetched to this machine already.
//!
//! The one idea: nothing is moved, copied or fetched; a store is a layout of folders, and what lies in it is a model if its
//! header says so. Where the folders are is the caller's to say.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::gguf::kind;

/// A model that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The name that it can be asked for by.
    pub name: String,
    /// The store that it is in.
    pub store: &'static str,
    /// Its file, or the first of its parts.
    pub path: PathBuf,
    /// The size of all parts, in bytes.
    pub size: u64,
    /// The sha256 of the file, as the store has it; only of a file that is not in parts.
    pub sha256: Option<String>,
    /// Why llama.cpp does not load it as it is.
    pub unusable: Option<&'static str>,
}

/// Where stores are looked for: what the environment says, and the user's home.
#[derive(Clone, Debug, Default)]
pub struct Places {
    variables: BTreeMap<&'static str, PathBuf>,
    home: PathBuf,
}

/// The variables that move stores.
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
    /// Those of this process, for a user with this home.
    #[must_use]
    pub fn new(home: PathBuf, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set =
            |name: &&'static str| variable(name).filter(|value| !value.is_empty()).map(|value| (*name, value.into()));
        Self { variables: VARIABLES.iter().filter_map(set).collect(), home }
    }

    /// The folders of each store, those that there are not too.
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

    /// The folder for models that come from nowhere else.
    #[must_use]
    pub fn own(&self) -> PathBuf {
        let data = || self.variables.get("XDG_DATA_HOME").cloned().unwrap_or_else(|| self.home.join(".local/share"));
        self.variables.get("MAGISTRATE_MODELS").cloned().unwrap_or_else(|| data().join("magistrate/models"))
    }

    /// The cache of Hugging Face.
    #[must_use]
    pub fn hub(&self) -> PathBuf {
        self.folders().swap_remove(0).1
    }

    /// All gpt-oss models in all stores, by name.
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

const HUB: &str = "Hugging Face";
const LLAMA: &str = "llama.cpp";
const STUDIO: &str = "LM Studio";
const OLLAMA: &str = "Ollama";
const DOCKER: &str = "Docker";
const OWN: &str = "own folder";

/// Words that stand for a model, with the source and the size of each. They were found in public sources in 2026. We
/// have not checked them: digests are the registry's own.
const CATALOGUE: [(&str, &str, &str); 2] = [
    ("20b", "hf:unsloth/gpt-oss-safeguard-20b-GGUF:gpt-oss-safeguard-20b-Q4_K_M.gguf", "12 GB"),
    ("120b", "hf:lmstudio-community/gpt-oss-safeguard-120b-GGUF:MXFP4", "63 GB"),
];

fn entry(word: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    CATALOGUE.iter().find(|(known, ..)| known.eq_ignore_ascii_case(word))
}

/// Returns the name that a word such as `20b` stands for. Any other name stands for itself.
#[must_use]
pub fn spelled_out(name: &str) -> &str {
    entry(name).map_or(name, |(_, spec, _)| spec)
}

/// Reports whether a model of this name can be fetched, and its size if it is known.
#[must_use]
pub fn to_be_had(name: &str) -> Option<Option<&'static str>> {
    let scheme = |name: &str| ["hf:", "docker:", "ollama:"].iter().any(|scheme| name.starts_with(scheme));
    match entry(name) {
        Some((.., size)) => Some(Some(size)),
        None => scheme(name).then_some(None),
    }
}

/// Finds the model of a name. The name may be its whole name, or its file's, with or without the ending. It may also be
/// one to fetch it by: `20b`, or `hf:ORG/REPO:QUANTIZATION`.
///
/// # Errors
///
/// The names of several that it could be.
pub fn named<'found>(found: &'found [Found], name: &str) -> Result<Option<&'found Found>, Vec<&'found str>> {
    let name = spelled_out(name);
    if let Some(exact) = found.iter().find(|model| model.name == name) {
        return Ok(Some(exact));
    }
    let meant: Vec<&Found> = found.iter().filter(|model| is_called(model, name)).collect();
    // Parts and copies of one name in one repository are one model, as they are fetched together.
    let mut stems: Vec<_> = meant.iter().map(|model| (model.store, stem(&model.name))).collect();
    stems.dedup();
    if stems.len() > 1 {
        Err(meant.iter().map(|model| model.name.as_str()).collect())
    } else {
        Ok(meant.first().copied())
    }
}

/// Reports whether a model goes by a name other than its whole name.
fn is_called(model: &Found, name: &str) -> bool {
    let file = model.path.file_name().unwrap_or_default().to_string_lossy();
    if file.eq_ignore_ascii_case(name)
        || stem(&file).eq_ignore_ascii_case(name)
        || whole_stem(&file).eq_ignore_ascii_case(name)
    {
        return true;
    }
    let Some((scheme, rest)) = name.split_once(':') else { return false };
    let Some(own) = model.name.strip_prefix(scheme).and_then(|own| own.strip_prefix(':')) else { return false };
    match scheme {
        "hf" => {
            // The same choice as in `pull`.
            let (repository, part) = rest.split_once(':').unwrap_or((rest, ""));
            own.split_once(':')
                .is_some_and(|(own, file)| own == repository && file.to_lowercase().contains(&part.to_lowercase()))
        }
        "docker" | "ollama" => {
            let tagged = if rest.contains(':') { rest.to_owned() } else { format!("{rest}:latest") };
            own == tagged || scheme == "docker" && own.strip_prefix("ai/") == Some(&tagged)
        }
        _ => false,
    }
}

/// Returns a file's name without its ending.
fn whole_stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// Returns a file's name without its ending and the number of its part.
pub(super) fn stem(path: &str) -> &str {
    let stem = whole_stem(path);
    numbered(stem).map_or(stem, |(prefix, ..)| prefix)
}

/// `models--ORG--REPO/snapshots/COMMIT/FILE`, a link to a blob that is named by its sha256.
fn hub(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, folder) in entries(root) {
        let Some(repository) = name.strip_prefix("models--") else { continue };
        let repository = repository.replacen("--", "/", 1);
        for (_, snapshot) in entries(&folder.join("snapshots")) {
            for path in ggufs(&snapshot) {
                let file = path.strip_prefix(&snapshot).unwrap_or(&path).display().to_string();
                // The blob's name is the digest; the path keeps the link's, which holds the number of a part.
                let blob =
                    fs::read_link(&path).ok().and_then(|blob| Some(blob.file_name()?.to_string_lossy().into_owned()));
                found.extend(model(HUB, format!("hf:{repository}:{file}"), path, blob.filter(|blob| is_hex(blob, 64))));
            }
        }
    }
    found
}

/// What a registry says that a model is made of.
#[derive(Deserialize)]
pub(super) struct Manifest {
    pub(super) layers: Vec<Layer>,
}

#[derive(Deserialize)]
pub(super) struct Layer {
    #[serde(rename = "mediaType")]
    pub(super) kind: String,
    digest: String,
    /// In bytes.
    #[serde(default)]
    #[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "only what fetches it asks"))]
    pub(super) size: u64,
}

impl Layer {
    pub(super) fn sha256(&self) -> Option<&str> {
        self.digest.strip_prefix("sha256:").filter(|digest| is_hex(digest, 64))
    }
}

/// A list that a store keeps. One that is longer than any is left alone.
fn list(path: &Path) -> Option<Vec<u8>> {
    const LONGEST: u64 = 1 << 20;
    let about = fs::metadata(path).ok()?;
    (about.is_file() && about.len() <= LONGEST).then(|| fs::read(path).ok())?
}

/// What Ollama calls the layer with the weights.
pub(super) const OLLAMA_MODEL: &str = "application/vnd.ollama.image.model";

/// `manifests/REGISTRY/NAMESPACE/MODEL/TAG`, a list of blobs.
fn ollama(root: &Path) -> Vec<Found> {
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

/// `models.json`, a list of models with tags and files, and `blobs/sha256/DIGEST`.
fn docker(root: &Path) -> Vec<Found> {
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

/// Files below a folder.
fn files(store: &'static str, root: &Path) -> Vec<Found> {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        model(store, name, path, None)
    };
    ggufs(root).into_iter().filter_map(named).collect()
}

/// What a file is, if it is a gpt-oss model and no later part of one.
fn model(store: &'static str, name: String, path: PathBuf, sha256: Option<String>) -> Option<Found> {
    let unusable = match kind(&path).ok()?.as_str() {
        "gpt-oss" => None,
        "gptoss" => Some("made for Ollama's own engine: `magistrate model convert` makes a plain file of it"),
        _ => return None,
    };
    let (parts, first) = parts_of(&path)?;
    if !first {
        return None;
    }
    let size = parts.iter().map(|part| fs::metadata(part).map_or(0, |about| about.len())).fold(0, u64::saturating_add);
    Some(Found { name, store, path, size, sha256: sha256.filter(|_| parts.len() == 1), unusable })
}

/// All parts of a model by their names, and whether this is the first.
fn parts_of(path: &Path) -> Option<(Vec<PathBuf>, bool)> {
    let name = path.file_name()?.to_str()?;
    Some(match name.strip_suffix(".gguf").and_then(numbered) {
        None => (vec![path.to_owned()], true),
        Some((prefix, number, count)) => {
            let part = |number: u32| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"));
            ((1..=count.min(1000)).map(part).collect(), number == 1)
        }
    })
}

/// Whether a text is so many hexadecimal digits.
pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the files of the model at a path, as its name tells: the path itself, or all parts. They need not exist.
#[must_use]
pub fn parts(path: &Path) -> Vec<PathBuf> {
    /// A bound that no model reaches.
    const MOST: u32 = 999;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(numbered);
    match stem {
        Some((prefix, _, count)) if count <= MOST => {
            (1..=count).map(|number| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf"))).collect()
        }
        _ => vec![path.to_owned()],
    }
}

/// Of the name of a part without its ending: what all parts have in common, its number, and how many there are.
pub(super) fn numbered(stem: &str) -> Option<(&str, u32, u32)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, number) = rest.rsplit_once('-')?;
    Some((prefix, number.parse().ok()?, count.parse().ok()?))
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    entries.sort();
    entries
}

/// The GGUF files below a folder.
fn ggufs(folder: &Path) -> Vec<PathBuf> {
    let mut files = walk(folder, 4);
    files.retain(|path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")));
    files
}

/// The files below a folder, so many folders deep. Folders that are links are not entered.
fn walk(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (_, path) in entries(folder) {
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_dir() && depth > 0 => files.extend(walk(&path, depth - 1)),
            Ok(about) if about.is_dir() => {}
            Ok(_) => files.push(path),
            Err(_) => {}
        }
    }
    files
}
