//! Where models are to be had, and where they go.
//!
//! The one idea: names and digests come from the registry, at the time of asking; all that is shipped is where a word such as
//! `20b` leads to. What comes from Hugging Face goes into its own cache, so that other programs share it. How bytes are
//! fetched is not known here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::fetch::{Client, FetchError, Remote, public};
use super::stores::{Layer, Manifest, OLLAMA_MODEL, is_hex, spelled_out, stem};
use crate::files;
use crate::gguf::sha256;

/// A model that is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A repository of Hugging Face; of its files the one of this name, or of this quantization.
    Hub {
        /// `org/repo`
        repository: String,
        /// A file's name, or a part of it such as `Q4_K_M`.
        file: Option<String>,
    },
    /// A repository of the registry of Docker, and a tag.
    Docker(String, String),
    /// A model of Ollama's registry, and a tag.
    Ollama(String, String),
    /// A file.
    Url(String),
}

/// The registries' addresses, and where models go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Hugging Face.
    pub hub: String,
    /// Who gives out tokens for Docker's registry.
    pub docker_tokens: String,
    /// Docker's registry.
    pub docker: String,
    /// Ollama's registry.
    pub ollama: String,
    /// The cache of Hugging Face.
    pub hub_cache: PathBuf,
    /// The folder for all else.
    pub folder: PathBuf,
    /// A token for Hugging Face.
    pub token: Option<String>,
}

/// Why a model could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The name leads nowhere.
    #[error(
        "unknown model source `{}`\nhint: 20b, 120b, hf:ORG/REPO:FILE, docker:ai/NAME:TAG, ollama:NAME:TAG or https://...",
        public(_0)
    )]
    Name(String),
    /// A file could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The repository has several models, or none of that name.
    #[error("{repository} has {what}: {}\nhint: name one, as in hf:{repository}:{}", files.join(", "), files.first().map_or("FILE", String::as_str))]
    Choose {
        /// The repository.
        repository: String,
        /// What is the matter.
        what: &'static str,
        /// The files that there are.
        files: Vec<String>,
    },
    /// An address that names no file.
    #[error("{} names no file\nhint: an address ends in a file's name, such as model.gguf", public(_0))]
    NoFile(String),
    /// A file of another digest than the one that was asked for.
    #[error("{what}: its sha256 is {found}, and --sha256 asks for {wanted}\nhint: {hint}")]
    OtherDigest {
        /// The file, or its address.
        what: String,
        /// Its digest.
        found: String,
        /// The digest that was asked for.
        wanted: String,
        /// The remedy.
        hint: &'static str,
    },
    /// A digest that was given for a model of several files.
    #[error(
        "the model is in {0} parts, and --sha256 is of one file\nhint: leave it out: the registry tells the digest of each part, and it is checked"
    )]
    Parts(usize),
    /// A local file that cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// The answer names a file that no file may be called.
    #[error("{0}: the registry names a file that cannot be one")]
    Hostile(String),
    /// The link in the cache cannot be made.
    #[error("{0} cannot be made: {1}")]
    Link(PathBuf, #[source] io::Error),
}

impl Origin {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`PullError::Name`].
    pub fn parse(name: &str) -> Result<Self, PullError> {
        let wrong = || PullError::Name(name.to_owned());
        let name = spelled_out(name);
        if name.starts_with("https://") || name.starts_with("http://") {
            return Ok(Self::Url(name.to_owned()));
        }
        let (scheme, rest) = name.split_once(':').ok_or_else(wrong)?;
        let plain = |text: &str| {
            !text.is_empty() && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        };
        let (path, last) = rest.split_once(':').map_or((rest, None), |(path, last)| (path, Some(last)));
        if !plain(path) || last.is_some_and(|last| !plain(last)) {
            return Err(wrong());
        }
        let tag = || last.unwrap_or("latest").to_owned();
        match scheme {
            "hf" if path.split('/').count() == 2 => {
                Ok(Self::Hub { repository: path.to_owned(), file: last.map(str::to_owned) })
            }
            "docker" => {
                Ok(Self::Docker(if path.contains('/') { path.to_owned() } else { format!("ai/{path}") }, tag()))
            }
            "ollama" => {
                Ok(Self::Ollama(if path.contains('/') { path.to_owned() } else { format!("library/{path}") }, tag()))
            }
            _ => Err(wrong()),
        }
    }
}

