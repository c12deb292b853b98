//! Errors of models that are fetched or unpacked, and their remedies.

use std::io;
use std::path::PathBuf;

use super::address::{host, public};
use crate::cache;
use crate::certificates::CertificatesError;
use crate::hint::{Hint, Hints, Setting};

/// A file that could not be fetched. The bytes that arrived are kept, unless they were wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server refuses the file.
    #[error("{}: the server answers {status}", public(url))]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The certificates of certificate authorities cannot be read.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// No connection to the server can be made.
    #[error("no network: {} cannot be reached ({})", host(url), why.replace(url, &public(url)))]
    Unreachable {
        /// The address.
        url: String,
        /// The reason.
        why: String,
    },
    /// The connection broke in several attempts in a row.
    #[error("{}: {}", public(url), why.replace(url, &public(url)))]
    Broken {
        /// The address.
        url: String,
        /// The error of the last attempt.
        why: String,
    },
    /// The file has another size or digest than it should have.
    #[error("{}: {what}, and it was removed", public(url))]
    Wrong {
        /// The address.
        url: String,
        /// The difference.
        what: String,
    },
    /// Another process is fetching the file.
    #[error("{}: another process is fetching it", .0.display())]
    Busy(PathBuf),
    /// The disk has too little room.
    #[error("{}: the disk has {free} bytes left, and {needed} are needed", path.display())]
    Full {
        /// Place of the file.
        path: PathBuf,
        /// Free bytes.
        free: u64,
        /// Bytes of the rest of the file, and 5 % more.
        needed: u64,
    },
    /// The file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Disk {
        /// Place of the file.
        path: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The server's answer is not valid.
    #[error("{}: the answer makes no sense: {why}", public(url))]
    Answer {
        /// The address.
        url: String,
        /// The fault of the answer.
        why: String,
    },
}

impl Hints for FetchError {
    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Status { status, .. } => match status {
                401 | 403 => "it needs a token: set HF_TOKEN, and accept the model's terms on its page",
                404 => "check the name of the repository, the file and the tag",
                429 | 500.. => "the server is busy: try again later; the download resumes where it broke off",
                _ => "check the name",
            },
            Self::Certificates(_) => CertificatesError::REMEDY,
            Self::Unreachable { .. } => "run it again once there is a network: a download that began resumes",
            Self::Broken { .. } => "try again: the download resumes where it broke off",
            Self::Wrong { .. } => "fetch it again; if that does not help, the source or the connection is damaged",
            Self::Busy(_) => "wait for that process",
            Self::Full { .. } => "make room, or name another folder",
            Self::Disk { .. } => "try again: the bytes that arrived are kept, and the download resumes with them",
            Self::Answer { .. } => return Vec::new(),
        };
        vec![Hint::new(hint)]
    }
}

/// A model that could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The name is not one of a model source.
    #[error("unknown model source `{}`", public(_0))]
    Name(String),
    /// A file could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// No server can be reached. A browser, on this machine or another, gets the file from the address.
    #[error("{error}")]
    NoNetwork {
        /// The server and the reason.
        error: FetchError,
        /// The files to fetch: their address, or the page that lists them.
        files: String,
    },
    /// The repository has several models, or no model of that name.
    #[error("{repository} has {what}: {}", files.join(", "))]
    Choose {
        /// The repository.
        repository: String,
        /// The reason why a file must be named.
        what: &'static str,
        /// Files of the repository.
        files: Vec<String>,
    },
    /// The address does not end in a file's name.
    #[error("{} names no file", public(_0))]
    NoFile(String),
    /// The file has another digest than the one that was asked for.
    #[error("{what}: its sha256 is {found}, and {wanted} was asked for")]
    OtherDigest {
        /// The file, or its address.
        what: String,
        /// Its digest.
        found: String,
        /// The digest that was asked for.
        wanted: String,
        /// True for a file on this machine, false for a registry's.
        local: bool,
    },
    /// A digest was given for a model of several files.
    #[error("the model is in {0} parts, and a sha256 is of one file")]
    Parts(usize),
    /// A local file cannot be read.
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, #[source] io::Error),
    /// The registry's answer contains a name that no file may have.
    #[error("{0}: the registry names a file that cannot be one")]
    Hostile(String),
    /// A link in the cache cannot be made.
    #[error("{} cannot be made: {}", .0.display(), .1)]
    Link(PathBuf, #[source] io::Error),
}

impl Hints for PullError {
    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Fetch(error) => return error.hints(),
            Self::NoNetwork { files, .. } => {
                Hint::new(format!("download {files} in a browser, and pass its path with "))
                    .setting(Setting::Model)
                    .text("; with a network, run the same command again")
            }
            Self::Name(_) => Hint::new(
                "the sources are 20b, 120b, hf:ORG/REPO:FILE, docker:ai/NAME:TAG, ollama:NAME:TAG and https://...",
            ),
            Self::Choose { repository, files, .. } => {
                let file = files.first().map_or("FILE", String::as_str);
                Hint::new(format!("name one, as in hf:{repository}:{file}"))
            }
            Self::NoFile(_) => Hint::new("an address ends in a file's name, such as model.gguf"),
            Self::OtherDigest { local: true, .. } => Hint::new("move the file away, and fetch it again"),
            Self::OtherDigest { local: false, .. } => Hint::new("the registry has another file by now; without ")
                .setting(Setting::Sha256)
                .text(" that file is fetched"),
            Self::Parts(_) => Hint::new("leave out ")
                .setting(Setting::Sha256)
                .text(": the registry states the digest of each part, and it is checked"),
            Self::Unreadable(..) | Self::Hostile(_) | Self::Link(..) => return Vec::new(),
        };
        vec![hint]
    }
}

/// The built-in model could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NanoError {
    /// The cache cannot be used.
    #[error("{0}")]
    Cache(#[from] io::Error),
    /// The folder in the cache cannot be written.
    #[error("{}: the built-in model cannot be unpacked there: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
}

impl NanoError {
    /// Returns the kind of the error that the system gave.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Cache(error) | Self::Folder { error, .. } => error.kind(),
        }
    }
}

impl Hints for NanoError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Cache(_) => Vec::new(),
            Self::Folder { .. } => {
                vec![
                    Hint::new(format!("name another folder in {}, or a model with ", cache::VARIABLE))
                        .setting(Setting::Model),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://a.example/b/c.gguf", "https://a.example/b/c.gguf"),
            ("https://user:pass@a.example/c.gguf?X-Signature=s3cr3t#x", "https://a.example/c.gguf"),
            ("https://user:p@ss@a.example", "https://a.example"),
            ("https://a.example/@b/c", "https://a.example/@b/c"),
            ("hf:org/repo", "hf:org/repo"),
        ] {
            assert_eq!(public(url), shown);
        }
        let url = "http://user:pass@a.example/m.gguf?token=s3cr3t".to_owned();
        for error in [
            FetchError::Status { url: url.clone(), status: 404 },
            FetchError::Broken { url: url.clone(), why: format!("bad uri: {url}") },
            FetchError::Unreachable { url: url.clone(), why: format!("bad uri: {url}") },
            FetchError::Wrong { url: url.clone(), what: "its sha256 is another".to_owned() },
            FetchError::Answer { url, why: "no JSON".to_owned() },
        ] {
            let shown = error.to_string();
            let no_network = shown.starts_with("no network: a.example cannot be reached ");
            assert!(no_network || shown.starts_with("http://a.example/m.gguf: "), "{shown}");
            assert!(!shown.contains("pass") && !shown.contains("s3cr3t"), "{shown}");
        }
    }
}
