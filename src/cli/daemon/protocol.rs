//! The protocol between a check and a daemon: one line of JSON each way, and empty lines while the daemon works.
//!
//! The one idea: values go over the wire, rather than words that must be parsed a second time. Each side limits how
//! long it waits and how much it reads.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use magistrate::calibration::certificate::Certificate;
use magistrate::engine::SessionOptions;
use magistrate::engine::memory_plan::LoadOptions;
use magistrate::label::judge::Chunking;
use magistrate::label::row::RowFields;
use magistrate::policy::Policy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The interval between signs of life while a daemon works.
pub const SIGN: Duration = Duration::from_millis(500);

/// The longest silence of the other side.
pub const SILENCE: Duration = Duration::from_secs(3);

/// The longest time for a whole message, signs of life included.
pub const LONGEST: Duration = Duration::from_hours(1);

/// The largest message, in bytes.
const LARGEST: usize = 128 << 20;

/// The version of these types. A daemon of another version is left alone.
const VERSION: u32 = 1;

/// A message, with the version of its types.
#[derive(Serialize, Deserialize)]
struct Message<T> {
    protocol: u32,
    body: T,
}

/// The values that a daemon starts with.
#[derive(Serialize, Deserialize)]
pub struct Start {
    /// Seconds without a question, after which it stops.
    pub idle: u64,
    /// The model's file, and the way of loading it.
    pub load_options: LoadOptions,
    /// The origin of the templates.
    pub templates: String,
    /// Their sources.
    pub sources: Vec<(String, String)>,
    /// The policies that will be asked for first.
    pub policies: Vec<Policy>,
    /// The number of texts that are judged at once.
    pub parallel: usize,
}

/// A request to a daemon.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Judges a text.
    Judge(Box<Question>),
    /// Reports the daemon's state.
    Status,
    /// Ends the daemon.
    Stop,
}

/// A text, and everything but the model that decides its verdict.
#[derive(Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are flags of the command")]
pub struct Question {
    pub policies: Vec<Policy>,
    pub options: SessionOptions,
    pub chunking: Option<Chunking>,
    pub reasoning: bool,
    pub fields: Option<RowFields>,
    pub certificate: Option<(PathBuf, Certificate)>,
    pub json: bool,
    pub by_policy: bool,
    pub verbose: bool,
    /// Set if the client's stdout is a terminal that takes colour.
    pub coloured: bool,
    pub text: String,
}

/// A daemon's reply.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    Answer(Answer),
    Status(Status),
    /// The daemon ends.
    Stopping,
    /// The daemon cannot answer now, so the client judges by itself.
    Busy,
}

/// The output that a check would have written, and its exit code.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    pub stdout: String,
    pub stderr: String,
    pub code: u8,
}

/// A daemon's state.
#[derive(Serialize, Deserialize)]
pub struct Status {
    pub process: u32,
    pub version: String,
    pub model: PathBuf,
    /// Set once the model is in memory.
    pub ready: bool,
    /// Seconds since it was started.
    pub seconds: u64,
    pub answered: u64,
    /// Seconds without a question, after which it stops.
    pub idle: u64,
}

/// Sends a message. The other side must take each part of it within [`SILENCE`].
pub fn send(mut stream: &UnixStream, body: impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(&Message { protocol: VERSION, body })?;
    line.push(b'\n');
    stream.set_write_timeout(Some(SILENCE))?;
    // In one piece: each piece that is sent wakes the other side.
    stream.write_all(&line)
}

/// Sends a sign of life.
pub fn sign(mut stream: &UnixStream) -> Result<()> {
    stream.set_write_timeout(Some(SILENCE))?;
    stream.write_all(b"\n")
}

/// Waits for a message. Its first byte or a sign of life must come within [`SILENCE`], and all of it within `longest`.
pub fn receive<T: DeserializeOwned>(mut stream: &UnixStream, longest: Duration) -> Result<T> {
    let begun = Instant::now();
    stream.set_read_timeout(Some(SILENCE))?;
    let (mut line, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = match stream.read(&mut piece) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut piece = &piece[..read];
        if line.is_empty() {
            // Line ends before a message are signs of life.
            piece = piece.trim_ascii_start();
        }
        line.extend_from_slice(piece);
        // JSON escapes a line end within a text, so this one ends the message.
        if line.last() == Some(&b'\n') {
            let Message { protocol, body } = serde_json::from_slice(&line)?;
            return if protocol == VERSION { Ok(body) } else { Err(Error::other("another version of magistrate")) };
        }
        if line.len() > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if begun.elapsed() > longest {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{sleep, spawn};

    use super::*;

    #[test]
    fn a_message_comes_through_behind_signs_of_life() {
        let (one, other) = UnixStream::pair().unwrap();
        for _ in 0..3 {
            sign(&one).unwrap();
        }
        send(&one, Reply::Answer(Answer { stdout: "safe\n".repeat(9), stderr: String::new(), code: 0 })).unwrap();
        let Reply::Answer(answer) = receive(&other, LONGEST).unwrap() else { panic!("another reply") };
        assert_eq!((answer.stdout.len(), answer.code), (45, 0));
    }

    #[test]
    fn what_is_no_message_of_this_version_is_an_error() {
        for line in
            ["{}\n", "hello\n", "{\"protocol\":1,\"body\":\"status\"", "{\"protocol\":2,\"body\":\"status\"}\n", ""]
        {
            let (mut one, other) = UnixStream::pair().unwrap();
            one.write_all(line.as_bytes()).unwrap();
            drop(one);
            assert!(receive::<Request>(&other, LONGEST).is_err(), "{line}");
        }
    }

    #[test]
    fn a_message_that_drips_has_an_end() {
        let (mut one, other) = UnixStream::pair().unwrap();
        spawn(move || {
            while one.write_all(b"{").is_ok() {
                sleep(Duration::from_millis(5));
            }
        });
        let begun = Instant::now();
        let error = receive::<Request>(&other, Duration::from_millis(50)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < SILENCE);
    }
}