/// A file, and its place.
struct Part {
    remote: Remote,
    place: PathBuf,
}

/// Fetches a model, and tells how far each file is. Where it is: its file, or the first of its parts. What is there
/// already is not fetched again.
///
/// # Errors
///
/// A [`PullError`]. Of a model in parts nothing can be seen under its own name until all are there.
pub fn pull(
    client: &Client,
    hosts: &Hosts,
    origin: &Origin,
    sha256: Option<String>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<PathBuf, PullError> {
    let path = fetched(client, hosts, origin, sha256.as_deref(), progress)?;
    if let Some(wanted) = sha256 {
        check(&path, &wanted, progress)?;
    }
    Ok(path)
}

/// Checks that a file has the sha256 that was asked for.
///
/// # Errors
///
/// [`PullError::OtherDigest`], or [`PullError::Unreadable`].
pub fn check(path: &Path, wanted: &str, progress: &mut dyn FnMut(&str, u64, Option<u64>)) -> Result<(), PullError> {
    let found = sha256(path, &mut |done, all| progress("checking", done, Some(all)))
        .map_err(|error| PullError::Unreadable(path.to_owned(), error))?;
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let hint = "move the file away, and run the same command again";
    Err(PullError::OtherDigest { what: path.display().to_string(), found, wanted: wanted.to_owned(), hint })
}

/// Checks that the registry offers the digest that was asked for, as far as it tells.
fn agree(parts: &[Part], wanted: Option<&str>) -> Result<(), PullError> {
    match (parts, wanted) {
        (_, None) => Ok(()),
        ([Part { remote, .. }], Some(wanted)) => match &remote.sha256 {
            Some(found) if !found.eq_ignore_ascii_case(wanted) => {
                let (what, found, wanted) = (public(&remote.url), found.clone(), wanted.to_owned());
                let hint = "the registry has another file by now; leave out --sha256 to fetch that";
                Err(PullError::OtherDigest { what, found, wanted, hint })
            }
            _ => Ok(()),
        },
        (parts, Some(_)) => Err(PullError::Parts(parts.len())),
    }
}

/// Fetches a model, and returns its path. Compares the digest that was asked for with the registry's.
fn fetched(
    client: &Client,
    hosts: &Hosts,
    origin: &Origin,
    wanted: Option<&str>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<PathBuf, PullError> {
    match origin {
        Origin::Hub { repository, file } => from_hub(client, hosts, repository, file.as_deref(), wanted, progress),
        Origin::Docker(repository, tag) => {
            let url =
                format!("{}/token?service=registry.docker.io&scope=repository:{repository}:pull", hosts.docker_tokens);
            let Token { token } = client.json(&url, None, "application/json")?;
            let source =
                Registry { host: &hosts.docker, repository, tag, authorization: Some(format!("Bearer {token}")) };
            from_registry(
                client,
                hosts,
                &source,
                |kind| kind.contains("gguf") && !kind.contains("lora") && !kind.contains("mmproj"),
                wanted,
                progress,
            )
        }
        Origin::Ollama(repository, tag) => {
            let source = Registry { host: &hosts.ollama, repository, tag, authorization: None };
            from_registry(client, hosts, &source, |kind| kind == OLLAMA_MODEL, wanted, progress)
        }
        Origin::Url(url) => {
            let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            if ["", ".", ".."].contains(&name) || url.split_once("://").is_some_and(|(_, rest)| !rest.contains('/')) {
                return Err(PullError::NoFile(url.clone()));
            }
            let sha256 = wanted.map(str::to_owned);
            let remote = Remote { url: url.clone(), sha256, ..Remote::default() };
            let place = hosts.folder.join(name);
            fetch_all(client, &[Part { remote, place: place.clone() }], progress)?;
            Ok(place)
        }
    }
}

fn fetch_all(
    client: &Client,
    parts: &[Part],
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), PullError> {
    for (number, Part { remote, place }) in parts.iter().enumerate() {
        let what =
            if parts.len() == 1 { "fetching".to_owned() } else { format!("part {} of {}", number + 1, parts.len()) };
        client.fetch(remote, place, &mut |done, all| progress(&what, done, all))?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

#[derive(Deserialize)]
struct Item {
    path: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

fn from_hub(
    client: &Client,
    hosts: &Hosts,
    repository: &str,
    file: Option<&str>,
    wanted: Option<&str>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<PathBuf, PullError> {
    let Hosts { hub, token, .. } = hosts;
    let authorization = token.as_ref().map(|token| format!("Bearer {token}"));
    let ask = |path: &str| format!("{hub}/api/models/{repository}/{path}");
    let json = "application/json";
    let Revision { sha } = client.json(&ask("revision/main"), authorization.as_deref(), json)?;
    if !is_hex(&sha, 40) {
        return Err(PullError::Hostile(repository.to_owned()));
    }
    let items: Vec<Item> = client.json(&ask(&format!("tree/{sha}?recursive=true")), authorization.as_deref(), json)?;
    let files = chosen(repository, &items, file)?;
    let root = hosts.hub_cache.join(format!("models--{}", repository.replace('/', "--")));
    let mut parts = Vec::new();
    for item in &files {
        let (path, lfs) = (&item.path, item.lfs.as_ref());
        let safe = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..") && !path.contains('\\');
        let Some(Lfs { oid, size }) = lfs.filter(|lfs| safe && is_hex(&lfs.oid, 64)) else {
            return Err(PullError::Hostile(format!("{repository}: {path}")));
        };
        let remote = Remote {
            url: format!("{hub}/{repository}/resolve/{sha}/{path}"),
            authorization: authorization.clone(),
            size: Some(*size),
            sha256: Some(oid.clone()),
        };
        parts.push(Part { remote, place: root.join("blobs").join(oid) });
    }
    agree(&parts, wanted)?;
    fetch_all(client, &parts, progress)?;
    // Only now does any of it get a name.
    let mut first = None;
    for (item, part) in files.iter().zip(&parts) {
        let link = root.join("snapshots").join(&sha).join(&item.path);
        let up = "../".repeat(item.path.split('/').count() + 1);
        let blob = part.place.file_name().unwrap_or_default().to_string_lossy();
        make_link(&format!("{up}blobs/{blob}"), &part.place, &link)
            .map_err(|error| PullError::Link(link.clone(), error))?;
        first.get_or_insert(link);
    }
    let refs = root.join("refs");
    let written = fs::create_dir_all(&refs).and_then(|()| files::write(&refs.join("main"), sha.as_bytes()));
    written.map_err(|error| PullError::Link(refs, error))?;
    first.ok_or_else(|| PullError::Name(repository.to_owned()))
}

/// The files of the model that is wanted: one, or all of its parts.
fn chosen<'items>(
    repository: &str,
    items: &'items [Item],
    wanted: Option<&str>,
) -> Result<Vec<&'items Item>, PullError> {
    let is_model =
        |item: &&Item| item.path.to_lowercase().ends_with(".gguf") && !item.path.to_lowercase().contains("mmproj");
    let models: Vec<&Item> = items.iter().filter(is_model).collect();
    let exact = |item: &&&Item| Some(item.path.as_str()) == wanted;
    let part = |item: &&&Item| wanted.is_none_or(|wanted| item.path.to_lowercase().contains(&wanted.to_lowercase()));
    let found: Vec<&Item> = if models.iter().any(|item| Some(item.path.as_str()) == wanted) {
        models.iter().filter(exact).copied().collect()
    } else {
        models.iter().filter(part).copied().collect()
    };
    let mut stems: Vec<&str> = found.iter().map(|item| stem(&item.path)).collect();
    stems.sort_unstable();
    stems.dedup();
    let all = || {
        let mut names: Vec<String> = models.iter().map(|item| item.path.clone()).collect();
        names.sort();
        names.truncate(20);
        names
    };
    match stems.as_slice() {
        [] => Err(PullError::Choose { repository: repository.to_owned(), what: "no such model, but", files: all() }),
        [one] => {
            // Of a model in parts any names it: all of them are wanted.
            let mut whole: Vec<&Item> = models.iter().filter(|item| stem(&item.path) == *one).copied().collect();
            whole.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(whole)
        }
        _ => Err(PullError::Choose { repository: repository.to_owned(), what: "several models", files: all() }),
    }
}

struct Registry<'a> {
    host: &'a str,
    repository: &'a str,
    tag: &'a str,
    authorization: Option<String>,
}

/// Every layer that is a part of the model, in order.
fn from_registry(
    client: &Client,
    hosts: &Hosts,
    source: &Registry<'_>,
    is_model: impl Fn(&str) -> bool,
    wanted: Option<&str>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<PathBuf, PullError> {
    const MANIFESTS: &str =
        "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
    let Registry { host, repository, tag, authorization } = source;
    let base = format!("{host}/v2/{repository}");
    let manifest: Manifest = client.json(&format!("{base}/manifests/{tag}"), authorization.as_deref(), MANIFESTS)?;
    let layers: Vec<&Layer> = manifest.layers.iter().filter(|layer| is_model(&layer.kind)).collect();
    if layers.is_empty() {
        let url = format!("{base}/manifests/{tag}");
        return Err(FetchError::Answer { url, why: "it lists no GGUF file".to_owned() }.into());
    }
    let name = format!("{}-{tag}", repository.rsplit('/').next().unwrap_or(repository));
    let folder = hosts.folder.join(repository).join(tag);
    let mut parts = Vec::new();
    for (number, layer) in (1..).zip(&layers) {
        let Some(sha256) = layer.sha256() else {
            return Err(PullError::Hostile(format!("{repository}:{tag}")));
        };
        let file = if layers.len() == 1 {
            format!("{name}.gguf")
        } else {
            format!("{name}-{number:05}-of-{:05}.gguf", layers.len())
        };
        let remote = Remote {
            url: format!("{base}/blobs/sha256:{sha256}"),
            authorization: authorization.clone(),
            size: Some(layer.size),
            sha256: Some(sha256.to_owned()),
        };
        // Under its own name only with all others.
        parts.push(Part { remote, place: folder.join("parts").join(file) });
    }
    agree(&parts, wanted)?;
    let place = |part: &Part| folder.join(part.place.file_name().unwrap_or_default());
    if parts.iter().all(|part| place(part).exists()) {
        return Ok(place(&parts[0]));
    }
    fetch_all(client, &parts, progress)?;
    for part in &parts {
        let own = place(part);
        fs::rename(&part.place, &own).map_err(|error| PullError::Link(own, error))?;
    }
    let _ = fs::remove_dir(folder.join("parts"));
    Ok(place(&parts[0]))
}

/// A link as the cache has it; where there are none, another name of the same file, or a copy.
fn make_link(target: &str, blob: &Path, link: &Path) -> io::Result<()> {
    if fs::symlink_metadata(link).is_ok() {
        return Ok(());
    }
    if let Some(folder) = link.parent() {
        fs::create_dir_all(folder)?;
    }
    #[cfg(unix)]
    let made = {
        let _ = blob;
        std::os::unix::fs::symlink(target, link)
    };
    #[cfg(not(unix))]
    let made = {
        let _ = target;
        fs::hard_link(blob, link).or_else(|_| fs::copy(blob, link).map(|_| ()))
    };
    made
}
