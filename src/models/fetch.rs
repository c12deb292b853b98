//! One file from the net, whole or not at all.
//!
//! The one idea: what has arrived lies beside its place under another name, is gone on with after whatever broke it off, and
//! gets its own name only when all of it has the digest that it should have. No other file knows HTTP.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::gguf::sha256;
use crate::text::with_ending;
use crate::{cache, files, machine};

/// A client, as patient as a slow line needs it to be.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    /// How long a stalled server is waited for, and between attempts at first.
    patience: Duration,
}

/// A file that is to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Where.
    pub url: String,
    /// `Authorization`, for the first host alone.
    pub authorization: Option<String>,
    /// Its bytes, if they are known.
    pub size: Option<u64>,
    /// Its sha256, if it is known.
    pub sha256: Option<String>,
}

/// Why a file could not be fetched. What had arrived is kept, unless it was wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server does not give it.
    #[error("{}: the server answers {status}\nhint: {}", public(url), status_hint(*status))]
    Status {
        /// The address.
        url: String,
        /// The answer.
        status: u16,
    },
    /// The line broke, again and again.
    #[error("{}: {}\nhint: the same command goes on where it broke off", public(url), why.replace(url, &public(url)))]
    Broken {
        /// The address.
        url: String,
        /// What the last attempt came to.
        why: String,
    },
    /// What came is not what should have come.
    #[error(
        "{}: {what}, and it was removed\nhint: fetch it again; if that does not help, the source or the line is damaged",
        public(url)
    )]
    Wrong {
        /// The address.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// Another process fetches it.
    #[error("{0}: another process is fetching it\nhint: wait for that one")]
    Busy(PathBuf),
    /// The disk has too little room.
    #[error("{path}: the disk has {free} bytes left, and {needed} are needed\nhint: make room, or name another folder")]
    Full {
        /// Where it should go.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are still to come, and some more.
        needed: u64,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {error}\nhint: what has arrived is kept, and the same command goes on with it")]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// An answer that is no answer.
    #[error("{}: the answer makes no sense: {why}", public(url))]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Returns an address without its secret parts: a password, and anything after the path, which may be a signature.
#[must_use]
pub fn public(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = path.split_once("://") else { return path.to_owned() };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

fn status_hint(status: u16) -> &'static str {
    match status {
        401 | 403 => "it needs a token: set HF_TOKEN, and accept the model's terms on its page",
        404 => "check the name: is there such a repository, file or tag?",
        429 | 500.. => "the server is busy: try again later, the same command goes on where it broke off",
        _ => "check the name",
    }
}

/// Endings of a file that is not whole, and of the one with the server's tag for it. No other program's files end so.
const PART: &str = ".magistrate.part";
const TAG: &str = ".magistrate.etag";

/// Attempts in a row that bring nothing.
const ATTEMPTS: u32 = 5;
/// The longest that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Bytes of an answer that is JSON.
const LARGEST_JSON: u64 = 16 << 20;

impl Client {
    /// A client that waits so long for a stalled server.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .user_agent(concat!("magistrate/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), patience }
    }

    /// Asks for JSON.
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
                    if !passing(status) || attempt >= ATTEMPTS {
                        return Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() });
                    }
                    self.wait(attempt, retry_after(&response));
                    continue;
                }
                Err(error) => error.to_string(),
            };
            attempt += 1;
            if attempt >= ATTEMPTS {
                return Err(FetchError::Broken { url: url.to_owned(), why });
            }
            self.wait(attempt, None);
        }
    }

    /// Fetches a file to its place, and tells how far it is: bytes that are there, of all. What is there already under its
    /// own name is left as it is.
    ///
    /// # Errors
    ///
    /// A [`FetchError`]. There is no file under its own name then.
    pub fn fetch(
        &self,
        remote: &Remote,
        place: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), FetchError> {
        let disk = |path: &Path, error| FetchError::Disk { path: path.to_owned(), error };
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(|error| disk(folder, error))?;
        }
        if place.exists() {
            return Ok(());
        }
        let path = with_ending(place, PART);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = files::open_itself(&path, options).map_err(|error| disk(&path, error))?;
        if file.try_lock().is_err() {
            return Err(FetchError::Busy(place.to_owned()));
        }
        // While this one waited to look, another may have fetched it, and this file may be that one's.
        if place.exists() { Ok(()) } else { self.fetch_locked(remote, place, file, progress) }
    }

    /// `file` is what has arrived, and is locked.
    fn fetch_locked(
        &self,
        remote: &Remote,
        place: &Path,
        mut file: File,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), FetchError> {
        let (path, tag_path) = (with_ending(place, PART), with_ending(place, TAG));
        let disk = |error| FetchError::Disk { path: path.clone(), error };
        let mut done = file.seek(SeekFrom::End(0)).map_err(disk)?;
        if let Some(size) = remote.size {
            if done > size {
                file.set_len(0).map_err(disk)?;
                done = 0;
            }
            room(place, size - done)?;
        }
        let (mut attempt, mut all) = (0, remote.size);
        while remote.size.is_none_or(|size| done < size) {
            let before = done;
            let tag = fs::read_to_string(&tag_path).ok();
            if done > 0 && tag.is_none() && remote.sha256.is_none() {
                // Nothing would tell whether the rest is of the same file.
                file.set_len(0).map_err(disk)?;
                done = 0;
            }
            let wait = match self.ask(remote, done, tag.as_deref()) {
                Ok(response) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                    // All of it is there, or none of it is what is there now.
                    let known =
                        text(&response, "content-range").and_then(|range| range.strip_prefix("bytes */")?.parse().ok());
                    if known == Some(done) {
                        break;
                    }
                    file.set_len(0).map_err(disk)?;
                    done = 0;
                    None
                }
                Ok(response) if response.status().is_success() => {
                    if response.status() != StatusCode::PARTIAL_CONTENT || start(&response) != Some(done) {
                        // From the beginning: the server knows no ranges, or has another file now.
                        file.set_len(0).map_err(disk)?;
                        done = 0;
                    }
                    if let Some(tag) = text(&response, "etag").filter(|tag| !tag.starts_with("W/")) {
                        cache::put(&tag_path, tag.as_bytes()).map_err(disk)?;
                    }
                    let coming = text(&response, "content-length").and_then(|length| length.parse::<u64>().ok());
                    all = remote.size.or(coming.map(|coming| done.saturating_add(coming)));
                    if let Some(all) = all {
                        room(place, all.saturating_sub(done))?;
                    }
                    file.seek(SeekFrom::Start(done)).map_err(disk)?;
                    let ended = take(response, &mut file, &mut done, all, progress).map_err(disk)?;
                    if ended.is_none() && all.is_none_or(|all| done >= all) {
                        break;
                    }
                    None
                }
                Ok(response) if passing(response.status()) => {
                    if attempt + 1 >= ATTEMPTS {
                        return Err(FetchError::Status { url: remote.url.clone(), status: response.status().as_u16() });
                    }
                    retry_after(&response)
                }
                Ok(response) => {
                    return Err(FetchError::Status { url: remote.url.clone(), status: response.status().as_u16() });
                }
                Err(error) if attempt + 1 >= ATTEMPTS => {
                    return Err(FetchError::Broken { url: remote.url.clone(), why: error.to_string() });
                }
                Err(_) => None,
            };
            attempt = if done > before { 0 } else { attempt + 1 };
            if attempt >= ATTEMPTS {
                let why = format!("it breaks off at {done} bytes, again and again");
                return Err(FetchError::Broken { url: remote.url.clone(), why });
            }
            self.wait(attempt, wait);
        }
        file.sync_all().map_err(disk)?;
        let wrong = |what: String| {
            let _ = fs::remove_file(&path);
            FetchError::Wrong { url: remote.url.clone(), what }
        };
        let _ = fs::remove_file(&tag_path);
        if let Some(size) = all.filter(|size| *size != done) {
            return Err(wrong(format!("{done} bytes came where it has {size}")));
        }
        if let Some(expected) = &remote.sha256 {
            let found = sha256(&path, &mut |done, all| progress(done, Some(all))).map_err(disk)?;
            if !found.eq_ignore_ascii_case(expected) {
                return Err(wrong(format!("its sha256 is {found}, and should be {expected}")));
            }
        }
        fs::rename(&path, place).map_err(disk)
    }

    fn ask(&self, remote: &Remote, from: u64, tag: Option<&str>) -> Result<Response<Body>, ureq::Error> {
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

    /// As long as the server asks, or longer each time.
    fn wait(&self, attempt: u32, asked: Option<Duration>) {
        let own = if attempt == 0 { Duration::ZERO } else { self.patience / 30 * 2_u32.pow(attempt.min(6) - 1) };
        std::thread::sleep(asked.unwrap_or(own).min(LONGEST_WAIT));
    }
}

