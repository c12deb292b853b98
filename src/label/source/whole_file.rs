//! Opening files that are read from their end: Parquet and workbooks.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::error::{Problem, SourceError};
use super::examine;
use super::input_file::Input;
use super::open_input::{InputInfo, OpenInput};
use crate::file_kind::FileKind;
use crate::hint::{Hint, Setting};
#[cfg(feature = "parquet")]
use crate::label::records::parquet::ParquetRecords;
#[cfg(feature = "xlsx")]
use crate::label::records::xlsx::{SheetError, SheetRecords};
use crate::label::records::{Defect, InputFormat, Notice, RecordFields, Seen};
use crate::label::unpack::BUFFER;

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Returns the format of a file that begins like this, if the file is one of them.
pub(super) fn format(start: &[u8]) -> Option<InputFormat> {
    if start.starts_with(PARQUET) {
        return Some(InputFormat::Parquet);
    }
    FileKind::of(start).filter(FileKind::is_workbook).map(|_| InputFormat::Xlsx)
}

/// Returns the first bytes of a file. Empty for a pipe, which cannot be read twice.
pub(super) fn beginning(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if fs::metadata(path).is_ok_and(|about| about.is_file())
        && let Ok(file) = File::open(path)
    {
        // A file that cannot be read is reported when it is.
        let _ = file.take(BUFFER as u64).read_to_end(&mut start);
    }
    start
}

impl Input {
    #[cfg(feature = "parquet")]
    pub(super) fn parquet(&self, file: File, fields: &RecordFields, size: u64) -> Result<OpenInput, SourceError> {
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
            separator: None,
            seen,
            notes: Vec::new(),
            assumed: None,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header: None, info, read: None, size })
    }

    #[cfg(not(feature = "parquet"))]
    pub(super) fn parquet(&self, _file: File, _fields: &RecordFields, _size: u64) -> Result<OpenInput, SourceError> {
        let notice = Notice::new("it is Parquet, which this build does not read");
        Err(self.refused(notice.with_hint(Hint::new("build with the feature `parquet`"))))
    }

    #[cfg(feature = "xlsx")]
    pub(super) fn sheet(
        &self,
        file: File,
        start: &[u8],
        fields: &RecordFields,
        size: u64,
    ) -> Result<OpenInput, SourceError> {
        if fields.encoding.is_some() || fields.separator.is_some() {
            return Err(self.refused(Notice::new("a workbook has no encoding and no separator that could be chosen")));
        }
        let kind = FileKind::of(start);
        if let Some(kind) = kind.filter(|kind| kind.name != "a ZIP archive" && !kind.is_workbook()) {
            let notice = Notice::new(format!("it is {}, and no workbook (.xlsx)", kind.name));
            return Err(self.refused(notice.with_hint(kind.remedy.into())));
        }
        if kind.is_none() {
            let hint = Hint::of_value(Setting::Format, "csv").text(" reads it as CSV");
            return Err(
                self.refused(Notice::new("it is no workbook, although its name is that of one").with_hint(hint))
            );
        }
        let (records, note) = SheetRecords::new(file, fields).map_err(|error| match error {
            SheetError::Refused(notice) => self.refused(notice),
            SheetError::Header(defect) => self.failed(Problem::of_header(defect)),
        })?;
        let (names, assumed) = (records.names().to_vec(), records.assumed().map(str::to_owned));
        let mut notes: Vec<Notice> = note.map(|note| note.of_input(&self.name)).into_iter().collect();
        notes.extend(assumed.as_deref().map(|name| examine::note_of_assumed(&self.name, name)));
        let info = InputInfo {
            input: Arc::clone(&self.name),
            format: InputFormat::Xlsx,
            seen: Seen::of_table(names.clone()),
            names: Some(names),
            separator: None,
            notes,
            assumed,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header: None, info, read: None, size })
    }

    #[cfg(not(feature = "xlsx"))]
    pub(super) fn sheet(
        &self,
        _file: File,
        _start: &[u8],
        _fields: &RecordFields,
        _size: u64,
    ) -> Result<OpenInput, SourceError> {
        let notice = Notice::new("it is a workbook (.xlsx), which this build does not read");
        Err(self.refused(notice.with_hint(Hint::new("build with the feature `xlsx`"))))
    }
}
