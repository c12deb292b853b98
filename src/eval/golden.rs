//! Golden sets: where each keeps what should be said.
//!
//! The one idea: an answer that is not there is not known, and not "safe". A label that cannot be understood stops the
//! evaluation, with its place, rather than count as something.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::label::columns::Columns;
use crate::policy::{GoldenCase, Policy, Verdict};

/// What should be said of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The verdict.
    pub verdict: Verdict,
    /// The category's code; none of what is safe.
    pub category: Option<String>,
    /// Whether the set knows the category, or the verdict alone.
    pub knows_category: bool,
}

/// How a golden set is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kind: Kind,
    /// Labels that are violations, all others being safe. Empty: labels mean what the policy says.
    positive: Vec<String>,
    /// The columns that make the text.
    text: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A column with a label.
    Column(String),
    /// A column that says the opposite: whether a text is safe.
    Safe(String),
    /// The categories of OpenAI's release of 2022, in an object or in columns of their own.
    Moderation { object: bool },
    /// `expected_triggers` of openai-guardrails.
    Triggers,
}

/// Why a label is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unlike(String);

/// Columns that hold a label where nobody says which.
const LABELS: [&str; 9] =
    ["expected", "label", "violation", "verdict", "gold", "target", "classification", "class", "category"];

/// The columns of OpenAI's release, and what they are in `/v1/moderations`.
const RELEASE: [(&str, &str); 8] = [
    ("S", "sexual"),
    ("H", "hate"),
    ("V", "violence"),
    ("HR", "harassment"),
    ("SH", "self-harm"),
    ("S3", "sexual/minors"),
    ("H2", "hate/threatening"),
    ("V2", "violence/graphic"),
];

impl Key {
    /// How a set is read whose records have these columns. `label` names the column, where somebody says so.
    ///
    /// # Errors
    ///
    /// When no column holds labels as far as can be seen.
    pub fn new(
        columns: &Columns,
        label: Option<&str>,
        positive: Vec<String>,
        text: Vec<String>,
    ) -> Result<Self, Unlike> {
        let has = |name: &str| columns.names().any(|column| column == name);
        let found = LABELS.iter().find_map(|name| columns.names().find(|column| column.eq_ignore_ascii_case(name)));
        let is_object = |name: &str| columns.named(name).any(|value| value.get().starts_with('{'));
        let kind = match label {
            Some(name) if !has(name) => {
                let names: Vec<String> = columns.names().map(|name| format!("`{name}`")).collect();
                return Err(Unlike(format!("there is no column `{name}` for the label, found: {}", names.join(", "))));
            }
            Some(name) if name.eq_ignore_ascii_case("safe") => Kind::Safe(name.to_owned()),
            Some(name) => Kind::Column(name.to_owned()),
            None if is_object("expected_triggers") => Kind::Triggers,
            None if is_object("labels") => Kind::Moderation { object: true },
            None if RELEASE.iter().filter(|(letters, _)| has(letters)).count() > 1 => {
                Kind::Moderation { object: false }
            }
            None if found.is_none() && has("safe") => Kind::Safe("safe".to_owned()),
            None => match found {
                Some(name) => Kind::Column(name.to_owned()),
                None => {
                    let what = "no column seems to hold what should be said; --label-column says which one does";
                    return Err(Unlike(what.to_owned()));
                }
            },
        };
        Ok(Self { kind, positive, text })
    }

    /// What should be said of a record. None if it is not known.
    ///
    /// # Errors
    ///
    /// When it says something that cannot be understood.
    pub fn expected(&self, columns: &Columns, policy: &Policy) -> Result<Option<Expected>, Unlike> {
        let value = |name: &str| {
            let raw = columns.named(name).last().map_or("null", serde_json::value::RawValue::get);
            serde_json::from_str::<Value>(raw).unwrap_or_default()
        };
        match &self.kind {
            Kind::Column(name) => match value(name) {
                // In our own sets a case without a category is safe.
                Value::Null if name == "category" && columns.names().any(|column| column == name) => {
                    Ok(Some(safe(true)))
                }
                value => self.meaning(&word(&value), policy),
            },
            Kind::Safe(name) => match word(&value(name)).to_lowercase().as_str() {
                "" => Ok(None),
                "1" | "true" | "yes" => Ok(Some(safe(false))),
                "0" | "false" | "no" => Ok(Some(violation())),
                other => Err(Unlike(format!("`{other}` does not say whether the text is safe"))),
            },
            Kind::Moderation { object } => {
                let mapped = keys(policy)?;
                let labels = if *object { value("labels") } else { Value::Null };
                let of = |letters: &str| if *object { labels.get(letters).cloned() } else { Some(value(letters)) };
                let known: Vec<bool> = RELEASE
                    .iter()
                    .filter(|(_, key)| mapped.iter().any(|mapped| mapped == key))
                    .filter_map(|(letters, _)| flag(&of(letters)?))
                    .collect();
                Ok(decide(&known))
            }
            Kind::Triggers => {
                let triggers = value("expected_triggers");
                let triggers = triggers.as_object().cloned().unwrap_or_default();
                let own = triggers.get(&policy.id).or_else(|| triggers.values().next().filter(|_| triggers.len() == 1));
                Ok(decide(&own.and_then(flag).into_iter().collect::<Vec<_>>()))
            }
        }
    }

