//! The client and the hosts of a fetch, and the files of one model.

use std::path::PathBuf;

use crate::models::address::public;
use crate::models::error::PullError;
use crate::models::fetch::{Client, Remote};

/// Receives the progress of a fetch: the step, bytes that are done, and all bytes if known.
pub type Progress<'a> = dyn FnMut(&str, u64, Option<u64>) + 'a;

/// Addresses of the registries, and the folders that models are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Hugging Face.
    pub hub: String,
    /// The server that issues tokens for Docker's registry.
    pub docker_tokens: String,
    /// Docker's registry.
    pub docker: String,
    /// Ollama's registry.
    pub ollama: String,
    /// The cache of Hugging Face.
    pub hub_cache: PathBuf,
    /// The folder for all other models.
    pub folder: PathBuf,
    /// A token for Hugging Face.
    pub token: Option<String>,
}

/// Fetches models from registries.
#[derive(Debug)]
pub struct Puller {
    /// The client that fetches files.
    pub client: Client,
    /// Addresses and folders.
    pub hosts: Hosts,
}

/// A file of a model, and its place.
pub(super) struct Part {
    pub(super) remote: Remote,
    pub(super) place: PathBuf,
}

impl Puller {
    /// Fetches all files of a model to their places.
    pub(super) fn fetch_all(&self, parts: &[Part], progress: &mut Progress<'_>) -> Result<(), PullError> {
        for (number, Part { remote, place }) in (1..).zip(parts) {
            let step =
                if parts.len() == 1 { "fetching".to_owned() } else { format!("part {number} of {}", parts.len()) };
            self.client.fetch(remote, place, &mut |done, all| progress(&step, done, all))?;
        }
        Ok(())
    }
}

/// Checks that the registry offers the digest that was asked for, if the registry states one.
pub(super) fn agree(parts: &[Part], wanted: Option<&str>) -> Result<(), PullError> {
    match (parts, wanted) {
        (_, None) => Ok(()),
        ([Part { remote, .. }], Some(wanted)) => match &remote.sha256 {
            Some(found) if !found.eq_ignore_ascii_case(wanted) => {
                let (what, found, wanted) = (public(&remote.url), found.clone(), wanted.to_owned());
                Err(PullError::OtherDigest { what, found, wanted, local: false })
            }
            _ => Ok(()),
        },
        (parts, Some(_)) => Err(PullError::Parts(parts.len())),
    }
}
