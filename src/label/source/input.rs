//! One input: its name, and its opening.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::error::{Problem, SourceError};
use crate::hint::{Hint, Setting};
#[cfg(feature = "parquet")]
use crate::label::records::parquet::ParquetRecords;
use crate::label::records::{
    BYTE_ORDER_MARK, InputFormat, Notice, Record, RecordFields, Records, RecordsError, Seen, guess, not_a_text,
};
use crate::label::unpack::{BUFFER, Counted, unpacked};

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name in rows and errors.
    pub name: Arc<str>,
    /// The file. `None` for stdin.
    pub(super) path: Option<PathBuf>,
}

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
    pub seen: Seen,
    pub note: Option<Notice>,
    /// Set if the input begins with a byte order mark.
    pub marked: bool,
}

impl Input {
    /// Returns the input of a file. Bytes of the name that are not UTF-8 are escaped, so different files have different
    /// names.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self { name: name_of(&path).into(), path: Some(path) }
    }

    /// Returns the input that is piped in.
    #[must_use]
    pub fn stdin() -> Self {
        Self { name: "stdin".into(), path: None }
    }

    /// Returns the file's path. `None` for stdin.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the size of a file in bytes.
    pub(super) fn size(&self) -> Option<u64> {
        let about = fs::metadata(self.path.as_ref()?).ok()?;
        about.is_file().then_some(about.len())
    }

    fn failed(&self, problem: Problem) -> SourceError {
        SourceError { input: Arc::clone(&self.name), problem }
    }

    /// Reports whether the input is a file, which can be examined before its turn, or a folder, which is refused. A
    /// pipe cannot be examined.
    pub(super) fn can_be_examined(&self) -> Result<bool, SourceError> {
        let Some(path) = &self.path else { return Ok(false) };
        let about = fs::metadata(path).map_err(|error| self.failed(Problem::Open(error)))?;
        Ok(about.is_file() || about.is_dir())
    }

    pub(super) fn open(&self, format: Option<InputFormat>, fields: &RecordFields) -> Result<OpenInput, SourceError> {
        let read_failed = |error| self.failed(Problem::Open(error));
        let refused = |notice: Notice| self.failed(Problem::Refused(notice));
        let wrong = |what: &'static str, remedy: &'static str| refused(Notice::new(what).with_hint(Hint::new(remedy)));
        let size = self.size().unwrap_or(0);
        let raw: Box<dyn Read + Send> = match &self.path {
            Some(path) => {
                let file = File::open(path).map_err(read_failed)?;
                if file.metadata().map_err(read_failed)?.is_dir() {
                    return Err(wrong("it is a folder", "name a file in it"));
                }
                let is_parquet = match format {
                    Some(format) => format == InputFormat::Parquet,
                    None => InputFormat::of_path(path) == Some(InputFormat::Parquet) || starts_with(path, PARQUET),
                };
                if is_parquet {
                    return self.parquet(file, fields, size);
                }
                Box::new(file)
            }
            None => Box::new(io::stdin()),
        };
        if format == Some(InputFormat::Parquet) {
            return Err(wrong("Parquet is read from its end, which a pipe does not have", "name a file"));
        }
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { raw, read: Arc::clone(&read) };
        let (mut stream, packed) = unpacked(BufReader::with_capacity(BUFFER, counted)).map_err(read_failed)?;
        let start = stream.fill_buf().map_err(read_failed)?;
        if let Some(notice) = not_a_text(start) {
            return Err(refused(notice));
        }
        let (format, note) = match format {
            Some(format) => (format, None),
            None => guess(start, self.path.as_deref()).map(|guess| (guess.format, guess.note)).map_err(refused)?,
        };
        // The size of a packed file does not tell how long its text is.
        let whole = !packed && self.path.is_some() && start.len() as u64 == size;
        let marked = start.starts_with(BYTE_ORDER_MARK);
        let seen = Seen::at_the_start(start, format, whole);
        let open = self.read(stream, format, fields, seen)?;
        Ok(OpenInput { read: packed.then_some(read), size, info: InputInfo { note, marked, ..open.info }, ..open })
    }

    pub(super) fn read(
        &self,
        stream: impl BufRead + Send + 'static,
        format: InputFormat,
        fields: &RecordFields,
        seen: Seen,
    ) -> Result<OpenInput, SourceError> {
        if format == InputFormat::Lines && *fields != (RecordFields { skip: fields.skip, ..RecordFields::default() }) {
            let notice = Notice::new("it is read as plain lines, which have no columns");
            let hint = Hint::new("choose its format with ").setting(Setting::Format);
            return Err(self.failed(Problem::Refused(notice.with_hint(hint))));
        }
        let records = Records::new(stream, format, fields.clone()).map_err(|error| match error {
            RecordsError::Read(error) => self.failed(Problem::Open(error)),
            RecordsError::Header(defect) => self.failed(Problem::Header(defect)),
        })?;
        let header = records.header().map(<[u8]>::to_vec);
        let names = records.names().map(<[String]>::to_vec);
        let seen = names.clone().map_or(seen, Seen::of_table);
        let info = InputInfo { input: Arc::clone(&self.name), format, names, seen, note: None, marked: false };
        Ok(OpenInput { records: Box::new(records), header, info, read: None, size: 0 })
    }

    #[cfg(feature = "parquet")]
    fn parquet(&self, file: File, fields: &RecordFields, size: u64) -> Result<OpenInput, SourceError> {
        if fields.no_header || fields.skip > 0 {
            let notice = Notice::new("Parquet has no header to be without, and no rows above it to skip");
            return Err(self.failed(Problem::Refused(notice)));
        }
        let records = ParquetRecords::new(file, fields).map_err(|error| self.failed(Problem::Open(error)))?;
        let names = records.names().to_vec();
        let seen = Seen::of_table(names.clone());
        let info = InputInfo {
            input: Arc::clone(&self.name),
            format: InputFormat::Parquet,
            names: Some(names),
            seen,
            note: None,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header: None, info, read: None, size })
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&self, _file: File, _fields: &RecordFields, _size: u64) -> Result<OpenInput, SourceError> {
        let notice = Notice::new("it is Parquet, which this build does not read");
        Err(self.failed(Problem::Refused(notice.with_hint(Hint::new("build with the feature `parquet`")))))
    }
}

/// Returns a path as text. Bytes that are not UTF-8 are written as `\xFF`.
fn name_of(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name.push_str(chunk.valid());
        name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    name
}

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Reports whether a file begins with these bytes. False for a pipe, which cannot be read twice.
fn starts_with(path: &Path, magic: &[u8]) -> bool {
    let examined = || {
        let mut start = vec![0; magic.len()];
        fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        File::open(path).ok()?.read_exact(&mut start).ok()?;
        Some(start == magic)
    };
    examined().unwrap_or(false)
}
