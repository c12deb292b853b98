//! Reading a certificate from its JSON.

use super::{Certificate, VERSION};
use crate::calibration::map::MapError;
use crate::hint::{Hint, Hints};
use crate::text::json_place;

/// The reason why a certificate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file is no JSON.
    #[error("it is no certificate ({place})")]
    NoJson {
        /// The line and the byte at which it is no longer JSON.
        place: String,
    },
    /// The JSON is something else than a certificate.
    #[error("it is no certificate, which magistrate calibrate issues")]
    NoCertificate,
    /// The first version of the format had no terms.
    #[error("it is a certificate of an earlier version, which does not name its terms")]
    Earlier,
    /// The version of the format is unknown.
    #[error("it is a certificate of version {version}; this program reads version {VERSION}")]
    Version {
        /// The version of the certificate's format.
        version: u64,
    },
    /// A field is missing or has another type.
    #[error("it is a damaged certificate: a field is missing or no number")]
    Damaged,
    /// The terms are empty.
    #[error("it names no terms")]
    NoTerms,
    /// The map is impossible.
    #[error(transparent)]
    Map(MapError),
    /// A share is outside its range.
    #[error("its {name} is not between 0 and 0.5")]
    Share {
        /// `alpha` or `delta`.
        name: &'static str,
    },
    /// A threshold is outside its range.
    #[error("its threshold `{name}` is outside 0 to 1")]
    Threshold {
        /// `low` or `high`.
        name: &'static str,
    },
    /// The lower threshold is not below the upper one.
    #[error("its thresholds cross: safe ends above where a violation begins")]
    Crossed,
}

impl Hints for CertificateError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Earlier => vec![Hint::new("issue it again with magistrate calibrate")],
            _ => Vec::new(),
        }
    }
}

impl Certificate {
    /// Reads a certificate from its JSON, and refuses values that no certificate can have.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is no certificate or one of another version, or if a number is impossible.
    pub fn read(json: &[u8]) -> Result<Self, CertificateError> {
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|error| CertificateError::NoJson { place: json_place(&error) })?;
        let has = |name: &str| value.get(name).is_some();
        match value.get("certificate").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            None if has("map") && has("alpha") && has("about") => return Err(CertificateError::Earlier),
            None => return Err(CertificateError::NoCertificate),
            Some(version) => return Err(CertificateError::Version { version }),
        }
        // The parser's message is dropped: it may quote the file.
        let certificate: Self = serde_json::from_value(value).map_err(|_| CertificateError::Damaged)?;
        certificate.map.check().map_err(CertificateError::Map)?;
        let Self { alpha, delta, low, high, about, .. } = &certificate;
        if about.terms.0.is_empty() {
            return Err(CertificateError::NoTerms);
        }
        for (name, share) in [("alpha", alpha), ("delta", delta)] {
            if !(*share > 0.0 && *share < 0.5) {
                return Err(CertificateError::Share { name });
            }
        }
        for (name, threshold) in [("low", low), ("high", high)] {
            if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
                return Err(CertificateError::Threshold { name });
            }
        }
        match (low, high) {
            (Some(low), Some(high)) if low >= high => Err(CertificateError::Crossed),
            _ => Ok(certificate),
        }
    }
}
