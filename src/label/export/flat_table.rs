//! Flat tables: the columns of an output, and the cells of a row.
//!
//! Our columns are known and come first. The input's own columns are found by reading all rows. A nested value of a row is
//! named by its path, with dots.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::error::ExportError;
use crate::calibration::terms::COLUMNS;
use crate::label::columns::Columns;
use crate::label::entry::{Entry, OutputForm};
use crate::label::journal::Ordered;
use crate::label::records::MOST_COLUMNS;
use crate::label::row::{ColumnKind, PATHS, field, policy_path};

/// The columns of a table.
#[derive(Clone, Debug)]
pub(super) struct FlatTable {
    pub columns: Vec<Column>,
    /// The number of our columns.
    ours: usize,
    form: OutputForm,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    pub kind: ColumnKind,
}

/// The JSON of a cell. `None` for null.
pub(super) type Cell = Option<Box<RawValue>>;

impl FlatTable {
    /// Returns the table of these rows.
    pub fn of(rows: Ordered, form: &OutputForm) -> Result<Self, ExportError> {
        let shown = |path: &str| form.fields.as_ref().is_none_or(|fields| fields.has(field(path)));
        let paths = PATHS.into_iter().filter(|(path, _)| shown(path));
        let mut columns: Vec<Column> = match form.policies.as_slice() {
            [_] => paths.map(|(name, kind)| Column { name: name.to_owned(), kind }).collect(),
            several => {
                let of_each = several.iter().flat_map(|policy| {
                    let values = paths.clone().filter(|(path, _)| *path != "id");
                    values.map(move |(path, kind)| Column { name: policy_path(policy, path), kind })
                });
                shown("id")
                    .then(|| Column { name: "id".to_owned(), kind: ColumnKind::Text })
                    .into_iter()
                    .chain(of_each)
                    .collect()
            }
        };
        let ours = columns.len();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut held: Vec<ValueKinds> = Vec::new();
        let mut place_of = |name: &str, held: &mut Vec<ValueKinds>| match places.get(name) {
            Some(place) => Ok(*place),
            None if held.len() == MOST_COLUMNS => Err(ExportError::Columns(MOST_COLUMNS)),
            None => {
                places.insert(name.to_owned(), held.len());
                columns.push(Column { name: name.to_owned(), kind: ColumnKind::Text });
                held.push(ValueKinds::default());
                Ok(held.len() - 1)
            }
        };
        // Columns of a table are kept even if there are no rows.
        for name in rows.terms.strings(COLUMNS) {
            place_of(&name, &mut held)?;
        }
        for entry in rows {
            for (name, value) in &entry?.columns.0 {
                let place = place_of(name, &mut held)?;
                held[place].add(value.get());
            }
        }
        for (column, held) in columns[ours..].iter_mut().zip(held) {
            column.kind = held.kind();
        }
        Ok(Self { columns, ours, form: form.clone() })
    }

    /// Returns the cells of a row, one for each column.
    pub fn cells(&self, entry: &Entry) -> Vec<Cell> {
        let mut values: HashMap<String, Box<RawValue>> = HashMap::new();
        if let Some(id) = &entry.id {
            values.insert("id".to_owned(), id.clone());
        }
        let one = self.form.policies.len() == 1;
        for (policy, row) in self.form.policies.iter().zip(entry.rows()) {
            for (name, value) in flat(row) {
                values.insert(if one { name } else { policy_path(policy, &name) }, value);
            }
        }
        let (ours, theirs) = self.columns.split_at(self.ours);
        let ours = ours.iter().map(|column| values.remove(&column.name));
        let mut own: HashMap<&str, &RawValue> = HashMap::new();
        for (name, value) in &entry.columns.0 {
            own.insert(name, value);
        }
        let theirs = theirs.iter().map(|column| own.get(column.name.as_str()).map(|value| (*value).to_owned()));
        ours.chain(theirs).map(|cell| cell.filter(|value| value.get() != "null")).collect()
    }
}

/// Returns the fields of a row, nested ones by their path.
fn flat(row: &RawValue) -> Vec<(String, Box<RawValue>)> {
    let fields: Columns = serde_json::from_str(row.get()).unwrap_or_default();
    let mut flat = Vec::with_capacity(PATHS.len());
    for (name, value) in fields.0 {
        if value.get().starts_with('{') {
            let inner: Columns = serde_json::from_str(value.get()).unwrap_or_default();
            flat.extend(inner.0.into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)));
        } else {
            flat.push((name, value));
        }
    }
    flat
}

/// The kinds of a column's values so far.
#[derive(Clone, Copy, Debug, Default)]
struct ValueKinds {
    /// The kind of the values; `None` if all are null.
    kind: Option<ColumnKind>,
    /// Set once a number would lose digits as a double.
    inexact: bool,
}

impl ValueKinds {
    fn add(&mut self, json: &str) {
        let kind = match json.as_bytes().first() {
            Some(b'n') => return,
            Some(b't' | b'f') => ColumnKind::Boolean,
            Some(b'-' | b'0'..=b'9') => {
                self.inexact |= !fits_a_double(json);
                if json.parse::<i64>().is_ok() { ColumnKind::Integer } else { ColumnKind::Number }
            }
            _ => ColumnKind::Text,
        };
        self.kind = Some(match self.kind {
            None => kind,
            Some(held) if held == kind => held,
            Some(ColumnKind::Integer | ColumnKind::Number)
                if matches!(kind, ColumnKind::Integer | ColumnKind::Number) =>
            {
                ColumnKind::Number
            }
            Some(_) => ColumnKind::Text,
        });
    }

    /// Returns the kind for all values: text if a number would lose digits.
    fn kind(self) -> ColumnKind {
        match self.kind {
            Some(ColumnKind::Number) if self.inexact => ColumnKind::Text,
            kind => kind.unwrap_or(ColumnKind::Text),
        }
    }
}

/// Reports whether the nearest double is written with the same digits as a number.
fn fits_a_double(json: &str) -> bool {
    fn digits(number: &str) -> String {
        let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    }
    json.parse::<f64>().is_ok_and(|value| value.is_finite() && digits(&format!("{value:e}")) == digits(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_what_holds_all_its_values_to_the_last_digit() {
        for (values, kind) in [
            (&["1", "null", "-2"][..], ColumnKind::Integer),
            (&["9007199254740993"], ColumnKind::Integer),
            (&["1", "0.5", "1e300", "0.30000000000000004"], ColumnKind::Number),
            (&["9007199254740993", "0.5"], ColumnKind::Text),
            (&["1", "9223372036854775809"], ColumnKind::Text),
            (&["18446744073709551615"], ColumnKind::Text),
            (&["12345678901234567890.12"], ColumnKind::Text),
            (&["1e400"], ColumnKind::Text),
            (&["1e-400"], ColumnKind::Text),
            (&["true", "null"], ColumnKind::Boolean),
            (&["true", "1"], ColumnKind::Text),
            (&["1", "\"a\""], ColumnKind::Text),
            (&["null"], ColumnKind::Text),
            (&["10", "1.50", "0"], ColumnKind::Number),
        ] {
            let mut held = ValueKinds::default();
            for value in values {
                held.add(value);
            }
            assert_eq!(held.kind(), kind, "{values:?}");
        }
    }
}
