//! The value of a record in a column, and the labels in it.

use serde_json::Value;

use super::error::GoldenError;
use super::sense;
use crate::hint::Hint;
use crate::label::columns::Columns;
use crate::text::{cut, harmless};

/// Returns the value of a record in a column. If the column occurs twice, the last one counts.
pub(super) fn value(columns: &Columns, name: &str) -> Value {
    columns.at(name).map_or(Value::Null, |found| parsed(found.value().get()))
}

pub(super) fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// Returns a value as a text: null is empty, and a string has no quotes.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the labels of a record, or `None` if it has no label. A list may be JSON, or words between `,`, `;` and `|`.
/// A label that is `known` as a whole is not taken for a list.
pub(super) fn labels(
    columns: &Columns,
    column: &str,
    known: &dyn Fn(&str) -> bool,
) -> Result<Option<Vec<String>>, GoldenError> {
    if columns.is_twice(column) {
        let error = GoldenError::new(format!("the column `{}` occurs twice", shown(column)));
        return Err(error.hint(Hint::new("keep the column that is meant")));
    }
    match value(columns, column) {
        Value::Array(values) => of_list(&values, column),
        Value::Object(_) => {
            Err(GoldenError::new(format!("the column `{}` is an object here, and a label elsewhere", shown(column))))
        }
        value => {
            let label = word(&value);
            let trimmed = label.trim();
            if known(trimmed) {
                return Ok(Some(vec![label]));
            }
            if sense::is_absent(trimmed) {
                return Ok(None);
            }
            if trimmed.starts_with('[') && trimmed.ends_with(']') {
                // Python writes a list with single quotes.
                let values: Result<Vec<Value>, _> =
                    serde_json::from_str(trimmed).or_else(|_| serde_json::from_str(&trimmed.replace('\'', "\"")));
                let unreadable = || format!("the label `{}` is a list that cannot be read", shown(trimmed));
                return of_list(&values.map_err(|_| GoldenError::new(unreadable()))?, column);
            }
            let parts = trimmed.split([',', ';', '|', '\n']).map(str::trim).filter(|part| !part.is_empty());
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            // A comma in a sentence does not make a list.
            let is_list = parts.len() > 1 && !parts.iter().any(|part| is_sentence(part));
            Ok(Some(if is_list { parts } else { vec![label] }))
        }
    }
}

/// Returns the labels of a list. A list of nothing but missing labels is a missing label, and an empty list is not.
fn of_list(list: &[Value], column: &str) -> Result<Option<Vec<String>>, GoldenError> {
    if list.iter().any(|value| matches!(value, Value::Array(_) | Value::Object(_))) {
        let what = format!("the column `{}` is a list of lists or objects, and no list of labels", shown(column));
        return Err(GoldenError::new(what).hint(Hint::new("keep the names of the labels alone")));
    }
    let labels: Vec<String> = list.iter().map(word).filter(|label| !sense::is_absent(label)).collect();
    Ok((list.is_empty() || !labels.is_empty()).then_some(labels))
}

/// Reports whether a value is too long to be a label.
pub(super) fn is_sentence(label: &str) -> bool {
    const LONGEST: usize = 60;
    const WORDS: usize = 5;
    label.chars().count() > LONGEST || label.split_whitespace().count() > WORDS
}

/// Shortens a label or a name for a message, on one line. A long text is replaced by its length: it may be content.
pub(super) fn shown(label: &str) -> String {
    const LONGEST: usize = 40;
    let label = label.trim();
    if is_sentence(label) {
        return format!("a text of {} characters", label.chars().count());
    }
    cut(&harmless(label), LONGEST)
}

/// Lists labels or names for a message, each in backquotes. At most `most` are listed.
pub(super) fn listed<'label>(labels: impl IntoIterator<Item = &'label str>, most: usize) -> String {
    let listed: Vec<String> = labels.into_iter().take(most).map(|label| format!("`{}`", shown(label))).collect();
    listed.join(", ")
}
