//! The differences between two policies.
//!
//! The one idea: categories are matched by code, terms by name, and examples by text. Other rules are matched by their
//! whole wording.

use std::fmt;

use serde::Serialize;

use crate::policy::{Body, Category, Example, Policy, Structured};

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The changed part: `category SP2.a`, `precedence` and so on.
    pub part: String,
    /// The old wording. `None` if the part is new.
    pub before: Option<String>,
    /// The new wording. `None` if the part was removed.
    pub after: Option<String>,
}

/// Returns all differences, in the order of the parts of a policy.
#[must_use]
pub fn diff(before: &Policy, after: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut compare = |part: &str, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { part: part.to_owned(), before, after });
        }
    };
    compare("title", Some(before.title.clone()), Some(after.title.clone()));
    compare("version", Some(before.version.clone()), Some(after.version.clone()));
    compare("effort", Some(before.effort.to_string()), Some(after.effort.to_string()));
    compare("contract", Some(contract(before)), Some(contract(after)));
    match (&before.body, &after.body) {
        (Body::Structured(old), Body::Structured(new)) => {
            compare("instruction", Some(old.instruction.clone()), Some(new.instruction.clone()));
            for (name, entries) in parts() {
                compare_lists(&mut changes, name, &entries(old), &entries(new));
            }
        }
        (Body::Verbatim(old), Body::Verbatim(new)) => {
            let lines = |text: &str| keyed_by_wording(text.lines().map(str::trim).filter(|line| !line.is_empty()));
            compare_lists(&mut changes, "line", &lines(old), &lines(new));
        }
        (old, new) => compare("form", Some(form(old).to_owned()), Some(form(new).to_owned())),
    }
    changes
}

/// Lists the entries of one part: the key of each, and its wording.
type Entries = fn(&Structured) -> Vec<(String, String)>;

/// Returns the parts of a policy that are lists.
fn parts() -> [(&'static str, Entries); 7] {
    [
        ("definition", |rules| {
            rules.definitions.iter().map(|definition| (definition.term.clone(), definition.meaning.clone())).collect()
        }),
        ("category", |rules| {
            let wording = |category: &Category| {
                let severity = category.severity.map_or(String::new(), |severity| format!(", {severity}"));
                let action = category.action.map_or(String::new(), |action| format!(", {action}"));
                let criteria = category.criteria.join(" ");
                format!("{} ({}{severity}{action}): {criteria}", category.title, category.verdict)
            };
            rules.categories.iter().map(|category| (category.code.clone(), wording(category))).collect()
        }),
        ("precedence", |rules| keyed_by_wording(rules.precedence.iter().map(String::as_str))),
        ("ambiguity", |rules| keyed_by_wording(rules.ambiguity.iter().map(String::as_str))),
        ("escalation", |rules| keyed_by_wording(rules.escalation.iter().map(String::as_str))),
        ("example", |rules| {
            let wording = |example: &Example| {
                let why = example.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
                format!("{}{why}", example.category.as_deref().unwrap_or("safe"))
            };
            rules.examples.iter().map(|example| (example.text.clone(), wording(example))).collect()
        }),
        ("taxonomy", |rules| rules.taxonomy.iter().map(|(name, keys)| (name.clone(), keys.join(", "))).collect()),
    ]
}

/// Returns entries that have their whole wording as their key.
fn keyed_by_wording<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    texts.map(|text| (text.to_owned(), text.to_owned())).collect()
}

/// Compares two lists of entries: the key of each, and its wording.
fn compare_lists(changes: &mut Vec<Change>, part: &str, before: &[(String, String)], after: &[(String, String)]) {
    let find = |entries: &[(String, String)], name: &str| {
        entries.iter().find(|(other, _)| other == name).map(|(_, wording)| wording.clone())
    };
    let added = after.iter().filter(|(name, _)| find(before, name).is_none());
    for (name, _) in before.iter().chain(added) {
        let (old, new) = (find(before, name), find(after, name));
        if old != new {
            // A rule with its wording as its key is not named twice.
            let is_own_key = old.as_ref() == Some(name) || new.as_ref() == Some(name);
            let part = if is_own_key { part.to_owned() } else { format!("{part} {name}") };
            changes.push(Change { part, before: old, after: new });
        }
    }
}

fn contract(policy: &Policy) -> String {
    let labels = policy.contract.labels.iter().map(|label| format!("{}={}", label.text, label.verdict));
    format!("{:?}, {}", policy.contract.form, labels.collect::<Vec<_>>().join(", ")).to_lowercase()
}

fn form(body: &Body) -> &'static str {
    match body {
        Body::Structured(_) => "rules in parts",
        Body::Verbatim(_) => "a text",
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        write!(out, "{mark} {}", self.part)?;
        if let Some(before) = &self.before {
            write!(out, "\n  - {before}")?;
        }
        if let Some(after) = &self.after {
            write!(out, "\n  + {after}")?;
        }
        Ok(())
    }
}
