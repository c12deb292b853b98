//! The rows of a Parquet file.
//!
//! A row has the columns that a line of JSON would have, so the code behind this sees no difference. No other file of the
//! package reads Parquet.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::Compression;
use parquet::data_type::Decimal;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::calendar;
use super::conversation;
use super::defect::{Defect, Location, judged};
use super::json::{self, STRING, kind};
use super::names::{Names, missing_id, missing_text, quoted, shown};
use super::record::{Record, take_id};
use super::record_fields::RecordFields;
use super::text::Text;
use crate::content::Content;
use crate::hint::Hint;
use crate::label::columns::{Columns, Found, leads_into};

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

/// The wanted columns, by their names in the file.
struct Wanted {
    text: Text,
    /// The columns that make the text, or paths into columns.
    takes: Vec<String>,
    id: String,
    /// The number of columns.
    columns: usize,
}

impl ParquetRecords {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// When the file is no Parquet file, is cut short, has an unknown packing, or lacks a wanted column.
    pub fn new(file: File, fields: &RecordFields) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        let refused = |defect: Defect| io::Error::new(io::ErrorKind::InvalidData, defect);
        can_be_unpacked(reader.metadata()).map_err(refused)?;
        let about = reader.metadata().file_metadata();
        each_name_once(about.schema()).map_err(refused)?;
        let names: Vec<String> = about.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        let all = u64::try_from(about.num_rows()).unwrap_or(0);
        let place = |wanted: &str| {
            let number = || wanted.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(1)?));
            let exact = names.iter().find(|name| *name == wanted).or_else(number).cloned();
            let path = || leads_into(wanted, names.iter().map(String::as_str)).then(|| wanted.to_owned());
            exact.or_else(path)
        };
        let takes = fields
            .text
            .columns()
            .into_iter()
            .map(|name| place(name).ok_or_else(|| refused(missing_text(name, Names::Table(&names), Location::File))))
            .collect::<Result<_, _>>()?;
        let id = match &fields.id {
            None => "id".to_owned(),
            Some(id) => place(id).ok_or_else(|| refused(missing_id(id, Names::Table(&names), Location::File)))?,
        };
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok(Self {
            rows,
            wanted: Wanted { text: fields.text.clone(), takes, id, columns: names.len() },
            names,
            count: 0,
            all: all.max(1),
            size,
            ended: false,
        })
    }

    /// Returns the names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn record(&self, row: &Row) -> Record {
        // The library panics on some damaged values.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let columns = columns(row);
            let content = self.wanted.content(&columns, self.count);
            (columns, content)
        }));
        let (mut columns, content) = read.unwrap_or_else(|_| {
            let what = "a value that its type does not allow";
            (Columns::default(), Err(Defect::new("unreadable", Location::Row(self.count), what)))
        });
        let id = take_id(&mut columns, &self.wanted.id);
        let end = self.size.saturating_mul(self.count) / self.all;
        Record { number: self.count, end, raw: Vec::new(), id, columns, content }
    }
}

