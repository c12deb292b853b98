//! Parts of HTTP answers with files.

use ureq::Body;
use ureq::http::Response;

use crate::http::header;

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
