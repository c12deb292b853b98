//! Parts of HTTP answers that all clients read: which failures pass, and how long a server asks to wait.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::{Body, Error, Timeout};

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
