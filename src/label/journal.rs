//! The journal: every row that is done, in a file of its own that only grows.
//!
//! The one idea: a row is in the file before anybody hears of it, in one write, and on the disk within a second. So a
//! process that is killed loses nothing that was done, and the next one reads the same inputs beside the journal and goes
//! on where it ends. It holds content, so it is its user's alone.
//!
//! The first line says what all rows have in common. A line for each row follows, in the order of the inputs but for a
//! bounded disorder, and one at the end of each run that came to the end of its inputs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entry::{Entry, Hash};
use super::source::Placed;
use super::summary::Count;
use crate::{cache, with_ending};

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    file: File,
    end: u64,
    /// What the last line says of the inputs, if it is one that does.
    records: Option<u64>,
    sync: Sync,
}

/// What all rows of a journal have in common, each under its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms(pub Map<String, Value>);

/// The name of a term that tells one share of a run from the others.
pub const SHARD: &str = "shard";

/// How far rows may be from the order of the inputs, in records.
pub const DISORDER: u64 = 4096;

/// What to do with a journal that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Go on with it, if its terms are the same.
    Resume,
    /// Go on with it whatever its terms.
    Mix,
    /// Set it aside and begin anew.
    Restart,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{path} cannot be used")]
    Io {
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Another process writes to it.
    #[error("{0} is in use: another process labels into it\nhint: wait for it, or name another file with -o")]
    InUse(PathBuf),
    /// It is none, or of another version.
    #[error("{0} is no journal of this version of magistrate\nhint: name another file with -o, or remove it")]
    Foreign(PathBuf),
    /// A line in the middle is damaged.
    #[error("{path}: line {line} is damaged\nhint: --restart sets the journal aside and begins anew")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// Its rows were made otherwise.
    #[error(
        "{path} was made with {what}\nhint: give the same flags to go on with it, name another file with -o, --restart to begin anew, or --mix to go on with it all the same"
    )]
    OtherTerms {
        /// The journal.
        path: PathBuf,
        /// What is different, in words.
        what: String,
    },
    /// The inputs have become shorter.
    #[error(
        "{path}: the inputs no longer have {rows} of its rows\nhint: they have changed since; name another file with -o, or --restart to begin anew"
    )]
    Shorter {
        /// The journal.
        path: PathBuf,
        /// Rows of it that have no record any more.
        rows: u64,
    },
    /// The inputs have changed.
    #[error(
        "{path}: record {row} of {input} is not the one that the journal has\nhint: the input has changed since; name another file with -o, or --restart to begin anew"
    )]
    OtherInput {
        /// The journal.
        path: PathBuf,
        /// The input.
        input: Arc<str>,
        /// The record, from 1.
        row: u64,
    },
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    journal: u64,
    terms: Terms,
}

/// The version of what a journal looks like.
const VERSION: u64 = 1;

/// The line at the end of a run.
#[derive(Serialize, Deserialize)]
struct Tail {
    end: End,
}

#[derive(Serialize, Deserialize)]
struct End {
    /// Records of the inputs, those of other shares too.
    records: u64,
}

/// The journal that goes with an output.
#[must_use]
pub fn beside(output: &Path) -> PathBuf {
    with_ending(output, ".journal")
}

