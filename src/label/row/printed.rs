//! Rows as they are printed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Id, Row, RowVerdict};

/// A row that prints only its chosen fields.
pub struct Selected<'row>(&'row Row);

impl Serialize for Selected<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(fields) = &self.0.fields else { return self.0.serialize(serializer) };
        let mut row = serde_json::to_value(self.0).map_err(serde::ser::Error::custom)?;
        if let Some(row) = row.as_object_mut() {
            row.retain(|name, _| fields.has(name));
        }
        row.serialize(serializer)
    }
}

/// The rows of one content: the row itself for one policy, the rows by policy id for several.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Printed<'rows> {
    /// One policy.
    One(#[schemars(with = "Row")] Selected<'rows>),
    /// Several policies.
    Several {
        /// The content's id, as its source has it.
        #[schemars(with = "Option<Id>")]
        id: Option<&'rows RawValue>,
        /// The verdict over all policies, the worst first: violation, undecided, review, safe.
        verdict: RowVerdict,
        /// The row of each policy.
        #[schemars(with = "BTreeMap<String, Row>")]
        verdicts: BTreeMap<&'rows str, Selected<'rows>>,
    },
}

impl<'rows> Printed<'rows> {
    /// Prints these rows, one for each policy.
    #[must_use]
    pub fn new(rows: &'rows [Row]) -> Self {
        match rows {
            [row] => Self::One(Selected(row)),
            rows => Self::by_policy(rows),
        }
    }

    /// Prints these rows by policy, also the row of a single one.
    #[must_use]
    pub fn by_policy(rows: &'rows [Row]) -> Self {
        Self::Several {
            id: rows.first().and_then(|row| row.id.as_deref()),
            verdict: RowVerdict::of(rows),
            verdicts: rows.iter().map(|row| (row.policy.id.as_str(), Selected(row))).collect(),
        }
    }

    /// Returns the JSON Schema of the printed rows, in which every field is required.
    #[must_use]
    pub fn schema(title: &str) -> schemars::Schema {
        let generator = SchemaSettings::default().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Printed<'static>>();
        schema.insert("title".to_owned(), title.into());
        schema
    }
}
