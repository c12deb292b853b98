//! A request on its way through its route: its parts, its body, and who sent it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout_at;

use super::api_error::ApiError;
use super::audit;
use super::keys::Key;
use super::policies::Served;
use super::reviewing::Reviewing;
use super::state::State;
use crate::label::row::Row;
use crate::text::json_place;

/// A request.
#[derive(Debug)]
pub struct Call {
    /// The state of the server.
    pub state: Arc<State>,
    /// The request's id: that of the header `x-request-id`, or a new one.
    pub id: String,
    /// The key that was sent. `None` on a server without keys.
    pub key: Option<Arc<Key>>,
    /// The route, as metrics name it.
    pub route: &'static str,
    /// The values of the places in the route's path, by name.
    pub params: Vec<(String, String)>,
    /// The method, the address and the headers.
    pub parts: Parts,
    /// True for a request of a batch: its texts wait for places, and nothing but its own deadline ends it.
    pub is_patient: bool,
}

impl Call {
    /// Returns the value of a place in the route's path. Empty if the route has no such place.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// Returns a header's value, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Returns the first value of a name in the address, with `%` and `+` decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        self.queries().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Returns all names and values in the address, with `%` and `+` decoded.
    #[must_use]
    pub fn queries(&self) -> Vec<(String, String)> {
        let pairs = self.parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
    }

    /// Returns the media type of the body, in small letters and without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// Returns the time that the client gives the request, in the header `x-request-timeout`, in seconds.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let seconds: f64 = self.header("x-request-timeout")?.trim().trim_end_matches('s').parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// Status 413 for a body that is too large, 408 for one that is too slow, 400 for one that breaks off.
    pub async fn bytes(&self, body: Body) -> Result<Bytes, ApiError> {
        self.bytes_up_to(body, self.state.limits.max_body).await
    }

    /// Reads a body of at most this size.
    ///
    /// # Errors
    ///
    /// The errors of [`Call::bytes`].
    pub async fn bytes_up_to(&self, mut body: Body, most: usize) -> Result<Bytes, ApiError> {
        let too_large = || {
            let message = format!("the body is larger than {most} bytes");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
        };
        let length = self.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let ends = tokio::time::Instant::now() + self.state.limits.body_timeout;
        let mut bytes = Vec::new();
        loop {
            let frame = timeout_at(ends, body.frame()).await.map_err(|_| {
                ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")
            })?;
            let Some(frame) = frame else { return Ok(bytes.into()) };
            let frame = frame.map_err(|_| ApiError::invalid("incomplete", "the body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(too_large());
            }
            // A body in one piece is not copied.
            if bytes.is_empty() && length == Some(data.len() as u64) {
                return Ok(data);
            }
            bytes.extend_from_slice(&data);
        }
    }

    /// Reads a body of JSON.
    ///
    /// # Errors
    ///
    /// The errors of [`Call::bytes`], status 415 for another media type, 400 for other JSON.
    pub async fn json<T: DeserializeOwned>(&self, body: Body) -> Result<T, ApiError> {
        match self.media_type().as_deref() {
            None => {}
            Some(kind) if kind == "application/json" || kind.ends_with("+json") => {}
            Some(_) => {
                let message = "the body must be JSON, with the header content-type: application/json";
                return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message));
            }
        }
        from_json(&self.bytes(body).await?)
    }

    /// Returns the review queue, if the texts of this request may go into it. The server's page sends drafts with
    /// a header that keeps them out.
    pub(super) fn reviewing(&self) -> Option<&Reviewing> {
        self.state.reviewing.as_ref().filter(|_| self.header("x-magistrate-page") != Some("1"))
    }

    /// Counts the row of a text, and writes its audit line.
    pub(super) fn record(&self, served: &Served, row: &Row, bytes: usize, time: Duration) {
        self.state.queue.count();
        self.state.metrics.item(if served.is_named { &served.policy.id } else { "ad-hoc" }, row, time.as_secs_f64());
        let trace = self.header("traceparent").and_then(|parent| parent.split('-').nth(1));
        let trace = trace.filter(|trace| trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let key = self.key.as_ref().map(|key| key.name.as_str());
        let request = audit::Request { id: &self.id, key, route: self.route, trace };
        self.state.audit.write(request, served, row, bytes, time);
    }
}

/// Reads JSON of a body. The error names the place and the property, and never shows the body.
///
/// # Errors
///
/// Status 400.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| json_error(&error))
}

/// Reads a value of JSON.
///
/// # Errors
///
/// Status 400.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| json_error(&error))
}

/// Returns the error of JSON that cannot be read.
#[must_use]
pub fn json_error(error: &serde_json::Error) -> ApiError {
    let place = json_place(error);
    if !error.is_data() {
        return ApiError::invalid("invalid_json", format!("the body is not valid JSON: {place}"));
    }
    // The parser's own words may quote the body, apart from these, which name a property of ours.
    let words = error.to_string();
    let property = words.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    if let Some(property) = words.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next()) {
        return ApiError::invalid("invalid_value", format!("the property `{property}` is there twice")).of(property);
    }
    match property {
        Some(property) => ApiError::invalid("missing", format!("the property `{property}` is missing")).of(property),
        None => {
            let expected = words.split(" expected ").nth(1).and_then(|rest| rest.split(" at line").next());
            // A name of this program's source helps nobody.
            let expected = expected.filter(|expected| !expected.starts_with("struct") && !expected.starts_with("enum"));
            let expected = expected.map(|expected| format!("; expected {expected}")).unwrap_or_default();
            ApiError::invalid("invalid_value", format!("a value has the wrong type, before {place}{expected}"))
        }
    }
}

/// Returns a response with JSON.
#[must_use]
pub fn json(value: &impl Serialize) -> Response<Body> {
    typed("application/json", serde_json::to_vec(value).unwrap_or_default())
}

/// Returns a response with a media type.
#[must_use]
pub fn typed(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Decodes `%` and `+` in a value of an address.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (bytes[at], hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_json_names_the_place_and_the_property_and_shows_nothing_of_the_body() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its errors are looked at")]
        struct Body {
            text: String,
            more: Option<u8>,
        }
        let error = |json: &str| from_json::<Body>(json.as_bytes()).unwrap_err();
        assert_eq!(error("{\"text\":").code, "invalid_json");
        assert_eq!(error("{}").param.as_deref(), Some("text"));
        let wrong = error("{\"text\":\"a\",\"more\":\"secret\"}");
        assert_eq!((wrong.code, wrong.message.contains("secret")), ("invalid_value", false));
    }

    #[test]
    fn values_of_an_address_are_decoded() {
        assert_eq!(decoded("a%20b+c%C3%A9%zz%"), "a b cé%zz%");
    }
}
