//! Parts of HTTP answers.

use std::time::Duration;

use ureq::Body;
use ureq::http::{Response, StatusCode};

/// Reports whether a later attempt may get another status.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504)
}

/// Returns a header that is text.
pub(super) fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns the time that the server asks to wait.
pub(super) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    header(response, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the byte of the file that the answer begins with.
pub(super) fn start(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Returns the size of the file from the refusal of a range.
pub(super) fn whole(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.strip_prefix("bytes */")?.parse().ok()
}

/// Returns the length of the answer in bytes.
pub(super) fn length(response: &Response<Body>) -> Option<u64> {
    header(response, "content-length")?.parse().ok()
}

/// Returns the tag that stays the same as long as the file's bytes do.
pub(super) fn strong_tag(response: &Response<Body>) -> Option<&str> {
    header(response, "etag").filter(|tag| !tag.starts_with("W/"))
}
