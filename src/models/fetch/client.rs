//! The HTTP client: requests, and waiting between attempts.

use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::http::{is_passing, retry_after, tls, unreachable};
use crate::models::error::FetchError;

/// Most attempts in a row that bring no byte.
pub(super) const ATTEMPTS: u32 = 5;
/// Longest time that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Most bytes of an answer that is JSON.
const LARGEST_JSON: u64 = 16 << 20;

/// An HTTP client that makes several attempts.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    /// Longest wait for a stalled server. A thirtieth of it is the first wait between attempts.
    patience: Duration,
}

/// A file on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Address.
    pub url: String,
    /// `Authorization`, for the first host alone.
    pub authorization: Option<String>,
    /// Size in bytes, if known.
    pub size: Option<u64>,
    /// SHA-256, if known.
    pub sha256: Option<String>,
}

impl Client {
    /// Returns a client that waits at most `patience` for a stalled server.
    ///
    /// # Errors
    ///
    /// [`FetchError::Certificates`].
    pub fn new(patience: Duration) -> Result<Self, FetchError> {
        // A refusal is read as an answer, as its headers may state how long to wait. The whole of an answer has no time
        // limit: a model may take hours, and only a stall is a fault.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .user_agent(concat!("magistrate/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls()?)
            .build();
        Ok(Self { agent: config.into(), patience })
    }

    /// Requests JSON.
    ///
    /// # Errors
    ///
    /// A [`FetchError`].
    pub fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        authorization: Option<&str>,
        accept: &str,
    ) -> Result<T, FetchError> {
        let mut attempt = 0;
        loop {
            let mut request = self.agent.get(url).header("Accept", accept);
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            let why = match request.call() {
                Ok(mut response) if response.status().is_success() => {
                    let body = response.body_mut().with_config().limit(LARGEST_JSON).read_to_vec();
                    match body.map(|body| serde_json::from_slice(&body)) {
                        Ok(Ok(answer)) => return Ok(answer),
                        Ok(Err(error)) => {
                            return Err(FetchError::Answer { url: url.to_owned(), why: error.to_string() });
                        }
                        Err(error) => error.to_string(),
                    }
                }
                Ok(response) => {
                    let status = response.status();
                    attempt += 1;
                    if !is_passing(status) || attempt >= ATTEMPTS {
                        return Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() });
                    }
                    self.wait(attempt, retry_after(&response));
                    continue;
                }
                Err(error) => {
                    // Without a network further attempts would only be waits.
                    if let Some(why) = unreachable(&error).filter(|_| attempt > 0) {
                        return Err(FetchError::Unreachable { url: url.to_owned(), why });
                    }
                    error.to_string()
                }
            };
            attempt += 1;
            if attempt >= ATTEMPTS {
                return Err(FetchError::Broken { url: url.to_owned(), why });
            }
            self.wait(attempt, None);
        }
    }

    /// Requests a file from byte `from` on. If the file has another tag by now, the server sends all of it.
    pub(super) fn ask(&self, remote: &Remote, from: u64, tag: Option<&str>) -> Result<Response<Body>, ureq::Error> {
        // A compressed answer would have other offsets than the file has.
        let mut request = self.agent.get(&remote.url).header("Accept-Encoding", "identity");
        if let Some(authorization) = &remote.authorization {
            request = request.header("Authorization", authorization);
        }
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
            if let Some(tag) = tag {
                request = request.header("If-Range", tag);
            }
        }
        request.call()
    }

    /// Waits as long as the server asks, or longer after each attempt.
    pub(super) fn wait(&self, attempt: u32, asked: Option<Duration>) {
        let own = if attempt == 0 { Duration::ZERO } else { self.patience / 30 * 2_u32.pow(attempt.min(6) - 1) };
        std::thread::sleep(asked.unwrap_or(own).min(LONGEST_WAIT));
    }
}
