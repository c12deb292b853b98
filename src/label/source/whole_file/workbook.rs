//! Opening a workbook.

use std::fs::File;
use std::sync::Arc;

use crate::file_kind::FileKind;
use crate::hint::{Hint, Setting};
use crate::label::records::xlsx::{SheetError, SheetRecords};
use crate::label::records::{InputFormat, Notice, RecordFields, Seen};
use crate::label::source::error::{Problem, SourceError};
use crate::label::source::examine;
use crate::label::source::input_file::Input;
use crate::label::source::open_input::{InputInfo, OpenInput};

impl Input {
    pub(in crate::label::source) fn sheet(
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
            encoding: None,
            separator: None,
            notes,
            assumed,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header: None, info, read: None, size })
    }
}
