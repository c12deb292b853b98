//! The fields of a row by name, and their columns in a table.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A choice of a row's fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFields(BTreeSet<String>);

/// The columns that a row fills in a table, each with its path and its kind. A field with several values has a path for
/// each of them, with a dot.
pub(in crate::label) const PATHS: [(&str, ColumnKind); 42] = [
    ("id", ColumnKind::Text),
    ("status", ColumnKind::Text),
    ("verdict", ColumnKind::Text),
    ("label", ColumnKind::Text),
    ("category", ColumnKind::Text),
    ("category_title", ColumnKind::Text),
    ("severity", ColumnKind::Text),
    ("probability", ColumnKind::Number),
    ("label_probability", ColumnKind::Number),
    ("mass", ColumnKind::Number),
    ("cascade.probability", ColumnKind::Number),
    ("cascade.escalated", ColumnKind::Boolean),
    ("calibrated", ColumnKind::Number),
    ("decision", ColumnKind::Text),
    ("threshold", ColumnKind::Number),
    ("min_mass", ColumnKind::Number),
    ("repaired", ColumnKind::Boolean),
    ("rationale", ColumnKind::Text),
    ("reasoning", ColumnKind::Text),
    ("policy.id", ColumnKind::Text),
    ("policy.digest", ColumnKind::Text),
    ("model.id", ColumnKind::Text),
    ("model.digest", ColumnKind::Text),
    ("template.id", ColumnKind::Text),
    ("template.digest", ColumnKind::Text),
    ("effort", ColumnKind::Text),
    ("version", ColumnKind::Text),
    ("usage.prefix_tokens", ColumnKind::Integer),
    ("usage.content_tokens", ColumnKind::Integer),
    ("usage.reasoning_tokens", ColumnKind::Integer),
    ("usage.probe_tokens", ColumnKind::Integer),
    ("usage.answer_tokens", ColumnKind::Integer),
    ("usage.rationale_tokens", ColumnKind::Integer),
    ("usage.reasoning_ended", ColumnKind::Text),
    ("pieces.count", ColumnKind::Integer),
    ("pieces.tokens", ColumnKind::Integer),
    ("pieces.overlap", ColumnKind::Integer),
    ("pieces.worst", ColumnKind::Integer),
    ("pieces.undecided", ColumnKind::Integer),
    ("error.code", ColumnKind::Text),
    ("error.message", ColumnKind::Text),
    ("error.hint", ColumnKind::Text),
];

/// The kind of values in a table's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::label) enum ColumnKind {
    Text,
    Integer,
    Number,
    Boolean,
}

/// Returns the field that a path leads into.
pub(in crate::label) fn field(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// Returns the names of all fields, in order.
fn fields() -> Vec<&'static str> {
    let mut names: Vec<&str> = PATHS.iter().map(|(path, _)| field(path)).collect();
    names.dedup();
    names
}

/// Returns the path of a value in the row of one of several policies.
pub(in crate::label) fn policy_path(policy: &str, path: &str) -> String {
    format!("{policy}.{path}")
}

/// Returns all names that rows of these policies use, in any format.
#[must_use]
pub fn names<'p>(policies: impl Iterator<Item = &'p str>) -> Vec<String> {
    let policies: Vec<&str> = policies.collect();
    let paths = PATHS.iter().map(|(path, _)| *path);
    match policies.as_slice() {
        [_] => fields().into_iter().chain(paths).map(str::to_owned).collect(),
        several => ["id", "verdict", "verdicts"]
            .into_iter()
            .map(str::to_owned)
            .chain(several.iter().flat_map(|policy| PATHS.iter().map(|(path, _)| policy_path(policy, path))))
            .collect(),
    }
}

impl RowFields {
    /// Reads a list: `id,verdict,probability`, or `all`.
    ///
    /// # Errors
    ///
    /// When a row lacks a field of the list. The message names the fields of a row.
    pub fn parse(list: &str) -> Result<Self, String> {
        let names = fields();
        if list.trim() == "all" {
            return Ok(Self(names.into_iter().map(str::to_owned).collect()));
        }
        let wanted: BTreeSet<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        match wanted.iter().find(|name| !names.contains(&name.as_str())) {
            None => Ok(Self(wanted)),
            Some(unknown) => {
                // Anything but a name could be a text, which no message repeats.
                let is_name = unknown.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let unknown = if is_name && unknown.len() < 24 { format!(" \"{unknown}\"") } else { String::new() };
                Err(format!("unknown field{unknown}; the fields are all, or some of {}", names.join(", ")))
            }
        }
    }

    /// Reports whether a field is chosen.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::row::Row;

    #[test]
    fn the_fields_that_can_be_chosen_and_their_paths_are_those_of_a_row() {
        let schema = schemars::schema_for!(Row).to_value();
        let properties = schema["properties"].as_object().unwrap();
        let names: Vec<&String> = properties.keys().collect();
        assert_eq!(names, fields());
        let mut paths = Vec::new();
        for (name, about) in properties {
            let reference = about["$ref"].as_str().or_else(|| about["anyOf"][0]["$ref"].as_str());
            let inner = reference.and_then(|path| schema.pointer(path.strip_prefix('#').unwrap()));
            match inner.and_then(|inner| inner["properties"].as_object()) {
                Some(inner) => paths.extend(inner.keys().map(|inner| format!("{name}.{inner}"))),
                None => paths.push(name.clone()),
            }
        }
        assert_eq!(paths, PATHS.map(|(path, _)| path));
        assert!(RowFields::parse("verdict, probability").unwrap().has("probability"));
        assert!(RowFields::parse("verdict,").is_err());
        assert!(fields().iter().all(|name| RowFields::parse("all").unwrap().has(name)));
    }
}
