//! A table of rows: which columns there are, and what a row has in each.
//!
//! The one idea: ours are known and come first, the input's own are found by a look at all rows. What is nested in a row
//! of ours is named by its path, with dots.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::ExportError;
use crate::label::columns::Columns;
use crate::label::entry::{Entry, Form};
use crate::label::journal::Ordered;
use crate::label::records::MOST_COLUMNS;
use crate::label::row::{Kind, PATHS, field, path_of};

/// The columns of a table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub columns: Vec<Column>,
    /// How many of them are ours.
    ours: usize,
    form: Form,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
}

/// What stands in a place of a table, as JSON. Null is nothing.
pub(super) type Cell = Option<Box<RawValue>>;

impl Table {
    /// The table that these rows make.
    pub fn of(rows: Ordered, form: &Form) -> Result<Self, ExportError> {
        let shown = |path: &str| form.fields.as_ref().is_none_or(|fields| fields.has(field(path)));
        let paths = PATHS.into_iter().filter(|(path, _)| shown(path));
        let mut columns: Vec<Column> = match form.policies.as_slice() {
            [_] => paths.map(|(name, kind)| Column { name: name.to_owned(), kind }).collect(),
            several => {
                let of_each = several.iter().flat_map(|policy| {
                    let said = paths.clone().filter(|(path, _)| *path != "id");
                    said.map(move |(path, kind)| Column { name: path_of(policy, path), kind })
                });
                shown("id")
                    .then(|| Column { name: "id".to_owned(), kind: Kind::Text })
                    .into_iter()
                    .chain(of_each)
                    .collect()
            }
        };
        let ours = columns.len();
        let mut places: HashMap<String, usize> = HashMap::new();
        // Of each of the input's own what it holds so far; nothing but null if `None`.
        let mut kinds: Vec<Option<Kind>> = Vec::new();
        for entry in rows {
            for (name, value) in &entry?.columns.0 {
                let place = match places.get(name) {
                    Some(place) => *place,
                    None if kinds.len() == MOST_COLUMNS => return Err(ExportError::Columns(MOST_COLUMNS)),
                    None => {
                        places.insert(name.clone(), kinds.len());
                        columns.push(Column { name: name.clone(), kind: Kind::Text });
                        kinds.push(None);
                        kinds.len() - 1
                    }
                };
                kinds[place] = both(kinds[place], kind(value.get()));
            }
        }
        for (column, kind) in columns[ours..].iter_mut().zip(kinds) {
            column.kind = kind.unwrap_or(Kind::Text);
        }
        Ok(Self { columns, ours, form: form.clone() })
    }

    /// What a row has in each column.
    pub fn cells(&self, entry: &Entry) -> Vec<Cell> {
        let mut said: HashMap<String, Box<RawValue>> = HashMap::new();
        if let Some(id) = &entry.id {
            said.insert("id".to_owned(), id.clone());
        }
        let one = self.form.policies.len() == 1;
        for (policy, row) in self.form.policies.iter().zip(entry.rows()) {
            for (name, value) in flat(row) {
                said.insert(if one { name } else { path_of(policy, &name) }, value);
            }
        }
        let (ours, theirs) = self.columns.split_at(self.ours);
        let ours = ours.iter().map(|column| said.remove(&column.name));
        let mut own: HashMap<&str, &RawValue> = HashMap::new();
        for (name, value) in &entry.columns.0 {
            own.insert(name, value);
        }
        let theirs = theirs.iter().map(|column| own.get(column.name.as_str()).map(|value| (*value).to_owned()));
        ours.chain(theirs).map(|cell| cell.filter(|value| value.get() != "null")).collect()
    }
}

/// A row, what is nested in it by its path.
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

/// The text of a cell: of a string what it says, of anything else its JSON.
pub(super) fn text(value: &RawValue) -> String {
    if value.get().starts_with('"') {
        // Half of a surrogate pair has no other text than its JSON.
        serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
    } else {
        value.get().to_owned()
    }
}

fn kind(json: &str) -> Option<Kind> {
    match json.as_bytes().first() {
        Some(b'n') => None,
        Some(b't' | b'f') => Some(Kind::Boolean),
        Some(b'-' | b'0'..=b'9') if json.parse::<i64>().is_ok() => Some(Kind::Integer),
        Some(b'-' | b'0'..=b'9') => Some(Kind::Number),
        _ => Some(Kind::Text),
    }
}

/// What holds both.
fn both(one: Option<Kind>, other: Option<Kind>) -> Option<Kind> {
    match (one, other) {
        (None, kind) | (kind, None) => kind,
        (Some(one), Some(other)) if one == other => Some(one),
        (Some(Kind::Integer | Kind::Number), Some(Kind::Integer | Kind::Number)) => Some(Kind::Number),
        _ => Some(Kind::Text),
    }
}
