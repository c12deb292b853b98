//! Sources: where records come from. Files one after another, or stdin, packed or not.
//!
//! Each record has a place, its input and its number there. The place is the same whenever the same inputs are read again.
//! So a run can be continued, shared among machines, and checked.

mod error;
mod examine;
mod input;
mod input_file;
mod missing;
mod open_input;
mod placed;
mod whole_file;

use std::collections::HashSet;
use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::records::{Encoding, InputFormat, Notice, RecordFields, Seen};
use crate::hint::{Hint, Setting};
use crate::label::about::TableForm;
use error::Problem;
use missing::missing_columns;
use open_input::{InputInfo, OpenInput};

pub use error::SourceError;
pub use input_file::Input;
pub use placed::Placed;

/// The records of several inputs, in order. It ends after the first read error.
pub struct Source {
    inputs: Vec<Input>,
    format: Option<InputFormat>,
    fields: RecordFields,
    /// The input that is open, and how many were opened before.
    open: Option<OpenInput>,
    opened: usize,
    /// The inputs that could be examined.
    infos: Vec<InputInfo>,
    /// Set if all inputs must have the columns of the first.
    alike: bool,
    /// Bytes of the inputs that are done.
    before: u64,
    /// Records so far, of all inputs and of this.
    count: u64,
    row: u64,
    /// The most records that are read.
    limit: Option<u64>,
}

impl Source {
    /// Opens the records of these inputs. Each input is examined before the first record, if it can be; stdin is
    /// opened.
    ///
    /// # Errors
    ///
    /// A [`SourceError`] for the first input that cannot be read.
    pub fn new(inputs: Vec<Input>, format: Option<InputFormat>, fields: RecordFields) -> Result<Self, SourceError> {
        let open = inputs.first().map(|input| input.open(format, &fields)).transpose()?;
        let mut infos: Vec<InputInfo> = open.iter().map(|open| open.info.clone()).collect();
        for other in inputs.iter().skip(1) {
            if other.can_be_examined()? {
                infos.push(other.open(format, &fields)?.info);
            }
        }
        let opened = usize::from(open.is_some());
        Ok(Self { inputs, format, fields, open, opened, infos, ..Self::none() })
    }

    /// Reads the records of a stream that is not a file, under a name.
    ///
    /// # Errors
    ///
    /// As [`Source::new`].
    pub fn of_stream(
        name: &str,
        stream: impl BufRead + Send + 'static,
        format: InputFormat,
        fields: RecordFields,
    ) -> Result<Self, SourceError> {
        let input = Input { name: name.into(), path: None };
        let open = input.read(stream, format, &fields, Seen::default())?;
        let infos = vec![open.info.clone()];
        Ok(Self {
            inputs: vec![input],
            format: Some(format),
            fields,
            open: Some(open),
            opened: 1,
            infos,
            ..Self::none()
        })
    }

    /// Opens the same inputs again. `None` if one of them is a stream, which can be read only once.
    ///
    /// # Errors
    ///
    /// As [`Source::new`].
    pub fn again(&self) -> Result<Option<Self>, SourceError> {
        for input in &self.inputs {
            if !input.can_be_examined()? {
                return Ok(None);
            }
        }
        let again = Self::new(self.inputs.clone(), self.format, self.fields.clone())?;
        Ok(Some(again.with_limit(self.limit)))
    }

    /// Returns a source without inputs.
    #[must_use]
    pub fn none() -> Self {
        let fields = RecordFields::default();
        Self {
            inputs: Vec::new(),
            format: None,
            fields,
            open: None,
            opened: 0,
            infos: Vec::new(),
            alike: false,
            before: 0,
            count: 0,
            row: 0,
            limit: None,
        }
    }

    /// Restricts the source to its first records, at most this many.
    #[must_use]
    pub fn with_limit(self, limit: Option<u64>) -> Self {
        Self { limit, ..self }
    }

    /// Returns the most records that are read.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Raises the limit, if there is a lower one. Reports whether it was lower.
    pub fn raise_limit(&mut self, least: u64) -> bool {
        let is_lower = self.limit.is_some_and(|limit| limit < least);
        if is_lower {
            self.limit = Some(least);
        }
        is_lower
    }

    /// Reports whether the input would have to be typed at a terminal.
    #[must_use]
    pub fn is_typed(inputs: &[Input]) -> bool {
        inputs.iter().any(|input| input.path.is_none()) && io::stdin().is_terminal()
    }

