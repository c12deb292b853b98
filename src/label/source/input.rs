//! Opening an input: unpacked, decoded and cut into records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::error::{Problem, SourceError};
use super::examine;
use super::input_file::Input;
use super::open_input::{InputInfo, OpenInput};
use super::whole_file;
use crate::hint::{Hint, Setting};
use crate::label::decode::{decoded, ends_lines_by_returns, with_newlines};
use crate::label::records::{
    BYTE_ORDER_MARK, Encoding, InputFormat, Layout, Notice, RecordFields, Records, RecordsError, Seen, Text, not_a_text,
};
use crate::label::unpack::{BUFFER, Counted, unpacked};

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
                let start = whole_file::beginning(path);
                match format.or_else(|| whole_file::format(&start)).or_else(|| InputFormat::of_path(path)) {
                    Some(InputFormat::Parquet) => return self.parquet(file, fields, size),
                    Some(InputFormat::Xlsx) => return self.sheet(file, &start, fields, size),
                    _ => Box::new(file),
                }
            }
            None => Box::new(io::stdin()),
        };
        if format == Some(InputFormat::Parquet) {
            return Err(wrong("Parquet is read from its end, which a pipe does not have", "name a file"));
        }
        if format == Some(InputFormat::Xlsx) {
            return Err(wrong("a workbook is read from its end, which a pipe does not have", "name a file"));
        }
        if fields.sheet.is_some() {
            let notice = Notice::new("it is no workbook, so it has no sheets");
            return Err(self.refused(notice.with_hint(Hint::new("leave out ").setting(Setting::Sheet))));
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
        let mut info = InputInfo { marked, encoding: Some(encoding), ..open.info };
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
        if matches!(layout.format, InputFormat::Jsonl | InputFormat::Json) {
            seen = self.look_further(seen, layout.format, &fields);
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
        let separator = names.as_ref().map(|_| fields.separator.unwrap_or(format.separator()));
        let seen = names.clone().map_or(seen, Seen::of_table);
        let info = InputInfo {
            input: Arc::clone(&self.name),
            format,
            names,
            encoding: None,
            separator,
            seen,
            notes: Vec::new(),
            assumed,
            marked: false,
        };
        Ok(OpenInput { records: Box::new(records), header, info, read: None, size: 0 })
    }
}
