//! How a check and a daemon talk: one line of JSON each way, and empty lines while the daemon is at work.
//!
//! The one idea: values go over the wire, not words that would have to be read a second time. Each side limits how long it
//! waits and how much it reads.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use magistrate::engine::SessionOptions;
use magistrate::engine::plan::Wishes;
use magistrate::eval::certificate::Certificate;
use magistrate::label::judge::Chunking;
use magistrate::label::row::Fields;
use magistrate::policy::Policy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How often a daemon that is at work says so.
pub const SIGN: Duration = Duration::from_millis(500);

/// How long the other side may be silent.
pub const SILENCE: Duration = Duration::from_secs(3);

/// How long a whole message may take, signs of life included.
pub const LONGEST: Duration = Duration::from_hours(1);

/// Bytes of a message, at most.
const LARGEST: usize = 128 << 20;

/// The number of these types. A daemon of another number is left alone.
const VERSION: u32 = 1;

/// A message, behind the number of its types.
#[derive(Serialize, Deserialize)]
struct Message<T> {
    protocol: u32,
    body: T,
}

/// What a daemon is started with.
#[derive(Serialize, Deserialize)]
pub struct Start {
    /// Seconds without a question, after which it stops.
    pub idle: u64,
    /// How the model is loaded, its file included.
    pub wishes: Wishes,
    /// Where the templates come from.
    pub templates: String,
    /// Their sources.
    pub sources: Vec<(String, String)>,
    /// The policies that will be asked for first.
    pub policies: Vec<Policy>,
    /// Texts that are judged at once.
    pub parallel: usize,
}

/// What a daemon can be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// To judge a text.
    Judge(Box<Question>),
    /// What it is and does.
    Status,
    /// To end.
    Stop,
}

/// A text, and all that decides how it is judged but for the model.
#[derive(Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are flags of the command")]
pub struct Question {
    pub policies: Vec<Policy>,
    pub options: SessionOptions,
    pub chunking: Option<Chunking>,
    pub reasoning: bool,
    pub fields: Option<Fields>,
    pub certificate: Option<(PathBuf, Certificate)>,
    pub json: bool,
    pub verbose: bool,
    /// Whether stdout is a terminal that takes colour there.
    pub coloured: bool,
    pub text: String,
}

/// What a daemon says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    Answer(Answer),
    Status(Status),
    /// It ends.
    Stopping,
    /// It cannot answer now, and whoever asked is to judge by himself.
    Busy,
}

/// What a check would have said, and its exit code.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    pub stdout: String,
    pub stderr: String,
    pub code: u8,
}

/// What a daemon is and does.
#[derive(Serialize, Deserialize)]
pub struct Status {
    pub process: u32,
    pub version: String,
    pub model: PathBuf,
    /// Whether the model is in memory yet.
    pub ready: bool,
    /// Seconds since it was started.
    pub seconds: u64,
    pub answered: u64,
    /// Seconds without a question, after which it stops.
    pub idle: u64,
}

/// Sends a message. Each part of it is taken within [`SILENCE`].
pub fn send(mut stream: &UnixStream, body: impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(&Message { protocol: VERSION, body })?;
    line.push(b'\n');
    stream.set_write_timeout(Some(SILENCE))?;
    // In one piece: each piece that is sent wakes the other side.
    stream.write_all(&line)
}

/// Says that the work goes on.
pub fn sign(mut stream: &UnixStream) -> Result<()> {
    stream.set_write_timeout(Some(SILENCE))?;
    stream.write_all(b"\n")
}

/// Waits for a message, whose first byte or sign of life comes within [`SILENCE`], and all of it within `longest`.
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
            // Signs of life.
            piece = piece.trim_ascii_start();
        }
        line.extend_from_slice(piece);
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