    /// What a label means, by the policy or by the list of what is positive.
    fn meaning(&self, label: &str, policy: &Policy) -> Result<Option<Expected>, Unlike> {
        let label = label.trim();
        if label.is_empty() {
            return Ok(None);
        }
        if !self.positive.is_empty() {
            let is = self.positive.iter().any(|positive| positive.eq_ignore_ascii_case(label));
            return Ok(Some(if is { violation() } else { safe(false) }));
        }
        let categories = policy.categories();
        if let Some(category) = categories.iter().find(|category| category.code.eq_ignore_ascii_case(label)) {
            let code = Some(category.code.clone()).filter(|_| category.verdict != Verdict::Safe);
            return Ok(Some(Expected { verdict: category.verdict, category: code, knows_category: true }));
        }
        // The beginning of several codes, such as SP3.
        let begins = |code: &str| code.len() > label.len() && code.to_lowercase().starts_with(&label.to_lowercase());
        let mut family = categories.iter().filter(|category| begins(&category.code)).map(|category| category.verdict);
        if let Some(verdict) = family.next().filter(|first| family.all(|other| other == *first)) {
            return Ok(Some(Expected { verdict, category: None, knows_category: verdict == Verdict::Safe }));
        }
        if let Some(known) = policy.contract.labels.iter().find(|known| known.text.eq_ignore_ascii_case(label)) {
            return Ok(Some(Expected { verdict: known.verdict, category: None, knows_category: false }));
        }
        match label.to_lowercase().as_str() {
            "1" | "true" | "yes" | "violation" | "violating" | "invalid" | "unsafe" | "harmful" | "flagged" => {
                Ok(Some(violation()))
            }
            "0" | "false" | "no" | "safe" | "valid" | "allowed" | "benign" | "ok" => Ok(Some(safe(false))),
            "review" | "escalate" => {
                Ok(Some(Expected { verdict: Verdict::Review, category: None, knows_category: false }))
            }
            _ => Err(Unlike(format!(
                "the label `{}` is no code and no label of the policy {}\nhint: --positive LABEL,... says which labels are violations",
                label.chars().take(40).collect::<String>(),
                policy.id
            ))),
        }
    }

    /// The text of a record.
    pub(super) fn text(&self, columns: &Columns) -> String {
        let texts = self.text.iter().filter_map(|name| columns.named(name).last());
        let texts: Vec<String> =
            texts.map(|value| word(&serde_json::from_str(value.get()).unwrap_or_default())).collect();
        texts.join("\n")
    }
}

/// The keys of OpenAI's moderation that a violation of the policy stands for.
fn keys(policy: &Policy) -> Result<Vec<String>, Unlike> {
    let taxonomy = policy.taxonomy().iter().find(|(name, _)| name == OPENAI).map(|(_, keys)| keys.clone());
    taxonomy.ok_or_else(|| {
        Unlike(format!("the policy {} does not say which categories of OpenAI's it stands for\nhint: add `taxonomy: {{ {OPENAI}: [...] }}`", policy.id))
    })
}

/// The name under which a policy lists them.
const OPENAI: &str = "openai";

fn flag(value: &Value) -> Option<bool> {
    match word(value).to_lowercase().as_str() {
        "1" | "1.0" | "true" => Some(true),
        "0" | "0.0" | "false" => Some(false),
        _ => None,
    }
}

fn decide(known: &[bool]) -> Option<Expected> {
    (!known.is_empty()).then(|| if known.contains(&true) { violation() } else { safe(false) })
}

fn violation() -> Expected {
    Expected { verdict: Verdict::Violation, category: None, knows_category: false }
}

fn safe(knows_category: bool) -> Expected {
    Expected { verdict: Verdict::Safe, category: None, knows_category }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A policy's own cases, as lines of JSON.
#[must_use]
pub fn lines(cases: &[GoldenCase]) -> String {
    cases
        .iter()
        .map(|case| {
            let line = serde_json::json!({
                "text": case.text,
                "category": case.category,
                "near_miss": case.near_miss,
                "why": case.why,
            });
            format!("{line}\n")
        })
        .collect()
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.category {
            Some(code) => write!(out, "{} {code}", self.verdict),
            None => self.verdict.fmt(out),
        }
    }
}