impl Journal {
    /// Opens the journal at a path, or makes it, and says what is in it. A torn last line is cut off.
    ///
    /// # Errors
    ///
    /// A [`JournalError`].
    pub fn open(path: &Path, terms: &Terms, existing: Existing) -> Result<(Self, Past), JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        if existing == Existing::Restart && path.exists() {
            let mut number = 1;
            let aside = |number| with_ending(path, &format!(".{number}"));
            while aside(number).exists() {
                number += 1;
            }
            fs::rename(path, aside(number)).map_err(failed)?;
        }
        // Not in append mode, in which Windows cannot cut.
        let mut file =
            cache::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
            Ok(()) => {}
        }
        let end = last_line(&mut file).map_err(failed)?;
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(failed)?;
        let mut journal = Self { sync: Sync::new(&file).map_err(failed)?, file, end, records: None };
        if end == 0 {
            journal.begin(terms).map_err(failed)?;
        }
        let mut past = Past::open(path)?;
        journal.records = past.lines.as_ref().and_then(Lines::last);
        match past.terms.unlike(terms) {
            Some(what) if existing == Existing::Resume => {
                return Err(JournalError::OtherTerms { path: path.to_owned(), what });
            }
            different => past.alike = different.is_none(),
        }
        Ok((journal, past))
    }

    /// Begins a file of these terms.
    fn begin(&mut self, terms: &Terms) -> io::Result<()> {
        self.write(&Head { journal: VERSION, terms: terms.clone() }).map(|_| ())
    }

    /// Writes a row. Where its line begins.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or what was written before did not reach the disk.
    pub fn put(&mut self, entry: &Entry) -> io::Result<u64> {
        self.write(entry)
    }

    /// Says that all records of the inputs are done, so many, and sees to it that all of it is on the disk.
    ///
    /// # Errors
    ///
    /// As [`Journal::put`].
    pub fn finish(&mut self, records: u64) -> io::Result<()> {
        if self.records != Some(records) {
            self.write(&Tail { end: End { records } })?;
            self.records = Some(records);
        }
        self.file.sync_all()
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<u64> {
        self.sync.failed()?;
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let place = self.end;
        self.records = None;
        if let Err(error) = self.file.write_all(&bytes) {
            // Half a line helps nobody. If it cannot be cut off now, the next to open the journal does so.
            let _ = self.file.set_len(place).and_then(|()| self.file.seek(SeekFrom::Start(place)));
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.sync.wanted.store(true, Ordering::Relaxed);
        Ok(place)
    }
}

/// Where the last whole line ends.
fn last_line(file: &mut File) -> io::Result<u64> {
    const CHUNK: u64 = 1 << 16;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let from = end.saturating_sub(CHUNK);
        let mut chunk = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        (&mut *file).take(end - from).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// Brings what was written to the disk, once a second.
#[derive(Debug)]
struct Sync {
    wanted: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    /// Dropping it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sync {
    fn new(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (wanted, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn({
            let (wanted, failed) = (Arc::clone(&wanted), Arc::clone(&failed));
            move || {
                while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                    if wanted.swap(false, Ordering::Relaxed) && file.sync_data().is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            }
        })?;
        Ok(Self { wanted, failed, stop: Some(stop), thread: Some(thread) })
    }

    fn failed(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("what was written did not reach the disk"));
        }
        Ok(())
    }
}

impl Drop for Sync {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Terms {
    /// What is different in others, in words.
    #[must_use]
    pub fn unlike(&self, others: &Self) -> Option<String> {
        let names = self.0.keys().chain(others.0.keys().filter(|name| !self.0.contains_key(*name)));
        let different = names.filter(|name| self.0.get(*name) != others.0.get(*name)).map(|name| {
            let said = |terms: &Self| terms.0.get(name).map_or("none".to_owned(), said);
            format!("another {name} ({}, and now {})", said(self), said(others))
        });
        let different: Vec<String> = different.collect();
        (!different.is_empty()).then(|| different.join(", "))
    }

    /// The same, without what tells one share from the others.
    #[must_use]
    pub fn of_all_shares(&self) -> Self {
        let mut terms = self.clone();
        terms.0.shift_remove(SHARD);
        terms
    }

    /// The names of the inputs.
    #[must_use]
    pub fn strings(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a journal says is done, read beside the inputs, so that memory does not grow with it.
#[derive(Debug)]
pub struct Past {
    /// What all its rows have in common.
    pub terms: Terms,
    /// Whether a row of now would have been made the same way.
    pub alike: bool,
    path: PathBuf,
    lines: Option<Lines>,
    /// Rows that were read and not asked for yet.
    ahead: BTreeMap<u64, Done>,
    highest: u64,
}

/// A row that is done.
#[derive(Debug)]
pub struct Done {
    /// Where its line begins.
    pub place: u64,
    /// The text's digest.
    pub hash: Hash,
    /// What is counted of it.
    pub counts: Vec<Count>,
    input: String,
    row: u64,
}

/// As much of an entry's line as it takes to know it again.
#[derive(Deserialize)]
struct Known {
    n: u64,
    input: String,
    row: u64,
    hash: Hash,
    verdicts: Vec<Count>,
}

impl Past {
    /// No past at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            terms: Terms::default(),
            alike: true,
            path: PathBuf::new(),
            lines: None,
            ahead: BTreeMap::new(),
            highest: 0,
        }
    }

    fn open(path: &Path) -> Result<Self, JournalError> {
        let (terms, lines) = Lines::open(path)?;
        Ok(Self { terms, alike: true, path: path.to_owned(), lines: Some(lines), ahead: BTreeMap::new(), highest: 0 })
    }

    /// What is done of a record, which must be asked for in the order of the inputs.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or has another record in its place.
    pub fn find(&mut self, placed: &Placed, hash: &Hash) -> Result<Option<Done>, JournalError> {
        while !self.ahead.contains_key(&placed.number) && self.highest <= placed.number + DISORDER {
            let Some(lines) = &mut self.lines else { break };
            let Some(line) = lines.next()? else {
                self.lines = None;
                break;
            };
            let Known { n, input, row, hash, verdicts: counts } =
                serde_json::from_slice(&lines.line).map_err(|_| lines.damaged())?;
            self.highest = self.highest.max(n);
            self.ahead.insert(n, Done { place: line, hash, counts, input, row });
        }
        let Some(done) = self.ahead.remove(&placed.number) else { return Ok(None) };
        if done.hash == *hash && done.row == placed.row && done.input == *placed.input {
            return Ok(Some(done));
        }
        Err(JournalError::OtherInput { path: self.path.clone(), input: Arc::clone(&placed.input), row: placed.row })
    }

    /// Sees to it that nothing is left once all records have been asked for.
    ///
    /// # Errors
    ///
    /// [`JournalError::Shorter`], or when the journal cannot be read.
    pub fn end(&mut self) -> Result<(), JournalError> {
        let mut left = self.ahead.len() as u64;
        if let Some(lines) = &mut self.lines {
            while lines.next()?.is_some() {
                left += 1;
            }
        }
        if left == 0 { Ok(()) } else { Err(JournalError::Shorter { path: self.path.clone(), rows: left }) }
    }
}

/// The lines of a journal that are rows.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: BufReader<io::Take<File>>,
    at: u64,
    count: u64,
    line: Vec<u8>,
    /// What the last line that is no row said of the inputs.
    records: Option<u64>,
}

impl Lines {
    /// Those that are there now.
    fn open(path: &Path) -> Result<(Terms, Self), JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut file = BufReader::with_capacity(1 << 16, file.take(length));
        let mut line = Vec::new();
        let at = file.read_until(b'\n', &mut line).map_err(failed)? as u64;
        let head: Head = serde_json::from_slice(&line).map_err(|_| JournalError::Foreign(path.to_owned()))?;
        if head.journal != VERSION || !line.ends_with(b"\n") {
            return Err(JournalError::Foreign(path.to_owned()));
        }
        Ok((head.terms, Self { path: path.to_owned(), file, at, count: 1, line, records: None }))
    }

    /// What the last line says of the inputs, if it does.
    fn last(&self) -> Option<u64> {
        const LONGEST: u64 = 64;
        let mut file = File::open(&self.path).ok()?;
        let length = file.seek(SeekFrom::End(0)).ok()?;
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST))).ok()?;
        file.read_to_end(&mut end).ok()?;
        let line = end.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
        serde_json::from_slice(line).ok().map(|Tail { end }| end.records)
    }

    /// Reads the next row into `line`; where it begins.
    fn next(&mut self) -> Result<Option<u64>, JournalError> {
        loop {
            self.line.clear();
            let read = self.file.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| JournalError::Io { path: self.path.clone(), error })?;
            // A line without an end is being written, or was torn.
            if read == 0 || !self.line.ends_with(b"\n") {
                return Ok(None);
            }
            let place = self.at;
            self.at += read as u64;
            self.count += 1;
            if self.line.starts_with(b"{\"n\":") {
                return Ok(Some(place));
            }
            let Tail { end } = serde_json::from_slice(&self.line).map_err(|_| self.damaged())?;
            self.records = Some(end.records);
        }
    }

    fn damaged(&self) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), line: self.count }
    }
}

