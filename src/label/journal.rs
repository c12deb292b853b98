//! The journal: every row that is done, in a file of its own that only grows.
//!
//! The one idea: a row is in the file before anybody hears of it, in one write, and on the disk within a second. So a
//! process that is killed loses nothing that was done. The next one reads the same inputs beside the journal, and
//! continues where it ends. The file holds content, so only its user can read it.
//!
//! The first line holds the terms that all rows have in common. A line for each row follows, in the order of the inputs
//! but for a bounded disorder. A run that came to the end of its inputs adds a line that says so. A run may have to
//! judge some of an earlier run's records again. It writes them, and all that follow, in a new pass, which is also in
//! the order of the inputs. Every line ends in a checksum.

mod file;
pub(in crate::label) mod line;
mod ordered;
mod past;
mod scan;

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::calibration::terms::Terms;
use crate::digest::{Digests, Hash};
use crate::text::with_ending;

pub use ordered::Ordered;
pub use past::{Done, Past};

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// The place of the next line.
    length: u64,
    /// The inputs' end, if the last line holds it.
    end: Option<End>,
    passes: usize,
    /// Rows up to this number begin a new pass, as they do not follow the earlier ones in order.
    behind: u64,
    sync: Sync,
}

/// How far rows may be from the order of the inputs, in records.
pub const DISORDER: u64 = 4096;

/// The treatment of a journal that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Go on with it, if its terms are the same.
    Resume,
    /// Go on with it whatever its terms.
    Mix,
    /// Set it aside and begin anew.
    Restart,
}

/// Passes of a journal, at most. A journal with more is put in order when it is opened for writing.
const PASSES: usize = 16;

/// The end of a run's inputs. It covers all records, those of other shares too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The number of records.
    pub records: u64,
    /// The digest of their digests, in order.
    pub digest: Hash,
}

impl From<Digests> for End {
    fn from(digests: Digests) -> Self {
        let (records, digest) = digests.end();
        Self { records, digest }
    }
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
    /// A file that is no journal.
    #[error("{0} is not a journal of magistrate, and is left as it is\nhint: name another file with -o")]
    Foreign(PathBuf),
    /// A journal of another version of magistrate.
    #[error(
        "{path} is a journal of format {version}, and this version of magistrate reads format {ours}\nhint: finish it with the version that began it, name another file with -o, or --restart to begin anew"
    )]
    Version {
        /// The journal.
        path: PathBuf,
        /// The version of its format.
        version: u64,
        /// The version that this build reads.
        ours: u64,
    },
    /// A file that is not safe to put texts into.
    #[error("{path} {what}, so no texts are put into it\nhint: name another file with -o, or remove it")]
    NotOurs {
        /// The journal.
        path: PathBuf,
        /// The reason.
        what: &'static str,
    },
    /// A damaged line.
    #[error("{path}: line {line} is damaged\nhint: --restart sets the journal aside and begins anew")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A record with two rows in one pass.
    #[error("{path}: record {number} is there twice\nhint: --restart sets the journal aside and begins anew")]
    Doubled {
        /// The journal.
        path: PathBuf,
        /// The number of the record among all inputs, from 1.
        number: u64,
    },
    /// Its rows were made otherwise.
    #[error(
        "{path}: this run was started with other settings\n{what}\nhint: give the same flags to continue it, name another file with -o, --restart to begin anew, or --mix to continue it all the same"
    )]
    OtherTerms {
        /// The journal.
        path: PathBuf,
        /// The differences, a line for each.
        what: String,
    },
    /// The inputs have become shorter.
    #[error(
        "{path}: the inputs have changed: {rows} of the records that were judged are no longer there\nhint: name another file with -o, or --restart to begin anew"
    )]
    Shorter {
        /// The journal.
        path: PathBuf,
        /// Rows of it that have no record any more.
        rows: u64,
    },
    /// The inputs have changed.
    #[error(
        "{path}: record {row} of {input} has changed since it was judged\nhint: name another file with -o, or --restart to begin anew"
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

/// The journal that goes with an output.
#[must_use]
pub fn beside(output: &Path) -> PathBuf {
    with_ending(output, ".journal")
}

impl Journal {
    /// Opens the journal at a path, or makes it, and returns its rows. Cuts off a torn last line of a journal of ours.
    ///
    /// # Errors
    ///
    /// A [`JournalError`]. It leaves an existing file as it was.
    pub fn open(path: &Path, terms: &Terms, existing: Existing) -> Result<(Self, Past), JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        if existing == Existing::Restart {
            file::set_aside(path)?;
        }
        let head = scan::head(terms).map_err(io::Error::from).map_err(failed)?;
        let (mut file, scan) = file::open(path, &head)?;
        let Some(mut scan) = scan.filter(|scan| scan.rows > 0) else {
            // No row is lost here.
            file.set_len(0).map_err(failed)?;
            let mut journal = Self::new(file, 0).map_err(failed)?;
            journal.write(&head).map_err(failed)?;
            return Ok((journal, Past::none()));
        };
        let different = scan.terms.unlike(terms);
        if let Some(what) = &different
            && existing == Existing::Resume
        {
            return Err(JournalError::OtherTerms { path: path.to_owned(), what: what.clone() });
        }
        if scan.passes.len() > PASSES {
            (file, scan) = file::in_order(path, scan)?;
        }
        file.set_len(scan.length).map_err(failed)?;
        let mut journal = Self::new(file, scan.length).map_err(failed)?;
        (journal.end, journal.passes, journal.behind) = (scan.end, scan.passes.len(), scan.highest);
        Ok((journal, Past::of(Ordered::of(path, scan)?, different.is_none())))
    }

    /// Continues a file after its first `length` bytes.
    fn new(mut file: File, length: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { sync: Sync::new(&file)?, file, length, end: None, passes: 1, behind: 0 })
    }

    /// Writes a row, and returns the place of its line.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or what was written before did not reach the disk.
    pub fn put(&mut self, entry: &Entry) -> io::Result<u64> {
        if entry.number <= self.behind {
            self.write(&scan::pass(self.passes + 1)?)?;
            self.passes += 1;
            self.behind = 0;
        }
        self.write(&line::sealed(entry)?)
    }

    /// Writes that all records of the inputs are done, and syncs the file.
    ///
    /// # Errors
    ///
    /// As [`Journal::put`].
    pub fn finish(&mut self, end: End) -> io::Result<()> {
        if self.end != Some(end) {
            self.write(&scan::tail(end)?)?;
            self.end = Some(end);
        }
        self.file.sync_all()
    }

    fn write(&mut self, line: &[u8]) -> io::Result<u64> {
        self.sync.failed()?;
        let place = self.length;
        self.end = None;
        if let Err(error) = self.file.write_all(line) {
            // Half a line helps nobody. If it cannot be cut off now, the next to open the journal does so.
            let _ = self.file.set_len(place).and_then(|()| self.file.seek(SeekFrom::Start(place)));
            return Err(error);
        }
        self.length += line.len() as u64;
        self.sync.wanted.store(true, Ordering::Relaxed);
        Ok(place)
    }
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
