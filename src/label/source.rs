//! Where records come from: files one after another, or stdin, packed or not.
//!
//! The one idea: each record has a place, its input and its number there, that is the same whenever the same inputs are
//! read again. So a run can be continued, shared among machines, and checked.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "parquet")]
use super::records::parquet::ParquetRecords;
use super::records::{Defect, Fields, Format, Names, Record, Records, RecordsError, Seen, begun, no_text, shown};
use super::unpack::{BUFFER, Counted, unpacked};

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
    /// The inputs that could be examined.
    looks: Vec<Look>,
    /// Set if all inputs must have the columns of the first.
    alike: bool,
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
    look: Look,
    /// Bytes that were read of the file, where a record does not know where it ends in it.
    read: Option<Arc<AtomicU64>>,
    size: u64,
}

/// An input as far as it is known before its first record.
#[derive(Clone, Debug)]
struct Look {
    input: Arc<str>,
    format: Format,
    /// The names of a table's columns.
    names: Option<Vec<String>>,
    seen: Seen,
    note: Option<String>,
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
    Not(String),
}

impl Input {
    /// An input from a file. Bytes of the name that are not UTF-8 are escaped, so that different files have different
    /// names.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self { name: called(&path).into(), path: Some(path) }
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
        let about = fs::metadata(self.path.as_ref()?).ok()?;
        about.is_file().then_some(about.len())
    }

    fn failed(&self, why: Why) -> SourceError {
        SourceError { input: Arc::clone(&self.name), why }
    }

    /// Reports whether the input is a file, which can be examined before its turn, or a folder, which is refused. A
    /// pipe cannot be examined.
    fn can_be_looked_into(&self) -> Result<bool, SourceError> {
        let Some(path) = &self.path else { return Ok(false) };
        let about = fs::metadata(path).map_err(|error| self.failed(Why::Read(error)))?;
        Ok(about.is_file() || about.is_dir())
    }

    fn open(&self, format: Option<Format>, fields: &Fields) -> Result<Open, SourceError> {
        let read_failed = |error| self.failed(Why::Read(error));
        let refused = |what: String| self.failed(Why::Not(what));
        let size = self.size().unwrap_or(0);
        let raw: Box<dyn Read + Send> = match &self.path {
            Some(path) => {
                let file = File::open(path).map_err(read_failed)?;
                if file.metadata().map_err(read_failed)?.is_dir() {
                    return Err(refused("it is a folder\nhint: name a file in it".to_owned()));
                }
                let is_parquet = match format {
                    Some(format) => format == Format::Parquet,
                    None => Format::of_path(path) == Some(Format::Parquet) || starts_with(path, PARQUET),
                };
                if is_parquet {
                    return self.parquet(file, fields, size);
                }
                Box::new(file)
            }
            None => Box::new(io::stdin()),
        };
        if format == Some(Format::Parquet) {
            return Err(refused("Parquet is read from its end, which a pipe has not\nhint: name a file".to_owned()));
        }
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { raw, read: Arc::clone(&read) };
        let (mut stream, packed) = unpacked(BufReader::with_capacity(BUFFER, counted)).map_err(read_failed)?;
        let start = stream.fill_buf().map_err(read_failed)?;
        if let Some(what) = no_text(start) {
            return Err(refused(what));
        }
        let (format, note) = match format {
            Some(format) => (format, None),
            None => begun(start, self.path.as_deref()).map(|begun| (begun.format, begun.note)).map_err(refused)?,
        };
        let whole = !packed && self.path.is_some() && start.len() as u64 == size;
        let seen = Seen::at_the_start(start, format, whole);
        let open = self.read(stream, format, fields, seen)?;
        Ok(Open { read: packed.then_some(read), size, look: Look { note, ..open.look }, ..open })
    }

    fn read(
        &self,
        stream: impl BufRead + Send + 'static,
        format: Format,
        fields: &Fields,
        seen: Seen,
    ) -> Result<Open, SourceError> {
        if format == Format::Lines && *fields != (Fields { skip: fields.skip, ..Fields::default() }) {
            let what = "it is read as plain lines, which have no columns\nhint: say how it is written, with --format";
            return Err(self.failed(Why::Not(what.to_owned())));
        }
        let records = Records::new(stream, format, fields.clone()).map_err(|error| match error {
            RecordsError::Read(error) => self.failed(Why::Read(error)),
            RecordsError::Header(defect) => self.failed(Why::Header(defect)),
        })?;
        let header = records.header().map(<[u8]>::to_vec);
        let names = records.names().map(<[String]>::to_vec);
        let seen = names.clone().map_or(seen, Seen::of_table);
        let look = Look { input: Arc::clone(&self.name), format, names, seen, note: None };
        Ok(Open { records: Box::new(records), header, look, read: None, size: 0 })
    }

    #[cfg(feature = "parquet")]
    fn parquet(&self, file: File, fields: &Fields, size: u64) -> Result<Open, SourceError> {
        if fields.no_header || fields.skip > 0 {
            let what = "Parquet has no header to be without, and no rows above it to skip";
            return Err(self.failed(Why::Not(what.to_owned())));
        }
        let records = ParquetRecords::new(file, fields).map_err(|error| self.failed(Why::Read(error)))?;
        let names = records.names().to_vec();
        let seen = Seen::of_table(names.clone());
        let look =
            Look { input: Arc::clone(&self.name), format: Format::Parquet, names: Some(names), seen, note: None };
        Ok(Open { records: Box::new(records), header: None, look, read: None, size })
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&self, _file: File, _fields: &Fields, _size: u64) -> Result<Open, SourceError> {
        let what = "it is Parquet, which this build does not read\nhint: build with the feature `parquet`";
        Err(self.failed(Why::Not(what.to_owned())))
    }
}

