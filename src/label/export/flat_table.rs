//! Flat tables: the columns of an output, and the cells of a row.
//!
//! The input's own columns come first, in their order. They are found by reading all rows. Ours follow: those that people
//! read, or the chosen ones. A nested value of a row is named by its path, with dots.

use std::collections::HashMap;

use serde_json::value::{RawValue, to_raw_value};

use super::error::ExportError;
use super::row_values::RowValues;
use super::settings::Export;
use super::value_kinds::ValueKinds;
use super::view::{OwnColumn, Value, columns};
use crate::calibration::terms::COLUMNS;
use crate::label::about::RunAbout;
use crate::label::entry::Entry;
use crate::label::journal::Ordered;
use crate::label::records::MOST_COLUMNS;
use crate::label::row::{self, ColumnKind, RowVerdict};

/// The columns of a table.
#[derive(Clone, Debug)]
pub(super) struct FlatTable {
    pub columns: Vec<Column>,
    /// The number of the input's columns.
    theirs: usize,
    ours: Vec<OwnColumn>,
    /// The number of policies.
    policies: usize,
    /// The digits of a probability behind the point; all if `None`.
    digits: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    /// The kind of the values, which Parquet stores.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only Parquet has typed columns"))]
    pub kind: ColumnKind,
}

/// The JSON of a cell. `None` for null.
pub(super) type Cell = Option<Box<RawValue>>;

/// The name of the id's column.
const ID: &str = "id";

impl FlatTable {
    /// Returns the table of these rows. `digits` are those of a probability behind the point, where people read it.
    pub fn of(rows: Ordered, export: &Export, digits: Option<usize>) -> Result<Self, ExportError> {
        let (form, about) = (&export.form, RunAbout::of(&rows.terms));
        let ours = columns(form, &rows.terms, export.anew.as_ref());
        let mut theirs = Theirs::default();
        // Columns of a table are kept even if there are no rows.
        for name in rows.terms.strings(COLUMNS).iter().filter(|name| form.keeps(name)) {
            theirs.place_of(name)?;
        }
        let mut has_id = false;
        for entry in rows {
            let entry = entry?;
            has_id |= entry.id.is_some();
            for (name, value) in entry.columns.0.iter().filter(|(name, _)| form.keeps(name)) {
                let place = theirs.place_of(name)?;
                theirs.kinds[place].add(value.get());
            }
        }
        let chosen = form.fields.as_ref().is_some_and(|fields| fields.has(ID));
        let shown = has_id && about.id && form.fields.is_none() && form.keeps(ID);
        if (chosen || shown) && !theirs.places.contains_key(ID) {
            theirs.names.insert(0, ID.to_owned());
            theirs.kinds.insert(0, ValueKinds::default());
        }
        let kind = |(name, kinds): (&String, ValueKinds)| if name == ID { ColumnKind::Text } else { kinds.kind() };
        let mut columns: Vec<Column> = Vec::with_capacity(theirs.names.len() + ours.len());
        for (name, kinds) in theirs.names.iter().zip(theirs.kinds) {
            columns.push(Column { name: name.clone(), kind: kind((name, kinds)) });
        }
        let theirs = columns.len();
        columns.extend(ours.iter().map(|own| Column { name: own.name.clone(), kind: own.kind }));
        let digits = digits.filter(|_| form.fields.is_none());
        Ok(Self { columns, theirs, ours, policies: form.policies.len(), digits })
    }

    /// Returns the cells of a row, one for each column.
    pub fn cells(&self, entry: &Entry) -> Vec<Cell> {
        let mut values: Vec<RowValues<'_>> = entry.rows().into_iter().map(RowValues::of).collect();
        values.resize_with(self.policies, RowValues::default);
        let mut own: HashMap<&str, &RawValue> = HashMap::new();
        for (name, value) in &entry.columns.0 {
            own.insert(name, value);
        }
        if let Some(id) = &entry.id {
            own.insert(ID, id);
        }
        let theirs = self.columns[..self.theirs].iter();
        let theirs = theirs.map(|column| own.get(column.name.as_str()).map(|value| (*value).to_owned()));
        let ours = self.ours.iter().map(|column| match &column.value {
            Value::Overall => to_raw_value(RowVerdict::of(&row::rows(&entry.verdicts)).word()).ok(),
            Value::Path { policy, path } => {
                let value = values[*policy].at(path);
                value.map(|value| if column.is_share { self.rounded(value) } else { value.to_owned() })
            }
        });
        theirs.chain(ours).map(|cell| cell.filter(|value| value.get() != "null")).collect()
    }

    /// Returns a probability with the digits of this table.
    fn rounded(&self, value: &RawValue) -> Box<RawValue> {
        let rounded =
            self.digits.zip(value.get().parse::<f64>().ok()).map(|(digits, share)| format!("{share:.digits$}"));
        rounded.and_then(|share| RawValue::from_string(share).ok()).unwrap_or_else(|| value.to_owned())
    }
}

/// The input's own columns.
#[derive(Default)]
struct Theirs {
    names: Vec<String>,
    kinds: Vec<ValueKinds>,
    places: HashMap<String, usize>,
}

impl Theirs {
    fn place_of(&mut self, name: &str) -> Result<usize, ExportError> {
        match self.places.get(name) {
            Some(place) => Ok(*place),
            None if self.names.len() == MOST_COLUMNS => Err(ExportError::Columns(MOST_COLUMNS)),
            None => {
                self.places.insert(name.to_owned(), self.names.len());
                self.names.push(name.to_owned());
                self.kinds.push(ValueKinds::default());
                Ok(self.names.len() - 1)
            }
        }
    }
}
