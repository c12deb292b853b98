//! Opening an input: unpacked, decoded and cut into records.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::error::{Problem, SourceError};
use super::examine;
use super::input_file::Input;
use crate::hint::{Hint, Setting};
use crate::label::decode::{decoded, ends_lines_by_returns, with_newlines};
#[cfg(feature = "parquet")]
use crate::label::records::parquet::ParquetRecords;
use crate::label::records::{
    BYTE_ORDER_MARK, Defect, Encoding, InputFormat, Layout, Notice, Record, RecordFields, Records, RecordsError, Seen,
    Text, not_a_text,
};
use crate::label::unpack::{BUFFER, Counted, unpacked};

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
    /// Notes on how it is read, where that may surprise people.
    pub notes: Vec<Notice>,
    /// The column in place of `text`: its name in other letters.
    pub assumed: Option<String>,
    /// Set if the input begins with a byte order mark, or is not UTF-8.
    pub marked: bool,
}

impl Input {
    pub(super) fn open(&self, format: Option<InputFormat>, fields: &RecordFields) -> Result<OpenInput, SourceError> {
        let read_failed = |error| self.failed(Problem::Open(error));
        let wrong =
            |what: &'static str, remedy: &'static str| self.refused(Notice::new(what).with_hint(Hint::new(remedy)));
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
            return Err(self.refused(notice));
        }
        // A packed file may be short and its text long.
        let whole = !packed && self.path.is_some() && start.len() as u64 == size;
        let (encoding, note) = match fields.encoding {
            Some(encoding) => (encoding, None),
            None => self.encoding(start, whole)?,
        };
        let is_utf8 = encoding == Encoding::UTF_8;
        let marked = !is_utf8 || start.starts_with(BYTE_ORDER_MARK);
        let open = self.open_text(
            decoded(stream, encoding),
            whole,
            format,
            &RecordFields { encoding: Some(encoding), ..fields.clone() },
        )?;
        let mut info = InputInfo { marked, ..open.info };
        info.notes.splice(0..0, note);
        Ok(OpenInput { read: (packed || !is_utf8).then_some(read), size, info, ..open })
    }

    /// Opens an input that is unpacked and decoded. `whole`: its beginning is all of it.
    fn open_text(
        &self,
        mut stream: Box<dyn BufRead + Send>,
        whole: bool,
        format: Option<InputFormat>,
        fields: &RecordFields,
    ) -> Result<OpenInput, SourceError> {
        let failed = |error| self.failed(Problem::Open(error));
        if ends_lines_by_returns(stream.fill_buf().map_err(failed)?) {
            stream = with_newlines(stream);
        }
        let start = stream.fill_buf().map_err(failed)?;
        if let Some(notice) = not_a_text(start) {
            return Err(self.refused(notice));
        }
        let layout =
            Layout::of(start, whole, self.path.as_deref(), format, fields).map_err(|notice| self.refused(notice))?;
        let mut seen = Seen::at_the_start(start, layout.format, whole);
        let mut fields = RecordFields { separator: layout.separator, ..fields.clone() };
        let mut assumed = None;
        if layout.format == InputFormat::Jsonl {
            seen = self.look_further(seen, &fields);
            assumed = examine::assumed(&seen, &fields);
            if let Some(name) = &assumed {
                fields.text = Text::Column(name.clone());
            }
        }
        let open = self.read(stream, layout.format, &fields, seen)?;
        let assumed = assumed.or(open.info.assumed);
        let notes = examine::notes(&self.name, &layout, assumed.as_deref());
        Ok(OpenInput { info: InputInfo { notes, assumed, ..open.info }, ..open })
    }

    pub(super) fn read(
        &self,
        stream: impl BufRead + Send + 'static,
        format: InputFormat,
        fields: &RecordFields,
        seen: Seen,
    ) -> Result<OpenInput, SourceError> {
        if format == InputFormat::Lines && fields.want_columns() {
            let notice = Notice::new("it is read as plain lines, which have no columns");
            let hint = Hint::new("choose its format with ").setting(Setting::Format);
            return Err(self.refused(notice.with_hint(hint)));
        }
        let records = Records::new(stream, format, fields.clone()).map_err(|error| match error {
            RecordsError::Read(error) => self.failed(Problem::Open(error)),
            RecordsError::Header(defect) => self.failed(Problem::of_header(defect)),
        })?;
        let header = records.header().map(<[u8]>::to_vec);
        let names = records.names().map(<[String]>::to_vec);
        let assumed = records.assumed().map(str::to_owned);
        let seen = names.clone().map_or(seen, Seen::of_table);
        let info =
            InputInfo { input: Arc::clone(&self.name), format, names, seen, notes: Vec::new(), assumed, marked: false };
        Ok(OpenInput { records: Box::new(records), header, info, read: None, size: 0 })
    }

    #[cfg(feature = "parquet")]
    fn parquet(&self, file: File, fields: &RecordFields, size: u64) -> Result<OpenInput, SourceError> {
        if fields.no_header || fields.skip > 0 {
            let notice = Notice::new("Parquet has no header to be without, and no rows above it to skip");
            return Err(self.refused(notice));
        }
        if fields.encoding.is_some() || fields.separator.is_some() {
            return Err(self.refused(Notice::new("Parquet has no encoding and no separator that could be chosen")));
        }
        let records = ParquetRecords::new(file, fields).map_err(|error| {
            let defect = error.get_ref().and_then(|cause| cause.downcast_ref::<Defect>()).cloned();
            self.failed(defect.map_or_else(|| Problem::Open(error), Problem::of_header))
        })?;
        let names = records.names().to_vec();
        let seen = Seen::of_table(names.clone());
        let info = InputInfo {
            input: Arc::clone(&self.name),
            format: InputFormat::Parquet,
            names: Some(names),
            seen,
            notes: Vec::new(),
            assumed: None,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header: None, info, read: None, size })
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&self, _file: File, _fields: &RecordFields, _size: u64) -> Result<OpenInput, SourceError> {
        let notice = Notice::new("it is Parquet, which this build does not read");
        Err(self.refused(notice.with_hint(Hint::new("build with the feature `parquet`"))))
    }
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