impl Wanted {
    fn content(&self, columns: &Columns, number: u64) -> Result<Content, Defect> {
        let place = Location::Row(number);
        let value = |name: &String| {
            let is = |what: &str| format!("the column {} is {what}", quoted(name));
            let found = columns.at(name);
            let Some(value) = found.as_ref().map(Found::value) else {
                if columns.0.len() == self.columns {
                    // A path that this row does not have. Among several columns it is empty.
                    let missing = || Defect::new("missing-text", place, is("missing"));
                    return if self.text.is_one() { Err(missing()) } else { Ok(String::new()) };
                }
                return Err(Defect::new("not-utf8", place, is("not UTF-8")));
            };
            match kind(value.get()) {
                STRING => conversation::in_text(name, json::string(value).unwrap_or_default(), place),
                "an array" if conversation::is(value.get()) => conversation::read(value.get(), place),
                "null" if !self.text.is_one() => Ok(String::new()),
                "a number" | "a boolean" if !self.text.is_one() => Ok(value.get().to_owned()),
                "null" => Err(Defect::new("wrong-type", place, is("null"))),
                _ => Err(Defect::new("wrong-type", place, is("no text"))),
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

/// Refuses a file that has a column in a packing that is not read.
fn can_be_unpacked(about: &ParquetMetaData) -> Result<(), Defect> {
    let chunks = about.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let packings = chunks.map(ColumnChunkMetaData::compression);
    if packings.into_iter().any(|packing| packing == Compression::LZO) {
        let defect = Defect::new("packing", Location::File, "it is packed by LZO, which is not read");
        return Err(defect.with_hint(Hint::new("write it with Snappy or zstd")));
    }
    Ok(())
}

/// Refuses two columns of one name, side by side or within a group, because one of them would be lost.
fn each_name_once(schema: &Type) -> Result<(), Defect> {
    if !schema.is_group() {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let twice: Vec<&str> =
        schema.get_fields().iter().map(|field| field.name()).filter(|name| !seen.insert(*name)).collect();
    if !twice.is_empty() {
        let what = format!("columns of the same name: {}; rename all but one", shown(&twice, false));
        return Err(Defect::new("duplicate-columns", Location::File, what));
    }
    schema.get_fields().iter().try_for_each(|field| each_name_once(field))
}

/// Returns the columns of a row. A column whose bytes are not UTF-8 is left out, as in CSV, because JSON cannot hold
/// it.
fn columns(row: &Row) -> Columns {
    let columns = row.get_column_iter().filter_map(|(name, field)| Some((name.clone(), json(field)?)));
    Columns(columns.collect())
}

/// Returns a value as JSON. It becomes text if JSON's numbers cannot hold it whole, and `None` if its bytes are not
/// UTF-8.
fn json(field: &Field) -> Option<Box<RawValue>> {
    Some(match field {
        Field::Null => raw(&()),
        Field::Bool(value) => raw(value),
        Field::Byte(value) => raw(value),
        Field::Short(value) => raw(value),
        Field::Int(value) => raw(value),
        Field::Long(value) => raw(value),
        Field::UByte(value) => raw(value),
        Field::UShort(value) => raw(value),
        Field::UInt(value) => raw(value),
        Field::ULong(value) => raw(value),
        Field::Float16(value) => float(value.to_f32()),
        Field::Float(value) => float(*value),
        Field::Double(value) => float(*value),
        Field::Str(text) => raw(text),
        Field::Bytes(bytes) => raw(bytes.as_utf8().ok()?),
        Field::Decimal(decimal) => number(decimal),
        Field::Date(day) => raw(&calendar::date(i64::from(*day))),
        Field::TimeMillis(units) => raw(&calendar::time(i64::from(*units), 3)),
        Field::TimeMicros(units) => raw(&calendar::time(*units, 6)),
        Field::TimestampMillis(units) => raw(&calendar::moment(*units, 3)),
        Field::TimestampMicros(units) => raw(&calendar::moment(*units, 6)),
        Field::Group(row) => raw(&columns(row)),
        Field::ListInternal(list) => raw(&list.elements().iter().filter_map(json).collect::<Vec<_>>()),
        Field::MapInternal(map) => {
            let entry = |(key, field): &(Field, Field)| {
                let key = json(key)?;
                let key = json::string(&key).unwrap_or_else(|| key.get().to_owned());
                Some((key, json(field)?))
            };
            raw(&Columns(map.entries().iter().filter_map(entry).collect()))
        }
    })
}

fn raw(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).expect("texts, numbers and JSON can always be written as JSON")
}

/// Returns a floating-point number in its shortest digits; NaN and infinities as text.
fn float<F: Into<f64> + Serialize + std::fmt::Display + Copy>(value: F) -> Box<RawValue> {
    let wide: f64 = value.into();
    if wide.is_finite() { raw(&value) } else { raw(&value.to_string()) }
}

/// Returns a decimal with all its digits. It is text if some readers of JSON would lose digits.
fn number(decimal: &Decimal) -> Box<RawValue> {
    // A double keeps every decimal number of 15 digits.
    const KEPT: i32 = 15;
    let digits = Field::Decimal(decimal.clone()).to_string();
    let digits = digits.trim_end_matches('.');
    let as_number = (decimal.precision() <= KEPT).then(|| RawValue::from_string(digits.to_owned()).ok()).flatten();
    as_number.unwrap_or_else(|| raw(digits))
}