/// The rows of a journal in the order of the inputs, whatever order they were done in.
#[derive(Debug)]
pub struct Ordered {
    /// What all its rows have in common.
    pub terms: Terms,
    lines: Lines,
    file: File,
    /// Rows that were read and are not next for certain: number, place and length.
    ahead: BinaryHeap<Reverse<(u64, u64, usize)>>,
    highest: u64,
    over: bool,
}

impl Ordered {
    /// The rows of the journal at a path.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let (terms, lines) = Lines::open(path)?;
        let file = File::open(path).map_err(|error| JournalError::Io { path: path.to_owned(), error })?;
        Ok(Self { terms, lines, file, ahead: BinaryHeap::new(), highest: 0, over: false })
    }

    /// How many records its inputs have, if a run came to their end and all rows have been read.
    #[must_use]
    pub fn records(&self) -> Option<u64> {
        self.lines.records
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, JournalError> {
        while !self.over && self.ahead.peek().is_none_or(|Reverse((next, ..))| self.highest <= next + DISORDER) {
            let Some(place) = self.lines.next()? else {
                self.over = true;
                break;
            };
            let digits = self.lines.line[5..].iter().take_while(|byte| byte.is_ascii_digit());
            let number =
                digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
            self.highest = self.highest.max(number);
            self.ahead.push(Reverse((number, place, self.lines.line.len())));
        }
        let Some(Reverse((_, place, length))) = self.ahead.pop() else { return Ok(None) };
        let mut line = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.read_exact(&mut line));
        read.map_err(|error| JournalError::Io { path: self.lines.path.clone(), error })?;
        serde_json::from_slice(&line).map(Some).map_err(|_| {
            // Which line it is takes another look.
            let count = File::open(&self.lines.path)
                .map(|file| BufReader::new(file.take(place)).lines().count() as u64)
                .unwrap_or_default();
            JournalError::Damaged { path: self.lines.path.clone(), line: count + 1 }
        })
    }
}

impl Iterator for Ordered {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().transpose()
    }
}
