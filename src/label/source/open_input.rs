//! An input that is being read, and the facts about it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::label::records::{Encoding, InputFormat, Notice, Record, Seen};

/// An input that is being read.
pub(super) struct OpenInput {
    pub records: Box<dyn Iterator<Item = io::Result<Record>> + Send>,
    pub header: Option<Vec<u8>>,
    pub info: InputInfo,
    /// The number of bytes read from the file, for packed files: their records do not know their place in it.
    pub read: Option<Arc<AtomicU64>>,
    /// The size of the file in bytes; 0 if unknown.
    pub size: u64,
}

/// The facts about an input that are known before its first record.
#[derive(Clone, Debug)]
pub(super) struct InputInfo {
    pub input: Arc<str>,
    pub format: InputFormat,
    /// The names of a table's columns.
    pub names: Option<Vec<String>>,
    /// The encoding of a text. `None` if the input is no text, or is not read as one yet.
    pub encoding: Option<Encoding>,
    /// The separator of a table in text.
    pub separator: Option<u8>,
    pub seen: Seen,
    /// Notes on how it is read, where that may surprise people.
    pub notes: Vec<Notice>,
    /// The column in place of `text`: its name in other letters.
    pub assumed: Option<String>,
    /// Set if the input begins with a byte order mark, or is not UTF-8.
    pub marked: bool,
}