/// Writes what comes. What ended it before its end, if something did; an error only if it cannot be written.
fn take(
    response: Response<Body>,
    file: &mut File,
    done: &mut u64,
    all: Option<u64>,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> io::Result<Option<io::Error>> {
    let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(read) => {
                file.write_all(&buffer[..read])?;
                *done += read as u64;
                progress(*done, all);
                if all.is_some_and(|all| *done > all) {
                    // More than there is: that is not it.
                    return Ok(None);
                }
            }
            Err(error) => return Ok(Some(error)),
        }
    }
}

/// Whether a status may be another the next time.
fn passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504)
}

fn text<'r>(response: &'r Response<Body>, header: &str) -> Option<&'r str> {
    response.headers().get(header)?.to_str().ok()
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    text(response, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// The byte that a part of a file begins with.
fn start(response: &Response<Body>) -> Option<u64> {
    text(response, "content-range")?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Whether the disk has room for so many bytes, and a twentieth more.
fn room(place: &Path, bytes: u64) -> Result<(), FetchError> {
    let needed = bytes.saturating_add(bytes / 20);
    match machine::room(place.parent().unwrap_or(Path::new("."))) {
        Some(free) if free < needed => Err(FetchError::Full { path: place.to_owned(), free, needed }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_what_may_be_secret() {
        for (url, told) in [
            ("https://a.example/b/c.gguf", "https://a.example/b/c.gguf"),
            ("https://user:pass@a.example/c.gguf?X-Signature=s3cr3t#x", "https://a.example/c.gguf"),
            ("https://user:p@ss@a.example", "https://a.example"),
            ("https://a.example/@b/c", "https://a.example/@b/c"),
            ("hf:org/repo", "hf:org/repo"),
        ] {
            assert_eq!(public(url), told);
        }
        let url = "http://user:pass@a.example/m.gguf?token=s3cr3t".to_owned();
        for error in [
            FetchError::Status { url: url.clone(), status: 404 },
            FetchError::Broken { url: url.clone(), why: format!("bad uri: {url}") },
            FetchError::Wrong { url: url.clone(), what: "its sha256 is another".to_owned() },
            FetchError::Answer { url, why: "no JSON".to_owned() },
        ] {
            let told = error.to_string();
            assert!(told.starts_with("http://a.example/m.gguf: "), "{told}");
            assert!(!told.contains("pass") && !told.contains("s3cr3t"), "{told}");
        }
    }
}
