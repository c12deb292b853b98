//! Writing a journal.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use super::disk_sync::DiskSync;
use super::error::JournalError;
use super::layout::{self, End};
use super::ordered::Ordered;
use super::past::Past;
use super::{file, line};
use crate::calibration::terms::Terms;
use crate::label::entry::Entry;

/// A journal that is being written.
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
    sync: DiskSync,
}

/// The treatment of an existing journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Continues it, if its terms are the same.
    Resume,
    /// Continues it under any terms.
    Mix,
    /// Sets it aside and begins a new one.
    Restart,
}

/// Passes of a journal, at most. A journal with more is put in order when it is opened for writing.
// Reading needs a file handle and a buffer for each pass.
const PASSES: usize = 16;

impl Journal {
    /// Opens or creates the journal at a path, and returns its rows. Cuts off a torn last line.
    ///
    /// # Errors
    ///
    /// A [`JournalError`]. An existing file is unchanged then.
    pub fn open(path: &Path, terms: &Terms, existing: Existing) -> Result<(Self, Past), JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        if existing == Existing::Restart {
            file::set_aside(path)?;
        }
        let head = layout::first_line(terms).map_err(io::Error::from).map_err(failed)?;
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
        Ok(Self { sync: DiskSync::new(&file)?, file, length, end: None, passes: 1, behind: 0 })
    }

    /// Returns the highest number among the records that an earlier run has done. 0 if there are none.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.behind
    }

    /// Writes a row, and returns the place of its line.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or an earlier write did not reach the disk.
    pub fn put(&mut self, entry: &Entry) -> io::Result<u64> {
        if entry.number <= self.behind {
            self.write(&layout::pass_line(self.passes + 1)?)?;
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
            self.write(&layout::end_line(end)?)?;
            self.end = Some(end);
        }
        self.file.sync_all()
    }

    fn write(&mut self, line: &[u8]) -> io::Result<u64> {
        self.sync.check()?;
        let place = self.length;
        self.end = None;
        if let Err(error) = self.file.write_all(line) {
            // A torn line is cut off. If that fails, the next run that opens the journal does so.
            let _ = self.file.set_len(place).and_then(|()| self.file.seek(SeekFrom::Start(place)));
            return Err(error);
        }
        self.length += line.len() as u64;
        self.sync.request();
        Ok(place)
    }
}
