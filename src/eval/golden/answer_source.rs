//! The columns of a golden set that contain the answers.

use serde_json::Value;

use super::cell::{shown, value};
use crate::label::columns::Columns;

/// The columns of a golden set that contain the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AnswerSource {
    /// A column with a label.
    Column(String),
    /// Flags in an object, such as `expected_triggers` of openai-guardrails. Without an object, columns that are flags.
    Flags { object: Option<String>, names: Vec<String> },
    /// The category in a policy's own set. A case without one is safe.
    Own,
}

impl AnswerSource {
    /// Returns the name of the first column.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Column(name) | Self::Flags { object: Some(name), .. } => shown(name),
            Self::Flags { object: None, names } => names.first().map_or_else(String::new, |name| shown(name)),
            Self::Own => "category".to_owned(),
        }
    }

    /// Names the columns in a message.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Column(name) | Self::Flags { object: Some(name), .. } => format!("column \"{}\"", shown(name)),
            Self::Flags { object: None, names } => {
                let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", shown(name))).collect();
                format!("columns {}", names.join(", "))
            }
            Self::Own => "the policy".to_owned(),
        }
    }

    /// Returns the column as flags if it holds only objects, and as a label otherwise.
    pub(super) fn of_column(name: &str, columns: &[&Columns]) -> Self {
        Self::of_objects(name, columns).unwrap_or_else(|| Self::Column(name.to_owned()))
    }

    /// Returns the flags of a column that holds only objects.
    pub(super) fn of_objects(name: &str, columns: &[&Columns]) -> Option<Self> {
        let mut names: Vec<String> = Vec::new();
        for columns in columns {
            match value(columns, name) {
                Value::Object(flags) => {
                    let new: Vec<String> = flags.into_iter().map(|(name, _)| name).collect();
                    names.extend(new.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
                }
                Value::Null => {}
                _ => return None,
            }
        }
        (!names.is_empty()).then(|| Self::Flags { object: Some(name.to_owned()), names })
    }
}
