//! Terms: the settings that all rows of a run share, and everything else that a probability depends on besides the text.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::digest::Hash;
use crate::text::shown;

/// Settings by name, in a fixed order. Two runs under equal terms give a text the same probability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms(pub Map<String, Value>);

/// The name of the term that contains the share of a run that a journal covers.
pub const SHARD: &str = "shard";

/// The name of the term that lists the columns of the inputs. It is present if all inputs are tables.
pub const COLUMNS: &str = "columns of the tables";

/// The name of the term that is the share from which on a verdict ends the reasoning.
pub const SURE: &str = "--sure";

/// The name of the term that shows whether a remote engine still has the same model.
pub const CANARY: &str = "canary";

/// The name under which a journal keeps facts about its run. They are not compared.
pub const ABOUT: &str = "about";

impl Terms {
    /// Returns a line for each term that differs from `others`, with its value then and now. Returns `None` if all are
    /// equal.
    #[must_use]
    pub fn unlike(&self, others: &Self) -> Option<String> {
        let different = self.differences(others).into_iter();
        let different: Vec<String> =
            different.map(|(name, then, now)| format!("  {name}: then {then}, now {now}")).collect();
        (!different.is_empty()).then(|| different.join("\n"))
    }

    /// Returns the terms that differ from `others`: the name, the value here and the value there, in words. A missing
    /// term equals null.
    #[must_use]
    pub fn differences(&self, others: &Self) -> Vec<(String, String, String)> {
        let names = self.0.keys().chain(others.0.keys().filter(|name| !self.0.contains_key(*name)));
        let names = names.filter(|name| *name != ABOUT);
        let value = |terms: &Self, name: &String| terms.0.get(name).cloned().unwrap_or_default();
        names
            .map(|name| (name, value(self, name), value(others, name)))
            .filter(|(_, here, there)| here != there && !are_alike(here, there))
            .map(|(name, here, there)| (name.clone(), in_words(&here), in_words(&there)))
            .collect()
    }

    /// Returns the terms without [`SHARD`]: those that all shares of one run have in common.
    #[must_use]
    pub fn of_all_shares(&self) -> Self {
        let mut terms = self.clone();
        terms.0.shift_remove(SHARD);
        terms
    }

    /// Reports whether a term is given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns the texts of a term that is a list. Empty if the term is missing or no list.
    #[must_use]
    pub fn strings(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// Returns a term that was measured: whole numbers, and the difference up to which each counts as rounding.
#[must_use]
pub fn measured(values: &[i64], rounding: u64) -> Value {
    json!({ "values": values, "rounding": rounding })
}

/// Reports whether two terms were measured and differ by no more than rounding.
fn are_alike(here: &Value, there: &Value) -> bool {
    let read = |value: &Value| serde_json::from_value::<Measured>(value.clone()).ok();
    let (Some(here), Some(there)) = (read(here), read(there)) else { return false };
    here.values.len() == there.values.len()
        && here.values.iter().zip(&there.values).all(|(one, other)| one.abs_diff(*other) <= here.rounding)
}

#[derive(Deserialize)]
struct Measured {
    values: Vec<i64>,
    rounding: u64,
}

/// Returns a value in words. Digests are cut short, and an object is shown as its digest.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.split(' ').map(short).collect::<Vec<_>>().join(" "),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(_) => format!("one of digest {}", short(&Hash::of(value.to_string().as_bytes()).to_string())),
    }
}

/// Returns a word, or the beginning of a digest.
fn short(word: &str) -> String {
    const SHOWN: usize = 12;
    let digest = word.rsplit(':').next().unwrap_or_default();
    if digest.len() >= 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        format!("{}…", &digest[..SHOWN])
    } else {
        shown(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_terms_are_equal_up_to_rounding() {
        let terms = |values: &[i64]| Terms([(CANARY.to_owned(), measured(values, 300))].into_iter().collect());
        assert_eq!(terms(&[1000, -50]).unlike(&terms(&[1250, -300])), None);
        assert!(terms(&[1000, -50]).unlike(&terms(&[1400, -50])).is_some());
        assert!(terms(&[1000, -50]).unlike(&terms(&[1000])).is_some());
        assert!(terms(&[1000]).unlike(&Terms::default()).is_some());
    }
}