    /// Returns the inputs.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Returns the size of all inputs in bytes. `None` if one is unknown, or not all are read.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.inputs.iter().filter(|_| self.limit.is_none()).map(Input::size).sum()
    }

    /// Returns a function that counts the records, by reading the inputs again. `None` if they cannot be read twice, or
    /// if that would take too long.
    #[must_use]
    pub fn counter(&self) -> Option<impl FnOnce() -> Option<u64> + Send + use<>> {
        /// Bytes that are read in less than a second.
        const MOST: u64 = 64 << 20;
        // With a limit, no more than that is read.
        self.inputs
            .iter()
            .map(Input::size)
            .sum::<Option<u64>>()
            .filter(|size| self.limit.is_some() || *size <= MOST)?;
        let (inputs, format, fields, limit) = (self.inputs.clone(), self.format, self.fields.clone(), self.limit);
        let count = move |source: Self| source.with_limit(limit).flatten().count() as u64;
        Some(move || Some(count(Self::new(inputs, format, fields).ok()?)))
    }

    /// Returns the names of the columns of the first input, if it is a table.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        self.open.as_ref().and_then(|open| open.info.names.as_deref())
    }

    /// Returns the format of the first input, its encoding if it is a text, and its separator if it is a table in text.
    #[must_use]
    pub fn layout(&self) -> Option<(InputFormat, Option<Encoding>, Option<u8>)> {
        self.infos.first().map(|info| (info.format, info.encoding, info.separator))
    }

    /// Returns the names of the columns of the first input, as far as it was examined. Plain lines have none.
    #[must_use]
    pub fn seen_columns(&self) -> &[String] {
        let first = self.infos.first().filter(|info| info.format != InputFormat::Lines);
        first.map_or(&[], |info| &info.seen.names)
    }

    /// Reports whether the id of a record is its column `id`.
    #[must_use]
    pub fn has_usual_id(&self) -> bool {
        self.fields.id.as_deref().is_none_or(|id| id == "id")
    }

    /// Returns the columns that make the text of a record.
    #[must_use]
    pub fn text_columns(&self) -> Vec<&str> {
        self.fields.text.columns()
    }

    /// Returns the columns of all inputs, if all inputs are tables.
    #[must_use]
    pub fn table_columns(&self) -> Option<Vec<&str>> {
        let tables: Option<Vec<&Vec<String>>> = self.infos.iter().map(|info| info.names.as_ref()).collect();
        let tables = tables.filter(|tables| tables.len() == self.inputs.len())?;
        let mut known = HashSet::new();
        let names = tables.into_iter().flatten().map(String::as_str);
        Some(names.filter(|name| known.insert(*name)).collect())
    }

    /// Returns the header of the first input, byte for byte, if it has one.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.open.as_ref().and_then(|open| open.header.as_deref())
    }

    /// Returns the form of a table in text that is made of these inputs: that of the first one.
    ///
    /// The program that wrote the first input may need a byte order mark to read UTF-8. So there is a mark if the input
    /// begins with one, or is not UTF-8. The separator is the input's if that is CSV, else a comma.
    #[must_use]
    pub fn table_form(&self) -> TableForm {
        let Some(first) = self.infos.first() else { return TableForm::default() };
        let separator = first.separator.filter(|_| first.format == InputFormat::Csv);
        TableForm { bom: first.marked, separator: separator.unwrap_or(TableForm::default().separator) }
    }

    /// Returns notes on how inputs are read, where that may surprise people.
    pub fn notes(&self) -> impl Iterator<Item = Notice> {
        self.infos.iter().flat_map(|info| info.notes.iter().cloned())
    }

    /// Checks that each of the columns that a flag names is in at least one input. If more columns may follow, a missing
    /// one yields a warning.
    ///
    /// # Errors
    ///
    /// A [`Notice`] for the first column that no input has.
    pub fn require(&self, flag: &str, columns: &[String]) -> Result<Vec<Notice>, Notice> {
        missing_columns(&self.infos, self.infos.len() == self.inputs.len(), Some(flag), columns, None)
    }

    /// Checks that each input of JSON has a record with each of these columns. Without a flag they are the columns that
    /// are judged by default.
    ///
    /// # Errors
    ///
    /// As [`Source::require`].
    pub fn require_in_each(&self, flag: Option<&str>, columns: &[String]) -> Result<Vec<Notice>, Notice> {
        let mut warnings = Vec::new();
        for info in self.infos.iter().filter(|info| matches!(info.format, InputFormat::Jsonl | InputFormat::Json)) {
            let own = info.assumed.as_slice();
            let columns = if own.is_empty() { columns } else { own };
            warnings.extend(missing_columns(std::slice::from_ref(info), true, flag, columns, Some(&info.input))?);
        }
        Ok(warnings)
    }

    /// Requires that lines of all inputs can follow one another under the header of the first. Tables must have the same
    /// columns, and Parquet is refused. The check holds for inputs that are opened later, too.
    ///
    /// # Errors
    ///
    /// A [`Notice`] that names the input.
    pub fn require_alike(&mut self) -> Result<(), Notice> {
        self.alike = true;
        self.infos.iter().try_for_each(|info| self.is_alike(info))
    }

    fn is_alike(&self, info: &InputInfo) -> Result<(), Notice> {
        let InputInfo { input, format, names, separator, .. } = info;
        let without_lines = match format {
            InputFormat::Parquet => Some("Parquet has no lines"),
            InputFormat::Xlsx => Some("a workbook has no lines"),
            _ => None,
        };
        if let Some(why) = without_lines {
            let hint =
                Hint::new("write all rows with ").setting(Setting::Output).text(", and filter them by their verdict");
            return Err(Notice::new(format!("{input}: {why} that could be printed")).with_hint(hint));
        }
        let first = &self.infos[0];
        let what = match (first.names == *names, first.separator == *separator) {
            (true, true) => return Ok(()),
            (true, false) => "are separated in different ways, and their lines would follow one header",
            (false, _) => "have different columns, and their lines would follow one header",
        };
        Err(Notice::new(format!("{} and {input} {what}", first.input)))
    }

    /// Returns the settings by which records are read, as a journal keeps them.
    #[must_use]
    pub fn reading(&self) -> serde_json::Value {
        serde_json::to_value(&self.fields).unwrap_or_default()
    }
}

impl Iterator for Source {
    type Item = io::Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.limit.is_some_and(|limit| self.count >= limit) {
                return None;
            }
            let Some(open) = &mut self.open else {
                let input = self.inputs.get(self.opened)?;
                self.opened += 1;
                let open = input.open(self.format, &self.fields).map_err(io::Error::other).and_then(|open| {
                    let alike = if self.alike { self.is_alike(&open.info) } else { Ok(()) };
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
                    let named = io::Error::new(
                        error.kind(),
                        SourceError { input: Arc::clone(input), problem: Problem::Read(error) },
                    );
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
