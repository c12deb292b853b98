//! A Parquet file. Each column may be null. Numbers and booleans keep their type, and other values are text.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use serde_json::value::RawValue;

use super::flat_table::FlatTable;
use super::pack::Finish;
use super::row_writer::RowWriter;
use crate::label::columns::text;
use crate::label::entry::Entry;
use crate::label::row::ColumnKind;

/// Writes rows in groups. A group is in memory until it is complete.
pub(super) struct Groups {
    writer: SerializedFileWriter<Box<dyn Finish>>,
    table: FlatTable,
    columns: Vec<Values>,
    rows: usize,
    bytes: usize,
}

/// A group's values of one column, with a mark for each row that has one.
struct Values {
    values: Typed,
    there: Vec<i16>,
}

enum Typed {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Boolean(Vec<bool>),
}

/// Rows and bytes of a group, at most.
const ROWS: usize = 1 << 16;
const BYTES: usize = 32 << 20;

impl Groups {
    pub fn new(file: Box<dyn Finish>, table: FlatTable) -> io::Result<Self> {
        let fields = table.columns.iter().map(|column| {
            let (physical, converted) = match column.kind {
                ColumnKind::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
                ColumnKind::Integer => (Physical::INT64, ConvertedType::NONE),
                ColumnKind::Number => (Physical::DOUBLE, ConvertedType::NONE),
                ColumnKind::Boolean => (Physical::BOOLEAN, ConvertedType::NONE),
            };
            let builder = Type::primitive_type_builder(&column.name, physical).with_converted_type(converted);
            builder.with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("rows").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        Ok(Self { writer, columns: empty(&table), table, rows: 0, bytes: 0 })
    }

    fn write_group(&mut self) -> io::Result<()> {
        let columns = std::mem::replace(&mut self.columns, empty(&self.table));
        (self.rows, self.bytes) = (0, 0);
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in columns {
            // The group has a writer for each column of the schema.
            if let Some(mut writer) = group.next_column().map_err(failed)? {
                column.write(&mut writer).and_then(|()| writer.close()).map_err(failed)?;
            }
        }
        group.close().map(|_| ()).map_err(failed)
    }
}

fn empty(table: &FlatTable) -> Vec<Values> {
    let typed = |kind| match kind {
        ColumnKind::Text => Typed::Text(Vec::new()),
        ColumnKind::Integer => Typed::Integer(Vec::new()),
        ColumnKind::Number => Typed::Number(Vec::new()),
        ColumnKind::Boolean => Typed::Boolean(Vec::new()),
    };
    table.columns.iter().map(|column| Values { values: typed(column.kind), there: Vec::new() }).collect()
}

impl Values {
    fn push(&mut self, cell: Option<&RawValue>) -> usize {
        let json = cell.map_or("null", RawValue::get);
        let there = match &mut self.values {
            Typed::Text(values) => cell.map(|cell| values.push(text(cell).into_bytes().into())),
            Typed::Integer(values) => json.parse().ok().map(|value| values.push(value)),
            Typed::Number(values) => json.parse().ok().map(|value| values.push(value)),
            Typed::Boolean(values) => json.parse().ok().map(|value| values.push(value)),
        };
        self.there.push(i16::from(there.is_some()));
        json.len() + 8
    }

    fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let there = Some(self.there.as_slice());
        match &self.values {
            Typed::Text(values) => writer.typed::<ByteArrayType>().write_batch(values, there, None),
            Typed::Integer(values) => writer.typed::<Int64Type>().write_batch(values, there, None),
            Typed::Number(values) => writer.typed::<DoubleType>().write_batch(values, there, None),
            Typed::Boolean(values) => writer.typed::<BoolType>().write_batch(values, there, None),
        }
        .map(|_| ())
    }
}

impl RowWriter for Groups {
    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(self.table.cells(entry)) {
            self.bytes += column.push(cell.as_deref());
        }
        self.rows += 1;
        if self.rows == ROWS || self.bytes >= BYTES { self.write_group() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.into_inner().map_err(failed)?.finish()
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
