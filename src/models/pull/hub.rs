//! Fetches models from Hugging Face into its own cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::puller::{Hosts, Part, Progress, Puller, agree};
use crate::files;
use crate::models::error::PullError;
use crate::models::fetch::Remote;
use crate::models::stores::{is_hex, stem};

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

/// Fetches a model of a repository, and returns the path of its link in the cache.
pub(super) fn fetch(
    puller: &Puller,
    repository: &str,
    file: Option<&str>,
    wanted: Option<&str>,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, PullError> {
    let Puller { client, hosts: Hosts { hub, token, hub_cache, .. } } = puller;
    let authorization = token.as_ref().map(|token| format!("Bearer {token}"));
    let ask = |path: &str| format!("{hub}/api/models/{repository}/{path}");
    let json = "application/json";
    // The commit comes first, so that all files are of one state of the repository.
    let Revision { sha } = client.json(&ask("revision/main"), authorization.as_deref(), json)?;
    if !is_hex(&sha, 40) {
        return Err(PullError::Hostile(repository.to_owned()));
    }
    let items: Vec<Item> = client.json(&ask(&format!("tree/{sha}?recursive=true")), authorization.as_deref(), json)?;
    let files = chosen(repository, &items, file)?;
    let root = hub_cache.join(format!("models--{}", repository.replace('/', "--")));
    let mut parts = Vec::new();
    for item in &files {
        let (path, lfs) = (&item.path, item.lfs.as_ref());
        // The path becomes one below the snapshot, and must not lead out of it.
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
    puller.fetch_all(&parts, progress)?;
    let first = name(&root, &sha, files.iter().zip(&parts))?;
    first.ok_or_else(|| PullError::Name(repository.to_owned()))
}

/// Gives fetched files their names in the cache, and returns the name of the first.
fn name<'files>(
    root: &Path,
    sha: &str,
    files: impl Iterator<Item = (&'files &'files Item, &'files Part)>,
) -> Result<Option<PathBuf>, PullError> {
    let mut first = None;
    for (item, part) in files {
        let link = root.join("snapshots").join(sha).join(&item.path);
        let up = "../".repeat(item.path.split('/').count() + 1);
        let blob = part.place.file_name().unwrap_or_default().to_string_lossy();
        make_link(&format!("{up}blobs/{blob}"), &part.place, &link)
            .map_err(|error| PullError::Link(link.clone(), error))?;
        first.get_or_insert(link);
    }
    // Other programs find the snapshot of a branch here.
    let refs = root.join("refs");
    let written = fs::create_dir_all(&refs).and_then(|()| files::write(&refs.join("main"), sha.as_bytes()));
    written.map_err(|error| PullError::Link(refs, error))?;
    Ok(first)
}

/// Returns the files of the wanted model: one, or all of its parts.
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
            // The name of one part means all parts.
            let mut whole: Vec<&Item> = models.iter().filter(|item| stem(&item.path) == *one).copied().collect();
            whole.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(whole)
        }
        _ => Err(PullError::Choose { repository: repository.to_owned(), what: "several models", files: all() }),
    }
}

/// Makes a link as the cache of Hugging Face has it. Except on Unix, it is another name of the same file, or a copy.
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
