//! Opening a Parquet file.

use std::fs::File;
use std::sync::Arc;

use crate::label::records::parquet::ParquetRecords;
use crate::label::records::{Defect, InputFormat, Notice, RecordFields, Seen};
use crate::label::source::error::{Problem, SourceError};
use crate::label::source::input_file::Input;
use crate::label::source::open_input::{InputInfo, OpenInput};

impl Input {
    pub(in crate::label::source) fn parquet(
        &self,
        file: File,
        fields: &RecordFields,
        size: u64,
    ) -> Result<OpenInput, SourceError> {
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
            encoding: None,
            separator: None,
            seen,
            notes: Vec::new(),
            assumed: None,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header: None, info, read: None, size })
    }
}
