//! Opening files that are read from their end: Parquet and workbooks.

#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "xlsx")]
mod workbook;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::file_kind::FileKind;
use crate::label::records::InputFormat;
use crate::label::unpack::BUFFER;
#[cfg(not(all(feature = "parquet", feature = "xlsx")))]
use {
    super::{error::SourceError, input_file::Input, open_input::OpenInput},
    crate::hint::Hint,
    crate::label::records::{Notice, RecordFields},
};

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

#[cfg(not(all(feature = "parquet", feature = "xlsx")))]
impl Input {
    #[cfg(not(feature = "parquet"))]
    pub(super) fn parquet(&self, _file: File, _fields: &RecordFields, _size: u64) -> Result<OpenInput, SourceError> {
        let notice = Notice::new("it is Parquet, which this build does not read");
        Err(self.refused(notice.with_hint(Hint::new("build with the feature `parquet`"))))
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
