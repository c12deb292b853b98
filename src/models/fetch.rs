//! Fetches one file from a server, whole or not at all.
//!
//! The bytes that arrive are written beside the file's place under another name. A download that broke off resumes with
//! them. The file gets its own name only when all of it has the expected digest. No other room uses HTTP.

mod client;
mod http;
mod transfer;

pub use client::{Client, Remote};

pub use super::address::public;
pub use super::error::FetchError;
use transfer::Transfer;

use std::path::Path;

impl Client {
    /// Fetches a file to its place, and reports its progress: bytes that have arrived, and all bytes if known. A file
    /// that has its own name already is not changed.
    ///
    /// # Errors
    ///
    /// A [`FetchError`]. The file does not have its own name then.
    pub fn fetch(
        &self,
        remote: &Remote,
        place: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), FetchError> {
        match Transfer::begin(remote, place)? {
            Some(transfer) => transfer.run(self, progress),
            None => Ok(()),
        }
    }
}
