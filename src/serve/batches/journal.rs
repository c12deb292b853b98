//! The journal of a batch: a line for each finished request, in their order, in pieces of whole lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::objects::RequestCounts;
use crate::files::{self, Draft};

/// A line of the journal.
#[derive(Serialize, Deserialize)]
struct Entry<'line> {
    number: u64,
    is_error: bool,
    #[serde(borrow)]
    result: &'line RawValue,
}

/// The finished requests of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The line of the last one, or 0.
    pub last: u64,
    /// Requests with an answer.
    pub completed: u64,
    /// Requests with an error.
    pub failed: u64,
}

/// Returns the line of the journal for a result.
///
/// # Errors
///
/// The result is no JSON.
pub fn line(number: u64, is_error: bool, result: &RawValue) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Entry { number, is_error, result })?;
    line.push(b'\n');
    Ok(line)
}

/// Opens a journal to go on with it, or makes one. A line that was not written to its end is cut off.
///
/// # Errors
///
/// An I/O error.
pub fn open(path: &Path) -> io::Result<(File, Finished)> {
    let file = files::options().read(true).append(true).create(true).open(path)?;
    let (finished, length) = read(&file, |_| Ok(()))?;
    file.set_len(length)?;
    Ok((file, finished))
}

/// Appends whole lines, down to the disk.
///
/// # Errors
///
/// An I/O error.
pub fn append(mut file: &File, lines: &[u8]) -> io::Result<()> {
    file.write_all(lines)?;
    file.sync_data()
}

/// Calls a function for each line. Returns the counts and the length of the lines before the first broken one.
fn read(file: &File, mut each: impl FnMut(&Entry<'_>) -> io::Result<()>) -> io::Result<(Finished, u64)> {
    let (mut finished, mut length) = (Finished::default(), 0);
    let (mut source, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        let count = source.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok((finished, length));
        }
        let entry = serde_json::from_slice::<Entry<'_>>(&line).ok().filter(|entry| entry.number > finished.last);
        let Some(entry) = entry else { return Ok((finished, length)) };
        each(&entry)?;
        finished.last = entry.number;
        finished.count(entry.is_error);
        length += count as u64;
    }
}

/// Writes the results of a journal to their files. Returns their counts.
///
/// # Errors
///
/// When the journal cannot be read, or a file cannot be written.
pub fn split(path: &Path, answers: &mut Results, errors: &mut Results) -> io::Result<Finished> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Finished::default()),
        opened => opened?,
    };
    let (finished, _) = read(&file, |entry| {
        let results = if entry.is_error { &mut *errors } else { &mut *answers };
        results.put(entry.result.get().as_bytes())
    })?;
    Ok(finished)
}

impl Finished {
    /// Counts a request.
    pub fn count(&mut self, is_error: bool) {
        *(if is_error { &mut self.failed } else { &mut self.completed }) += 1;
    }

    /// Returns the counts of a batch with this many requests.
    #[must_use]
    pub fn of(self, total: u64) -> RequestCounts {
        RequestCounts { total, completed: self.completed, failed: self.failed }
    }
}

/// A file of results that is being written.
#[derive(Debug)]
pub struct Results {
    draft: Draft,
    file: BufWriter<File>,
    bytes: u64,
}

impl Results {
    /// Begins a file of results.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn new(draft: Draft) -> io::Result<Self> {
        let file = BufWriter::new(draft.file().try_clone()?);
        Ok(Self { draft, file, bytes: 0 })
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn put(&mut self, line: &[u8]) -> io::Result<()> {
        self.bytes += line.len() as u64 + 1;
        self.file.write_all(line)?;
        self.file.write_all(b"\n")
    }

    /// Puts the file in its place, unless it is empty. Returns its size.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn finish(self) -> io::Result<Option<u64>> {
        let Self { draft, mut file, bytes } = self;
        if bytes == 0 {
            return Ok(None);
        }
        file.flush()?;
        draft.file().sync_all()?;
        draft.put()?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_off_and_the_journal_goes_on_after_the_last_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let result = |text: &str| serde_json::value::to_raw_value(text).unwrap();
        let (file, finished) = open(&path).unwrap();
        assert_eq!(finished, Finished::default());
        let mut lines = line(1, false, &result("a")).unwrap();
        lines.extend(line(3, true, &result("b")).unwrap());
        append(&file, &lines).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        let third = line(4, false, &result("c")).unwrap();
        for torn in [&third[..third.len() - 1], &third[..5], b"\0\0\0\0\n", &lines] {
            append(&file, torn).unwrap();
            let (_, finished) = open(&path).unwrap();
            assert_eq!(finished, Finished { last: 3, completed: 1, failed: 1 });
            assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
        }
        append(&file, &third).unwrap();
        let begin = |name: &str| Results::new(Draft::private(&folder.path().join(name)).unwrap()).unwrap();
        let (mut answers, mut errors) = (begin("answers"), begin("errors"));
        assert_eq!(split(&path, &mut answers, &mut errors).unwrap(), Finished { last: 4, completed: 2, failed: 1 });
        assert_eq!((answers.finish().unwrap(), errors.finish().unwrap()), (Some(8), Some(4)));
        assert_eq!(std::fs::read_to_string(folder.path().join("answers")).unwrap(), "\"a\"\n\"c\"\n");
        assert_eq!(begin("none").finish().unwrap(), None);
    }
}
