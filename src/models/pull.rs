//! Fetches models from Hugging Face, from the registries of Docker and Ollama, and from plain addresses.
//!
//! Names and digests are requested from the registry at each fetch. Only the sources of words such as `20b` are built
//! in. A model of Hugging Face goes into the cache of Hugging Face, so other programs share it.

mod hub;
mod origin;
mod puller;
mod registry;

use std::path::{Path, PathBuf};

pub use origin::Origin;
pub use puller::{Hosts, Progress, Puller};

use super::address::public;
pub use super::error::PullError;
use super::fetch::{FetchError, Remote};
use crate::gguf::sha256;
use puller::Part;

impl Puller {
    /// Fetches a model and reports the progress of each file. Returns the path of its file, or of the first of its
    /// parts. A file that is on this machine already is not fetched again.
    ///
    /// # Errors
    ///
    /// A [`PullError`]. No part of a model has its own name until all parts have arrived.
    pub fn pull(
        &self,
        origin: &Origin,
        sha256: Option<&str>,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf, PullError> {
        let path = match origin {
            Origin::Hub { repository, file } => hub::fetch(self, repository, file.as_deref(), sha256, progress),
            Origin::Docker(repository, tag) => registry::docker(self, (repository, tag), sha256, progress),
            Origin::Ollama(repository, tag) => registry::ollama(self, (repository, tag), sha256, progress),
            Origin::Url(url) => self.file(url, sha256, progress),
        }
        .map_err(|error| self.with_files(error, origin))?;
        if let Some(wanted) = sha256 {
            check(&path, wanted, progress)?;
        }
        Ok(path)
    }

    /// Adds the address of the files to an error without a network. A registry has no address for a browser.
    fn with_files(&self, error: PullError, origin: &Origin) -> PullError {
        let PullError::Fetch(error @ FetchError::Unreachable { .. }) = error else { return error };
        let hub = &self.hosts.hub;
        let files = match origin {
            Origin::Url(url) => public(url),
            Origin::Hub { repository, file: Some(file) } if file.to_lowercase().ends_with(".gguf") => {
                format!("{hub}/{repository}/resolve/main/{file}")
            }
            Origin::Hub { repository, file } => {
                let part = file.as_ref().map_or(String::new(), |part| format!("{part} "));
                format!("the {part}GGUF files of {hub}/{repository}/tree/main")
            }
            Origin::Docker(..) | Origin::Ollama(..) => return error.into(),
        };
        PullError::NoNetwork { error, files }
    }

    fn file(&self, url: &str, sha256: Option<&str>, progress: &mut Progress<'_>) -> Result<PathBuf, PullError> {
        let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        if ["", ".", ".."].contains(&name) || url.split_once("://").is_some_and(|(_, rest)| !rest.contains('/')) {
            return Err(PullError::NoFile(url.to_owned()));
        }
        let remote = Remote { url: url.to_owned(), sha256: sha256.map(str::to_owned), ..Remote::default() };
        let place = self.hosts.folder.join(name);
        self.fetch_all(&[Part { remote, place: place.clone() }], progress)?;
        Ok(place)
    }
}

/// Checks that a file has the SHA-256 that was asked for.
///
/// # Errors
///
/// [`PullError::OtherDigest`], or [`PullError::Unreadable`].
pub fn check(path: &Path, wanted: &str, progress: &mut Progress<'_>) -> Result<(), PullError> {
    let found = sha256(path, &mut |done, all| progress("checking", done, Some(all)))
        .map_err(|error| PullError::Unreadable(path.to_owned(), error))?;
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(PullError::OtherDigest { what: path.display().to_string(), found, wanted: wanted.to_owned(), local: true })
}
