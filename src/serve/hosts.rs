//! The hosts that a server answers for, and the sites whose pages may call it.
//!
//! A page of another site can make a browser send requests to this machine, and can give its own name this machine's
//! address. So the name that a client used must be known, and so must the site of a page.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Version};

use super::api_error::ApiError;

/// The hosts and sites that are answered.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Names in the header `Host`, without ports. `None`: any name.
    pub names: Option<Vec<String>>,
    /// Sites in the header `Origin` whose pages may call the server.
    pub origins: Vec<String>,
}

/// The names of this machine for itself.
pub const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Hosts {
    /// Checks the host that a client named, and the site of the page that sent the request. A link on another site may
    /// lead to a route that `may_be_linked`.
    ///
    /// # Errors
    ///
    /// Status 403 for a host or site that is not known, 400 for a header that cannot be read.
    pub fn check(&self, version: Version, headers: &HeaderMap, may_be_linked: bool) -> Result<(), ApiError> {
        let count = headers.get_all(HOST).iter().count();
        if count > 1 || (count == 0 && version == Version::HTTP_11) {
            return Err(ApiError::invalid("invalid_host", "a request has one header Host"));
        }
        let header = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("\0"));
        let host = header(HOST);
        if let (Some(names), Some(host)) = (&self.names, host) {
            let name = without_port(host);
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let message = "this server does not answer for the host in the request; its owner can add the name";
                return Err(ApiError::new(StatusCode::FORBIDDEN, "unknown_host", message));
            }
        }
        let other_site = || {
            let message = "pages of other sites may not call this server, unless its owner allows the site";
            Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message))
        };
        if let Some(origin) = header(ORIGIN) {
            let own = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, site)| site == host));
            return if own || self.allows(origin) { Ok(()) } else { other_site() };
        }
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|header| header == value);
        let is_link = may_be_linked && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
        // Browsers send it with requests that have no origin, such as those of a link or an image.
        match headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes) {
            Some(b"cross-site" | b"same-site") if !is_link => other_site(),
            _ => Ok(()),
        }
    }

    /// Reports whether pages of this site may call the server.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host.ends_with(']') => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(hosts: &Hosts, headers: &[(&'static str, &str)]) -> u16 {
        let version = if headers.is_empty() { Version::HTTP_10 } else { Version::HTTP_11 };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        hosts.check(version, &map, false).map_or_else(|error| error.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_known_hosts_and_sites_are_answered() {
        let names = Some(LOOPBACK.map(str::to_owned).to_vec());
        let hosts = Hosts { names, origins: vec!["https://desk.example".to_owned()] };
        for (headers, status) in [
            (&[("host", "localhost:8787")][..], 200),
            (&[("host", "LOCALHOST")], 200),
            (&[("host", "[::1]:8787")], 200),
            (&[], 200),
            (&[("host", "evil")], 403),
            (&[("host", "localhost"), ("host", "evil")], 400),
            (&[("accept", "*/*")], 400),
            (&[("host", "localhost.evil.example:8787")], 403),
            (&[("host", "localhost:8787"), ("origin", "http://localhost:8787")], 200),
            (&[("host", "localhost:8787"), ("origin", "https://desk.example")], 200),
            (&[("host", "localhost:8787"), ("origin", "https://evil.example")], 403),
            (&[("host", "localhost:8787"), ("origin", "null")], 403),
            (&[("host", "localhost:8787"), ("sec-fetch-site", "cross-site")], 403),
            (&[("host", "localhost:8787"), ("sec-fetch-site", "same-origin")], 200),
        ] {
            assert_eq!(checked(&hosts, headers), status, "{headers:?}");
        }
        assert_eq!(checked(&Hosts::default(), &[("host", "moderation.example")]), 200);
    }

    #[test]
    fn a_link_on_another_site_leads_to_the_page_and_a_frame_there_does_not() {
        let hosts = Hosts { names: Some(vec!["localhost".to_owned()]), origins: Vec::new() };
        for (host, destination, status) in
            [("localhost", "document", 200), ("localhost", "iframe", 403), ("evil", "document", 403)]
        {
            let mut map = HeaderMap::new();
            map.insert(HOST, host.parse().unwrap());
            for (name, value) in
                [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", destination)]
            {
                map.insert(name, value.parse().unwrap());
            }
            let linked = |may_be_linked| {
                let checked = hosts.check(Version::HTTP_11, &map, may_be_linked);
                checked.map_or_else(|error| error.status.as_u16(), |()| 200)
            };
            assert_eq!((linked(true), linked(false)), (status, 403), "{host} {destination}");
        }
    }
}
