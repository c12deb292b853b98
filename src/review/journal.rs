//! A journal of JSON lines, to which whole lines are only added.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::files::{self, Draft};

/// The place of a line in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The byte at which it begins.
    pub offset: u64,
    /// Its bytes, with the line end.
    pub length: usize,
}

/// A journal that is open for adding.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The bytes of its whole lines.
    length: u64,
}

impl Journal {
    /// Opens a journal, or makes one for its user alone, and calls a function for each line. A last line that was not
    /// written to its end is cut off.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn open(path: &Path, each: impl FnMut(Place, &[u8])) -> io::Result<Self> {
        let file = files::options().read(true).append(true).create(true).open(path)?;
        let length = scan(&file, each)?;
        file.set_len(length)?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Returns the bytes of its lines.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds whole lines, down to the disk. Returns the byte at which they begin.
    ///
    /// # Errors
    ///
    /// An I/O error. The journal then has the lines of before.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<u64> {
        let begin = self.length;
        if self.file.metadata()?.len() != begin {
            // An earlier line was not written to its end, and could not be cut off then.
            self.file.set_len(begin)?;
        }
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let _ = self.file.set_len(begin);
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(begin)
    }

    /// Reads a line.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        read(&self.file, place)
    }

    /// Keeps the lines for which a function returns true: they are copied to another file, which then replaces this one.
    /// The function gets the place that the line will have.
    ///
    /// # Errors
    ///
    /// An I/O error. The journal is then unchanged.
    pub fn retain(&mut self, mut keeps: impl FnMut(Place, &[u8]) -> bool) -> io::Result<()> {
        let draft = Draft::private(&self.path)?;
        let (mut length, mut failed) = (0, None);
        let mut out = io::BufWriter::new(draft.file());
        scan(&self.file, |old, line| {
            let place = Place { offset: length, ..old };
            if failed.is_none() && keeps(place, line) {
                failed = out.write_all(line).err();
                length += line.len() as u64;
            }
        })?;
        failed.map_or(Ok(()), Err)?;
        out.flush()?;
        drop(out);
        draft.file().sync_all()?;
        draft.put()?;
        self.file = files::options().read(true).append(true).open(&self.path)?;
        self.length = length;
        Ok(())
    }
}

/// Reads a line of a file.
///
/// # Errors
///
/// An I/O error.
pub fn read(mut file: &File, place: Place) -> io::Result<Vec<u8>> {
    let mut line = vec![0; place.length];
    file.seek(SeekFrom::Start(place.offset))?;
    file.read_exact(&mut line)?;
    Ok(line)
}

/// Calls a function for each whole line of a file. Returns their bytes.
///
/// # Errors
///
/// An I/O error.
pub fn scan(mut file: &File, mut each: impl FnMut(Place, &[u8])) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let (mut source, mut line, mut offset) = (BufReader::new(file), Vec::new(), 0);
    loop {
        line.clear();
        let length = source.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok(offset);
        }
        each(Place { offset, length }, &line);
        offset += length as u64;
    }
}