/// Returns a path as text. Bytes that are not UTF-8 are written as `\xFF`.
fn called(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name.push_str(chunk.valid());
        name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    name
}

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Whether a file begins so. One that cannot be looked into before it is read, as a pipe, does not.
fn starts_with(path: &Path, magic: &[u8]) -> bool {
    let looked_into = || {
        let mut start = vec![0; magic.len()];
        fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        File::open(path).ok()?.read_exact(&mut start).ok()?;
        Some(start == magic)
    };
    looked_into().unwrap_or(false)
}

impl Source {
    /// Opens the records of these inputs. Each input is examined before the first record, if it can be; stdin is
    /// opened.
    ///
    /// # Errors
    ///
    /// A [`SourceError`], for the first input that has something wrong with it.
    pub fn new(inputs: Vec<Input>, format: Option<Format>, fields: Fields) -> Result<Self, SourceError> {
        let open = inputs.first().map(|input| input.open(format, &fields)).transpose()?;
        let mut looks: Vec<Look> = open.iter().map(|open| open.look.clone()).collect();
        for other in inputs.iter().skip(1) {
            if other.can_be_looked_into()? {
                looks.push(other.open(format, &fields)?.look);
            }
        }
        let opened = usize::from(open.is_some());
        Ok(Self { inputs, format, fields, open, opened, looks, ..Self::none() })
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
        let open = input.read(stream, format, &fields, Seen::default())?;
        let looks = vec![open.look.clone()];
        Ok(Self {
            inputs: vec![input],
            format: Some(format),
            fields,
            open: Some(open),
            opened: 1,
            looks,
            ..Self::none()
        })
    }

    /// No records at all.
    #[must_use]
    pub fn none() -> Self {
        let fields = Fields::default();
        Self {
            inputs: Vec::new(),
            format: None,
            fields,
            open: None,
            opened: 0,
            looks: Vec::new(),
            alike: false,
            before: 0,
            count: 0,
            row: 0,
        }
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
        self.open.as_ref().and_then(|open| open.look.names.as_deref())
    }

    /// Returns the columns of all inputs but the id's, if all inputs are tables.
    #[must_use]
    pub fn table_columns(&self) -> Option<Vec<&str>> {
        let tables: Option<Vec<&Vec<String>>> = self.looks.iter().map(|look| look.names.as_ref()).collect();
        let tables = tables.filter(|tables| tables.len() == self.inputs.len())?;
        let is_id = |name: &str| name == "id" && self.fields.id.as_deref().is_none_or(|id| id == "id");
        let mut known = HashSet::new();
        let names = tables.into_iter().flatten().map(String::as_str).filter(|name| !is_id(name));
        Some(names.filter(|name| known.insert(*name)).collect())
    }

