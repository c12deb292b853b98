//! One download: the bytes that arrived, and the attempts to get the rest.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::client::{ATTEMPTS, Client, Remote};
use super::http::{length, start, strong_tag, whole};
use crate::gguf::sha256;
use crate::http::{is_passing, retry_after, unreachable};
use crate::models::error::FetchError;
use crate::text::with_ending;
use crate::{cache, files, machine};

/// Endings of a file that is not whole, and of the file with the server's tag for it. No other program uses them.
const PART: &str = ".magistrate.part";
const TAG: &str = ".magistrate.etag";

/// A download.
pub(super) struct Transfer<'a> {
    remote: &'a Remote,
    place: &'a Path,
    /// The bytes that arrived. The file is locked.
    file: File,
    path: PathBuf,
    tag_path: PathBuf,
    /// Number of bytes that arrived.
    done: u64,
    /// Number of all bytes, if known.
    all: Option<u64>,
}

/// The result of an attempt that did not fail for good.
enum Step {
    /// The server has no more bytes.
    Complete,
    /// The download goes on after a wait, which the server may have set.
    Again(Option<Duration>),
}

impl<'a> Transfer<'a> {
    /// Begins a download, or resumes one that broke off. `None` if the file has its own name already.
    pub(super) fn begin(remote: &'a Remote, place: &'a Path) -> Result<Option<Self>, FetchError> {
        let disk = |path: &Path, error| FetchError::Disk { path: path.to_owned(), error };
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(|error| disk(folder, error))?;
        }
        if place.exists() {
            return Ok(None);
        }
        let path = with_ending(place, PART);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = files::open_itself(&path, options).map_err(|error| disk(&path, error))?;
        if file.try_lock().is_err() {
            return Err(FetchError::Busy(place.to_owned()));
        }
        // Another process may have fetched it before the lock was taken, and this file may be that one's.
        if place.exists() {
            return Ok(None);
        }
        let done = file.seek(SeekFrom::End(0)).map_err(|error| disk(&path, error))?;
        let tag_path = with_ending(place, TAG);
        Ok(Some(Self { remote, place, file, path, tag_path, done, all: remote.size }))
    }

    /// Fetches the rest, checks the file and gives it its name.
    pub(super) fn run(mut self, client: &Client, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), FetchError> {
        if let Some(size) = self.remote.size {
            if self.done > size {
                self.restart()?;
            }
            has_room(self.place, size - self.done)?;
        }
        let mut attempt = 0;
        while self.remote.size.is_none_or(|size| self.done < size) {
            let before = self.done;
            let Step::Again(wait) = self.attempt(client, attempt, progress)? else { break };
            attempt = if self.done > before { 0 } else { attempt + 1 };
            if attempt >= ATTEMPTS {
                let why = format!("it breaks off at {} bytes in every attempt", self.done);
                return Err(FetchError::Broken { url: self.remote.url.clone(), why });
            }
            client.wait(attempt, wait);
        }
        self.finish(progress)
    }

    fn attempt(
        &mut self,
        client: &Client,
        attempt: u32,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Step, FetchError> {
        let is_last = attempt + 1 >= ATTEMPTS;
        let tag = fs::read_to_string(&self.tag_path).ok();
        if self.done > 0 && tag.is_none() && self.remote.sha256.is_none() {
            // Nothing would show that the rest is of another file.
            self.restart()?;
        }
        let response = match client.ask(self.remote, self.done, tag.as_deref()) {
            Ok(response) => response,
            Err(error) => {
                let url = self.remote.url.clone();
                // A download that has begun waits longer for its network.
                return match unreachable(&error).filter(|_| is_last || attempt > 0 && self.done == 0) {
                    Some(why) => Err(FetchError::Unreachable { url, why }),
                    None if is_last => Err(FetchError::Broken { url, why: error.to_string() }),
                    None => Ok(Step::Again(None)),
                };
            }
        };
        match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE if whole(&response) == Some(self.done) => Ok(Step::Complete),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                // The server has another file by now.
                self.restart()?;
                Ok(Step::Again(None))
            }
            status if status.is_success() => self.receive(response, progress),
            status if is_passing(status) && !is_last => Ok(Step::Again(retry_after(&response))),
            status => Err(FetchError::Status { url: self.remote.url.clone(), status: status.as_u16() }),
        }
    }

    fn receive(
        &mut self,
        response: Response<Body>,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Step, FetchError> {
        if response.status() != StatusCode::PARTIAL_CONTENT || start(&response) != Some(self.done) {
            // The server does not support ranges, or has another file by now.
            self.restart()?;
        }
        // Before the bytes: a resumed download asks with this tag if they are still those of the file.
        if let Some(tag) = strong_tag(&response) {
            cache::put(&self.tag_path, tag.as_bytes()).map_err(|error| self.disk(error))?;
        }
        self.all = self.remote.size.or(length(&response).map(|coming| self.done.saturating_add(coming)));
        if let Some(all) = self.all {
            has_room(self.place, all.saturating_sub(self.done))?;
        }
        self.file.seek(SeekFrom::Start(self.done)).map_err(|error| self.disk(error))?;
        let is_ended = self.append(response, progress).map_err(|error| self.disk(error))?;
        let is_whole = is_ended && self.all.is_none_or(|all| self.done >= all);
        Ok(if is_whole { Step::Complete } else { Step::Again(None) })
    }

    /// Writes the bytes of an answer. Returns false if the answer broke off. An error is one of the disk.
    fn append(&mut self, response: Response<Body>, progress: &mut dyn FnMut(u64, Option<u64>)) -> io::Result<bool> {
        let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 1 << 17];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(read) => {
                    self.file.write_all(&buffer[..read])?;
                    self.done += read as u64;
                    progress(self.done, self.all);
                    if self.all.is_some_and(|all| self.done > all) {
                        // The file is longer than it should be, so it is refused.
                        return Ok(true);
                    }
                }
                Err(_) => return Ok(false),
            }
        }
    }

    /// Checks the size and the digest, and gives the file its name. A wrong file is removed.
    fn finish(self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), FetchError> {
        // Before the rename: after a crash no file may have its own name without its bytes.
        self.file.sync_all().map_err(|error| self.disk(error))?;
        let wrong = |what: String| {
            let _ = fs::remove_file(&self.path);
            FetchError::Wrong { url: self.remote.url.clone(), what }
        };
        let _ = fs::remove_file(&self.tag_path);
        if let Some(size) = self.all.filter(|size| *size != self.done) {
            return Err(wrong(format!("{} bytes came where it has {size}", self.done)));
        }
        if let Some(expected) = &self.remote.sha256 {
            let found = sha256(&self.path, &mut |done, all| progress(done, Some(all)));
            let found = found.map_err(|error| self.disk(error))?;
            if !found.eq_ignore_ascii_case(expected) {
                return Err(wrong(format!("its sha256 is {found}, and should be {expected}")));
            }
        }
        fs::rename(&self.path, self.place).map_err(|error| self.disk(error))
    }

    /// Removes the bytes that arrived.
    fn restart(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0).map_err(|error| self.disk(error))?;
        self.done = 0;
        Ok(())
    }

    fn disk(&self, error: io::Error) -> FetchError {
        FetchError::Disk { path: self.path.clone(), error }
    }
}

/// Checks that the disk has room for `bytes`, and a twentieth more.
fn has_room(place: &Path, bytes: u64) -> Result<(), FetchError> {
    let needed = bytes.saturating_add(bytes / 20);
    match machine::free_disk_space(place.parent().unwrap_or(Path::new("."))) {
        Some(free) if free < needed => Err(FetchError::Full { path: place.to_owned(), free, needed }),
        _ => Ok(()),
    }
}
