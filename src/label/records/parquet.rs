//! A Parquet file's rows.
//!
//! The one idea: a row becomes the columns that a line of JSON would have had, so everything behind this sees no
//! difference. No other file of the package reads Parquet.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use parquet::data_type::Decimal;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Number, Value};

use super::defect::{Defect, Place, judged, missing_id, missing_text};
use super::text::Text;
use super::{Fields, Record, take_id};
use crate::content::Content;
use crate::label::columns::Columns;

/// The rows of a file, in order.
pub struct ParquetRecords {
    rows: RowIter<'static>,
    wanted: Wanted,
    names: Vec<String>,
    count: u64,
    /// Rows and bytes of the file.
    all: u64,
    size: u64,
    ended: bool,
}

/// What is looked for in each row: columns by their names in the file.
struct Wanted {
    text: Text,
    takes: Vec<String>,
    id: String,
}

impl ParquetRecords {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// When the file is no Parquet file, is cut short, or lacks a column that is wanted.
    pub fn new(file: File, fields: &Fields) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        let about = reader.metadata().file_metadata();
        let names: Vec<String> = about.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        let all = u64::try_from(about.num_rows()).unwrap_or(0);
        let place = |wanted: &str| {
            let number = || wanted.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(1)?));
            names.iter().find(|name| *name == wanted).or_else(number).cloned()
        };
        let refused = |defect: Defect| io::Error::new(io::ErrorKind::InvalidData, defect);
        let takes = fields
            .text
            .columns()
            .into_iter()
            .map(|name| place(name).ok_or_else(|| refused(missing_text(name, &names, Place::File))))
            .collect::<Result<_, _>>()?;
        let id = match &fields.id {
            None => "id".to_owned(),
            Some(id) => place(id).ok_or_else(|| refused(missing_id(id, &names, Place::File)))?,
        };
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok(Self {
            rows,
            wanted: Wanted { text: fields.text.clone(), takes, id },
            names,
            count: 0,
            all: all.max(1),
            size,
            ended: false,
        })
    }

    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn record(&self, row: &Row) -> Record {
        let (number, end) = (self.count, self.size.saturating_mul(self.count) / self.all);
        let mut columns = Columns::default();
        for (name, field) in row.get_column_iter() {
            // Bytes that are no text have no place in JSON: the column is left out, as in CSV.
            if let Some(value) = json(field) {
                columns.push(name, &value);
            }
        }
        let content = self.wanted.content(row, number);
        let id = take_id(&mut columns, &self.wanted.id);
        Record { number, end, raw: Vec::new(), id, columns, content }
    }
}

impl Wanted {
    fn content(&self, row: &Row, number: u64) -> Result<Content, Defect> {
        let place = Place::Row(number);
        let value = |name: &String| {
            let wrong = |what: &str| Defect::new("wrong-type", place, format_args!("the column `{name}` is {what}"));
            let field = row.get_column_iter().find(|(column, _)| *column == name).map(|(_, field)| field);
            match field.map(json) {
                Some(Some(Value::String(text))) => Ok(text),
                Some(Some(Value::Null)) if !self.text.is_one() => Ok(String::new()),
                Some(Some(value @ (Value::Number(_) | Value::Bool(_)))) if !self.text.is_one() => Ok(value.to_string()),
                Some(None) => Err(Defect::new("not-utf8", place, format_args!("the column `{name}` is not UTF-8"))),
                Some(Some(Value::Null)) => Err(wrong("null")),
                _ => Err(wrong("no text")),
            }
        };
        let values = self.takes.iter().map(value).collect::<Result<_, _>>()?;
        judged(self.text.compose(values), place)
    }
}

impl Iterator for ParquetRecords {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        // What a damaged file says may be more than the library foresaw.
        let next = catch_unwind(AssertUnwindSafe(|| self.rows.next()));
        let row =
            next.unwrap_or_else(|_| Some(Err(ParquetError::General("its contents contradict each other".into()))))?;
        self.ended = row.is_err();
        Some(row.map_err(broken).map(|row| {
            self.count += 1;
            self.record(&row)
        }))
    }
}

fn broken(error: ParquetError) -> io::Error {
    let what = match error {
        ParquetError::External(source) => source.to_string(),
        other => other.to_string(),
    };
    io::Error::new(io::ErrorKind::InvalidData, format!("it is no whole Parquet file: {what}"))
}

/// A value as JSON has it. `None` for bytes that are no text.
fn json(field: &Field) -> Option<Value> {
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    // As it is written: an f32 of 0.1 is 0.1.
    let short = |value: f32| value.to_string().parse().map_or(Value::Null, float);
    Some(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float16(value) => short(value.to_f32()),
        Field::Float(value) => short(*value),
        Field::Double(value) => float(*value),
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => bytes.as_utf8().ok()?.into(),
        Field::Decimal(decimal) => number(decimal),
        // Dates and times as the crate writes them: ISO 8601 with a blank in the middle.
        Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => field.to_string().into(),
        Field::Group(row) => row
            .get_column_iter()
            .filter_map(|(name, field)| Some((name.clone(), json(field)?)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Field::ListInternal(list) => list.elements().iter().filter_map(json).collect(),
        Field::MapInternal(map) => map
            .entries()
            .iter()
            .filter_map(|(key, field)| {
                let key = match json(key)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Some((key, json(field)?))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
    })
}

/// A decimal with all its digits, where JSON can have them.
fn number(decimal: &Decimal) -> Value {
    let text = Field::Decimal(decimal.clone()).to_string();
    Number::from_str(&text).map_or(Value::String(text), Value::Number)
}
