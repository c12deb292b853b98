//! The parts that all clients of HTTP share: certificates, failures that pass, and the time that a server asks to wait.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Body, Error, Timeout};

use crate::certificates::CertificatesError;

/// Returns the settings of TLS. A server's certificate is checked against those in the file that `SSL_CERT_FILE` names,
/// as in curl and OpenSSL. Without it, against Mozilla's.
pub(crate) fn tls() -> Result<TlsConfig, CertificatesError> {
    tls_with(std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()))
}

fn tls_with(file: Option<OsString>) -> Result<TlsConfig, CertificatesError> {
    let roots = match file.map(PathBuf::from) {
        Some(path) => certificates(&path).map_err(|why| CertificatesError { path, why })?,
        None => RootCerts::WebPki,
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

fn certificates(path: &std::path::Path) -> Result<RootCerts, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err("it contains no certificate in PEM".to_owned()) } else { Ok(RootCerts::from(found)) }
}

/// Reports whether a later attempt may get another status.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504)
}

/// Returns a header that is text.
pub(crate) fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns the time that the server asks to wait.
pub(crate) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    header(response, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the reason why no connection to a server was made. `None` if there was one, and it failed later.
pub(crate) fn unreachable(error: &Error) -> Option<String> {
    match error {
        Error::HostNotFound => Some("its name has no address".to_owned()),
        Error::ConnectionFailed => Some("the connection failed".to_owned()),
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => Some("it does not answer".to_owned()),
        // A lookup that failed has no kind of its own.
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::InvalidData
            | ErrorKind::InvalidInput => None,
            _ => {
                let why = error.to_string();
                Some(why.split(" (os error").next().unwrap_or_default().to_owned())
            }
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        assert!(tls_with(None).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(tls_with(Some(path.clone().into())).is_ok());
        std::fs::write(&path, "no certificate").unwrap();
        let error = tls_with(Some(path.clone().into())).unwrap_err();
        let expected = format!("{}: it contains no certificate in PEM (SSL_CERT_FILE names it)", path.display());
        assert_eq!(error.to_string(), expected);
        assert!(tls_with(Some(folder.path().join("none").into())).is_err());
    }
}
