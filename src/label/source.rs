//! Where records come from: files one after another, or stdin, packed or not.
//!
//! The one idea: each record has a place, its input and its number there, that is the same whenever the same inputs are
//! read again. So a run can be gone on with, shared out among machines, and checked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "parquet")]
use super::records::parquet::ParquetRecords;
use super::records::{Defect, Fields, Format, Record, Records, RecordsError};

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is called, in rows and errors.
    pub name: Arc<str>,
    /// The file; stdin if there is none.
    path: Option<PathBuf>,
}

/// Records of several inputs, in order. It ends at the first error of reading.
pub struct Source {
    inputs: Vec<Input>,
    format: Option<Format>,
    fields: Fields,
    /// The input that is open, and how many were opened before.
    open: Option<Open>,
    opened: usize,
    /// Bytes of the inputs that are done.
    before: u64,
    /// Records so far, of all inputs and of this.
    count: u64,
    row: u64,
}

/// A record, and its place.
#[derive(Debug)]
pub struct Placed {
    /// The input's name.
    pub input: Arc<str>,
    /// The how manieth record of all inputs it is, from 1.
    pub number: u64,
    /// The how manieth record of its input, from 1.
    pub row: u64,
    /// The record. Its `end` counts the bytes of all inputs, packed as they are.
    pub record: Record,
}

struct Open {
    records: Box<dyn Iterator<Item = io::Result<Record>> + Send>,
    header: Option<Vec<u8>>,
    /// The names of a table's columns.
    names: Option<Vec<String>>,
    /// Bytes that were read of the file, where a record does not know where it ends in it.
    read: Option<Arc<AtomicU64>>,
    size: u64,
}

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {why}")]
pub struct SourceError {
    input: Arc<str>,
    #[source]
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    #[error("{0}")]
    Header(#[source] Defect),
    #[error("{0}")]
    Not(&'static str),
}

impl Input {
    /// A file.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self { name: path.display().to_string().into(), path: Some(path) }
    }

    /// What is piped in.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "stdin".into(), path: None }
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Bytes, where that is known.
    fn size(&self) -> Option<u64> {
        let about = std::fs::metadata(self.path.as_ref()?).ok()?;
        about.is_file().then_some(about.len())
    }

    fn open(&self, format: Option<Format>, fields: &Fields) -> Result<Open, SourceError> {
        let failed = |why| SourceError { input: Arc::clone(&self.name), why };
        let read_failed = |error| failed(Why::Read(error));
        let (told, size) = (self.path.as_deref().and_then(Format::of_path), self.size().unwrap_or(0));
        let raw: Box<dyn Read + Send> = match &self.path {
            Some(path) => {
                let file = File::open(path).map_err(read_failed)?;
                if file.metadata().map_err(read_failed)?.is_dir() {
                    return Err(failed(Why::Not("it is a folder\nhint: name a file in it")));
                }
                let is_parquet = match format {
                    Some(format) => format == Format::Parquet,
                    None => told == Some(Format::Parquet) || starts_with(path, PARQUET),
                };
                if is_parquet {
                    return parquet(file, fields, size).map_err(failed);
                }
                Box::new(file)
            }
            None => Box::new(io::stdin()),
        };
        if format == Some(Format::Parquet) {
            return Err(failed(Why::Not("Parquet is read from its end, which a pipe has not\nhint: name a file")));
        }
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { raw, read: Arc::clone(&read) };
        let (mut stream, packed) = unpacked(BufReader::with_capacity(BUFFER, counted)).map_err(read_failed)?;
        let format = match format.or(told) {
            Some(format) => format,
            None => Format::sniff(stream.fill_buf().map_err(read_failed)?),
        };
        let open = self.read(stream, format, fields)?;
        Ok(Open { read: packed.then_some(read), size, ..open })
    }

    fn read(
        &self,
        stream: impl BufRead + Send + 'static,
        format: Format,
        fields: &Fields,
    ) -> Result<Open, SourceError> {
        let failed = |why| SourceError { input: Arc::clone(&self.name), why };
        if format == Format::Lines && *fields != (Fields { skip: fields.skip, ..Fields::default() }) {
            return Err(failed(Why::Not(
                "it is read as plain lines, which have no columns\nhint: say how it is written, with --format",
            )));
        }
        let records = Records::new(stream, format, fields.clone()).map_err(|error| match error {
            RecordsError::Read(error) => failed(Why::Read(error)),
            RecordsError::Header(defect) => failed(Why::Header(defect)),
        })?;
        let header = records.header().map(<[u8]>::to_vec);
        let names = records.names().map(<[String]>::to_vec);
        Ok(Open { records: Box::new(records), header, names, read: None, size: 0 })
    }
}

/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// What a Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";

/// Whether a file begins so. One that cannot be looked into before it is read, as a pipe, does not.
fn starts_with(path: &Path, magic: &[u8]) -> bool {
    let looked_into = || {
        let mut start = vec![0; magic.len()];
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        File::open(path).ok()?.read_exact(&mut start).ok()?;
        Some(start == magic)
    };
    looked_into().unwrap_or(false)
}

#[cfg(feature = "parquet")]
fn parquet(file: File, fields: &Fields, size: u64) -> Result<Open, Why> {
    if fields.no_header || fields.skip > 0 {
        return Err(Why::Not("Parquet has no header to be without, and no rows above it to skip"));
    }
    let records = ParquetRecords::new(file, fields).map_err(Why::Read)?;
    let names = Some(records.names().to_vec());
    Ok(Open { records: Box::new(records), header: None, names, read: None, size })
}

#[cfg(not(feature = "parquet"))]
fn parquet(_file: File, _fields: &Fields, _size: u64) -> Result<Open, Why> {
    Err(Why::Not("it is Parquet, which this build does not read\nhint: build with the feature `parquet`"))
}

/// A stream, unpacked if it begins as gzip or zstd does, and whether it was packed.
fn unpacked(mut stream: impl BufRead + Send + 'static) -> io::Result<(Box<dyn BufRead + Send>, bool)> {
    const GZIP: &[u8] = &[0x1F, 0x8B];
    const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
    let start = stream.fill_buf()?;
    if start.starts_with(GZIP) {
        let unpacked = flate2::bufread::MultiGzDecoder::new(stream);
        return Ok((Box::new(BufReader::with_capacity(BUFFER, unpacked)), true));
    }
    #[cfg(feature = "zstd")]
    if start.starts_with(ZSTD) {
        let unpacked = zstd::stream::read::Decoder::with_buffer(stream)?;
        return Ok((Box::new(BufReader::with_capacity(BUFFER, unpacked)), true));
    }
    #[cfg(not(feature = "zstd"))]
    if start.starts_with(ZSTD) {
        let what = "it is packed by zstd, and this build lacks the feature `zstd`";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    Ok((Box::new(stream), false))
}

/// Counts what is read.
struct Counted<R> {
    raw: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(into)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Source {
    /// The records of these inputs. What can be wrong with any before its first record is found now; stdin is opened.
    ///
    /// # Errors
    ///
    /// A [`SourceError`], for the first input that has something wrong with it.
    pub fn new(inputs: Vec<Input>, format: Option<Format>, fields: Fields) -> Result<Self, SourceError> {
        let first = inputs.first().map(|input| input.open(format, &fields)).transpose()?;
        for other in inputs.iter().skip(1).filter(|input| input.size().is_some()) {
            other.open(format, &fields)?;
        }
        let opened = usize::from(first.is_some());
        Ok(Self { open: first, opened, inputs, format, fields, ..Self::none() })
    }

    /// The records of a stream that is no file, under a name.
    ///
    /// # Errors
    ///
    /// As [`Source::new`].
    pub fn of_stream(
        name: &str,
        stream: impl BufRead + Send + 'static,
        format: Format,
        fields: Fields,
    ) -> Result<Self, SourceError> {
        let input = Input { name: name.into(), path: None };
        let open = Some(input.read(stream, format, &fields)?);
        Ok(Self { inputs: vec![input], format: Some(format), fields, open, opened: 1, ..Self::none() })
    }

    /// No records at all.
    #[must_use]
    pub fn none() -> Self {
        let fields = Fields::default();
        Self { inputs: Vec::new(), format: None, fields, open: None, opened: 0, before: 0, count: 0, row: 0 }
    }

    /// Whether somebody would have to type the input.
    #[must_use]
    pub fn is_typed(inputs: &[Input]) -> bool {
        inputs.iter().any(|input| input.path.is_none()) && io::stdin().is_terminal()
    }

    /// The inputs.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Bytes of all inputs, where that is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.inputs.iter().map(Input::size).sum()
    }

    /// The names of the columns of the first input, if it is a table.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        self.open.as_ref().and_then(|open| open.names.as_deref())
    }

    /// The header of the first input as it stood, if it has one.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.open.as_ref().and_then(|open| open.header.as_deref())
    }

