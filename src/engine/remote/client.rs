//! Requests to a server, each in several attempts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::error::RemoteError;
use super::server::RemoteOptions;
use crate::http::{is_passing, retry_after, tls, unreachable};
use crate::random::Random;
use crate::text::shown;

/// Most attempts of one request.
const ATTEMPTS: u32 = 6;
/// Most attempts while each reply is late, or none that can be read.
const SPOILED: u32 = 3;
/// First wait between attempts. Each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait between attempts, unless the server asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Longest wait that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(2);
/// A server without a single reply for this long gets one attempt a request.
const GONE: Duration = Duration::from_mins(2);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Most bytes of a reply.
const LARGEST: u64 = 256 << 20;

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    /// The address without `/v1`.
    base: String,
    authorization: Option<String>,
    started: Instant,
    /// Milliseconds from the start to the last reply.
    replied: AtomicU64,
    /// Attempts that failed because of the server or the way to it.
    failures: AtomicU64,
}

/// The end of one attempt.
enum Failed {
    /// A later attempt may succeed, after the time that the server asked for.
    Passing(RemoteError, Option<Duration>),
    /// The reply came late or cannot be read.
    Spoiled(RemoteError),
    Final(RemoteError),
}

impl Client {
    /// Makes a client. Nothing is sent.
    pub(super) fn new(options: &RemoteOptions) -> Result<Self, RemoteError> {
        let url = options.url.trim().trim_end_matches('/');
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let host = host.map(|rest| rest.split('/').next().unwrap_or_default());
        match host {
            Some(host) if host.contains('@') => return Err(RemoteError::KeyInAddress),
            Some(host) if !host.is_empty() && !url.contains(['?', '#']) && !url.contains(char::is_whitespace) => {}
            _ => return Err(RemoteError::Address { url: shown(url) }),
        }
        // A refusal is read as a reply, for its words and for the time to wait.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(options.patience))
            .timeout_per_read(Some(options.patience))
            .max_idle_connections(1024)
            .max_idle_connections_per_host(1024)
            .user_agent(concat!("magistrate/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls()?)
            .build();
        Ok(Self {
            agent: config.into(),
            base: url.strip_suffix("/v1").unwrap_or(url).to_owned(),
            authorization: options.key.as_ref().map(|key| format!("Bearer {}", key.secret())),
            started: Instant::now(),
            replied: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// Returns the number of attempts that failed because of the server or the way to it.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Requests JSON from a path. `None` if the server has no such route.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, RemoteError> {
        let read = |bytes: &[u8]| Ok(serde_json::from_slice(bytes).ok());
        self.routed(
            || {
                let request = self.agent.get(format!("{}{path}", self.base));
                self.authorized(request).call()
            },
            &read,
        )
    }

    /// Sends JSON to a path, and reads the reply. `None` if the server has no such route.
    pub(super) fn try_post<T>(
        &self,
        path: &str,
        body: &str,
        read: &impl Fn(&[u8]) -> Result<T, RemoteError>,
    ) -> Result<Option<T>, RemoteError> {
        let read = |bytes: &[u8]| read(bytes).map(Some);
        self.routed(
            || {
                let request =
                    self.agent.post(format!("{}{path}", self.base)).header("Content-Type", "application/json");
                self.authorized(request).send(body)
            },
            &read,
        )
    }

    /// Sends JSON to a path, and reads the reply.
    pub(super) fn post<T>(
        &self,
        path: &str,
        body: &str,
        read: &impl Fn(&[u8]) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let reply = self.try_post(path, body, read)?;
        reply.ok_or_else(|| RemoteError::Status { status: 404, why: format!("it has no route {path}") })
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.authorization {
            Some(authorization) => request.header("Authorization", authorization),
            None => request,
        }
    }

    /// Makes attempts until one succeeds or no further one would help.
    fn routed<T>(
        &self,
        send: impl Fn() -> Result<Response<Body>, ureq::Error>,
        read: &impl Fn(&[u8]) -> Result<Option<T>, RemoteError>,
    ) -> Result<Option<T>, RemoteError> {
        let (mut attempts, mut spoiled) = (0, 0);
        loop {
            attempts += 1;
            let (error, asked) = match self.attempt(&send, read) {
                Ok(reply) => return Ok(reply),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Passing(error, asked)) => (error, asked),
                Err(Failed::Spoiled(error)) => {
                    spoiled += 1;
                    (error, None)
                }
            };
            self.failures.fetch_add(1, Ordering::Relaxed);
            if attempts >= ATTEMPTS || spoiled >= SPOILED || self.is_gone() {
                return Err(error);
            }
            std::thread::sleep(asked.map_or_else(|| wait(attempts), |asked| asked.min(LONGEST_ASKED)));
        }
    }

    fn attempt<T>(
        &self,
        send: &impl Fn() -> Result<Response<Body>, ureq::Error>,
        read: &impl Fn(&[u8]) -> Result<Option<T>, RemoteError>,
    ) -> Result<Option<T>, Failed> {
        let mut response = send().map_err(|error| match unreachable(&error) {
            Some(why) => Failed::Passing(RemoteError::Unreachable { url: self.base.clone(), why }, None),
            None => late(&error),
        })?;
        let (status, asked) = (response.status(), retry_after(&response));
        let bytes = response.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(|error| late(&error))?;
        if status.is_success() {
            let reply = read(&bytes).map_err(|error| match error {
                RemoteError::Reply(_) => Failed::Spoiled(error),
                error => Failed::Final(error),
            })?;
            let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.replied.fetch_max(now, Ordering::Relaxed);
            return Ok(reply);
        }
        let error = RemoteError::Status { status: status.as_u16(), why: self.words(&bytes) };
        match status.as_u16() {
            404 | 405 | 501 => Ok(None),
            _ if is_passing(status) => Err(Failed::Passing(error, asked)),
            _ => Err(Failed::Final(error)),
        }
    }

    /// Reports whether the server has been silent for long.
    fn is_gone(&self) -> bool {
        let replied = Duration::from_millis(self.replied.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(replied) > GONE
    }

    /// Returns the words of a refusal, from the places where servers put them. The key is never among them.
    fn words(&self, bytes: &[u8]) -> String {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        let places = [&value["error"]["message"], &value["message"], &value["detail"], &value["error"]];
        let words = places.into_iter().find_map(|place| place.as_str()).unwrap_or_default();
        let key = self.authorization.as_deref().and_then(|header| header.strip_prefix("Bearer "));
        shown(&match key.filter(|key| !key.is_empty()) {
            Some(key) => words.replace(key, "[key]"),
            None => words.to_owned(),
        })
    }
}

/// Returns the failure of a reply that broke off.
fn late(error: &ureq::Error) -> Failed {
    Failed::Spoiled(RemoteError::Broken(error.to_string()))
}

/// Returns the wait after an attempt: longer each time, and never the same for two requests.
fn wait(attempts: u32) -> Duration {
    let longest = (FIRST_WAIT * 2_u32.pow(attempts.min(8))).min(LONGEST_WAIT);
    // Clients that failed together do not come back together.
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), attempts);
    let share = Random::new(seed).below(1000);
    #[allow(clippy::cast_possible_truncation, reason = "it is below 1000")]
    let share = share as u32;
    longest / 2 + longest / 2 * share / 1000
}
