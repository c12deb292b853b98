//! Provenance: the settings that a verdict depends on besides the text.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Hash;
use crate::text::shown;

/// What was evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The golden set.
    pub golden: String,
    /// The policy's id, and its digest.
    pub policy: [String; 2],
    /// The model's name, and its digest.
    pub model: [String; 2],
    /// The template's id, and its digest.
    pub template: [String; 2],
    /// How much the model was to reason.
    pub effort: String,
    /// magistrate's version.
    pub version: String,
    /// Everything that a probability depends on besides the text. Empty in an evaluation of an earlier version.
    #[serde(default)]
    pub terms: Terms,
}

/// The settings that all rows of a journal have in common, each under its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms(pub Map<String, Value>);

/// The name of a term that tells one share of a run from the others.
pub const SHARD: &str = "shard";

/// The name of a term that lists the columns of the inputs. It is given if all inputs are tables.
pub const COLUMNS: &str = "columns of the tables";

impl Terms {
    /// Returns the terms that differ from others, if any: a line for each, with its value then and now.
    #[must_use]
    pub fn unlike(&self, others: &Self) -> Option<String> {
        let different = self.differences(others).into_iter();
        let different: Vec<String> =
            different.map(|(name, then, now)| format!("  {name}: then {then}, now {now}")).collect();
        (!different.is_empty()).then(|| different.join("\n"))
    }

    /// Returns the terms that differ from others: the name of each, its value here and its value there, in words.
    #[must_use]
    pub fn differences(&self, others: &Self) -> Vec<(String, String, String)> {
        let names = self.0.keys().chain(others.0.keys().filter(|name| !self.0.contains_key(*name)));
        let value = |terms: &Self, name: &String| terms.0.get(name).cloned().unwrap_or_default();
        names
            .map(|name| (name, value(self, name), value(others, name)))
            .filter(|(_, here, there)| here != there)
            .map(|(name, here, there)| (name.clone(), told(&here), told(&there)))
            .collect()
    }

    /// The same, without what tells one share from the others.
    #[must_use]
    pub fn of_all_shares(&self) -> Self {
        let mut terms = self.clone();
        terms.0.shift_remove(SHARD);
        terms
    }

    /// Returns the texts of a list.
    #[must_use]
    pub fn strings(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// Returns a value in words. Digests are cut short, and an object is shown as its digest.
fn told(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.split(' ').map(short).collect::<Vec<_>>().join(" "),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(told).collect::<Vec<_>>().join(", "),
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
