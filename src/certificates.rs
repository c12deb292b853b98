//! The error of a file of certificates, which is known also where nothing is fetched.

use std::path::PathBuf;

/// The file of `SSL_CERT_FILE` is no list of certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why} (SSL_CERT_FILE names it)", path.display())]
pub struct CertificatesError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub why: String,
}

impl CertificatesError {
    /// The remedy.
    pub const REMEDY: &str = "unset SSL_CERT_FILE to trust Mozilla's roots";
}
