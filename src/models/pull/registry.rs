//! Fetches models from the registries of Docker and Ollama.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::puller::{Part, Progress, Puller, agree};
use crate::models::error::{FetchError, PullError};
use crate::models::fetch::Remote;
use crate::models::stores::{Layer, Manifest, OLLAMA_MODEL};

/// A repository of a registry, and a tag.
struct Source<'a> {
    host: &'a str,
    repository: &'a str,
    tag: &'a str,
    authorization: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Fetches a model from Docker's registry, and returns the path of its first file.
pub(super) fn docker(
    puller: &Puller,
    (repository, tag): (&str, &str),
    wanted: Option<&str>,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, PullError> {
    let tokens = &puller.hosts.docker_tokens;
    let url = format!("{tokens}/token?service=registry.docker.io&scope=repository:{repository}:pull");
    let Token { token } = puller.client.json(&url, None, "application/json")?;
    let host = &puller.hosts.docker;
    let source = Source { host, repository, tag, authorization: Some(format!("Bearer {token}")) };
    let is_model = |kind: &str| kind.contains("gguf") && !kind.contains("lora") && !kind.contains("mmproj");
    fetch(puller, &source, is_model, wanted, progress)
}

/// Fetches a model from Ollama's registry, and returns the path of its first file.
pub(super) fn ollama(
    puller: &Puller,
    (repository, tag): (&str, &str),
    wanted: Option<&str>,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, PullError> {
    let source = Source { host: &puller.hosts.ollama, repository, tag, authorization: None };
    fetch(puller, &source, |kind| kind == OLLAMA_MODEL, wanted, progress)
}

/// Fetches every layer that is a part of the model, in order.
fn fetch(
    puller: &Puller,
    source: &Source<'_>,
    is_model: impl Fn(&str) -> bool,
    wanted: Option<&str>,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, PullError> {
    const MANIFESTS: &str =
        "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
    let Source { host, repository, tag, authorization } = source;
    let base = format!("{host}/v2/{repository}");
    let url = format!("{base}/manifests/{tag}");
    let manifest: Manifest = puller.client.json(&url, authorization.as_deref(), MANIFESTS)?;
    let layers: Vec<&Layer> = manifest.layers.iter().filter(|layer| is_model(&layer.kind)).collect();
    if layers.is_empty() {
        return Err(FetchError::Answer { url, why: "it lists no GGUF file".to_owned() }.into());
    }
    let name = format!("{}-{tag}", repository.rsplit('/').next().unwrap_or(repository));
    let folder = puller.hosts.folder.join(repository).join(tag);
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
        // A part gets its own name only when all parts have arrived.
        parts.push(Part { remote, place: folder.join("parts").join(file) });
    }
    agree(&parts, wanted)?;
    let place = |part: &Part| folder.join(part.place.file_name().unwrap_or_default());
    if parts.iter().all(|part| place(part).exists()) {
        return Ok(place(&parts[0]));
    }
    puller.fetch_all(&parts, progress)?;
    for part in &parts {
        let own = place(part);
        fs::rename(&part.place, &own).map_err(|error| PullError::Link(own, error))?;
    }
    let _ = fs::remove_dir(folder.join("parts"));
    Ok(place(&parts[0]))
}