    /// How records are read, for a journal to be compared.
    #[must_use]
    pub fn reading(&self) -> serde_json::Value {
        serde_json::to_value(&self.fields).unwrap_or_default()
    }
}

impl Iterator for Source {
    type Item = io::Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(open) = &mut self.open else {
                let input = self.inputs.get(self.opened)?;
                self.opened += 1;
                match input.open(self.format, &self.fields) {
                    Ok(open) => self.open = Some(open),
                    Err(error) => {
                        self.opened = self.inputs.len();
                        return Some(Err(io::Error::other(error)));
                    }
                }
                continue;
            };
            let input = &self.inputs[self.opened - 1].name;
            match open.records.next() {
                Some(Ok(mut record)) => {
                    self.count += 1;
                    self.row += 1;
                    record.end =
                        self.before + open.read.as_ref().map_or(record.end, |read| read.load(Ordering::Relaxed));
                    if let Err(defect) = &mut record.content {
                        defect.message.insert_str(0, &format!("{input}: "));
                    }
                    let (number, row) = (self.count, self.row);
                    return Some(Ok(Placed { input: Arc::clone(input), number, row, record }));
                }
                Some(Err(error)) => {
                    let named = io::Error::new(error.kind(), format!("{input}: {error}"));
                    self.open = None;
                    self.opened = self.inputs.len();
                    return Some(Err(named));
                }
                None => {
                    self.before += open.size;
                    (self.open, self.row) = (None, 0);
                }
            }
        }
    }
}