    /// The header of the first input as it stood, if it has one.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.open.as_ref().and_then(|open| open.header.as_deref())
    }

    /// Returns notes for people on how inputs are read, where that may surprise.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.looks.iter().filter_map(|look| Some(format!("{}: {}", look.input, look.note.as_ref()?)))
    }

    /// Checks that the columns that a flag names are in at least one input. If more columns may follow, a missing one
    /// yields a warning.
    ///
    /// # Errors
    ///
    /// A sentence, if no input has one of them.
    pub fn require(&self, flag: &str, columns: &[String]) -> Result<Vec<String>, String> {
        lacking(&self.looks, self.looks.len() == self.inputs.len(), Some(flag), columns)
    }

    /// Checks that each input of JSON has a record with each of these columns. Without a flag they are the columns that
    /// are judged by default.
    ///
    /// # Errors
    ///
    /// As [`Source::require`].
    pub fn require_in_each(&self, flag: Option<&str>, columns: &[String]) -> Result<Vec<String>, String> {
        let mut warnings = Vec::new();
        for look in self.looks.iter().filter(|look| look.format == Format::Jsonl) {
            let named = |what: String| format!("{}: {what}", look.input);
            let told = lacking(std::slice::from_ref(look), true, flag, columns).map_err(named)?;
            warnings.extend(told.into_iter().map(named));
        }
        Ok(warnings)
    }

    /// Checks that lines of all inputs can stand in one file, under the header of the first. None may be Parquet, and
    /// tables must have the same columns. Inputs that are opened later are held to it, too.
    ///
    /// # Errors
    ///
    /// A sentence that names the input.
    pub fn require_alike(&mut self) -> Result<(), String> {
        self.alike = true;
        self.looks.iter().try_for_each(|look| self.is_alike(look))
    }

    fn is_alike(&self, look: &Look) -> Result<(), String> {
        let Look { input, format, names, .. } = look;
        if *format == Format::Parquet {
            return Err(format!("{input}: Parquet has no lines that could be printed"));
        }
        let first = &self.looks[0];
        if (first.format, &first.names) == (*format, names) || (first.names.is_none() && names.is_none()) {
            return Ok(());
        }
        Err(format!("{} and {input} have different columns, and their lines would stand under one header", first.input))
    }

    /// How records are read, for a journal to be compared.
    #[must_use]
    pub fn reading(&self) -> serde_json::Value {
        serde_json::to_value(&self.fields).unwrap_or_default()
    }
}

/// Warns of each column that is in none of these inputs, or refuses it if no more can follow. `all` says that there are
/// no other inputs.
fn lacking(looks: &[Look], all: bool, flag: Option<&str>, columns: &[String]) -> Result<Vec<String>, String> {
    let whole = all && looks.iter().all(|look| look.seen.whole);
    let mut known = HashSet::new();
    let names = looks.iter().flat_map(|look| &look.seen.names).map(String::as_str);
    let names: Vec<&str> = names.filter(|name| known.insert(*name)).collect();
    let mut warnings = Vec::new();
    // Nothing is known if no record was seen.
    for column in columns.iter().filter(|column| !names.is_empty() && !known.contains(column.as_str())) {
        let (quoted, found, there) = (shown(&[column], false), shown(&names, false), Names::Object(&names));
        let what = match (flag, there.near(column)) {
            (None, _) => format!("has the column {quoted}; found: {found}; {}", there.hint(column)),
            (Some(flag), None) => format!("has the column {quoted} that {flag} names; found: {found}"),
            (Some(flag), Some(near)) => {
                format!("has the column {quoted} that {flag} names; found: {found}; did you mean {near}?")
            }
        };
        if whole {
            return Err(format!("no record {what}"));
        }
        warnings.push(format!("no record so far {what}"));
    }
    Ok(warnings)
}

impl Iterator for Source {
    type Item = io::Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(open) = &mut self.open else {
                let input = self.inputs.get(self.opened)?;
                self.opened += 1;
                let open = input.open(self.format, &self.fields).map_err(io::Error::other).and_then(|open| {
                    let alike = if self.alike { self.is_alike(&open.look) } else { Ok(()) };
                    alike.map(|()| open).map_err(io::Error::other)
                });
                match open {
                    Ok(open) => self.open = Some(open),
                    Err(error) => {
                        self.opened = self.inputs.len();
                        return Some(Err(error));
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
