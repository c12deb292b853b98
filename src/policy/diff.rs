//! What changed from one policy to another.
//!
//! The one idea: rules are known again by their codes, terms by their names, examples by their texts; what has neither is
//! known by what it says.

use std::fmt;

use super::{Body, Policy, Structured};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is a part of: `category SP2.a`, `precedence` and so on.
    pub part: String,
    /// What it said.
    pub before: Option<String>,
    /// What it says.
    pub after: Option<String>,
}

/// All differences, in the order of the parts of a policy.
#[must_use]
pub fn diff(before: &Policy, after: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut one = |part: &str, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { part: part.to_owned(), before, after });
        }
    };
    one("title", Some(before.title.clone()), Some(after.title.clone()));
    one("version", Some(before.version.clone()), Some(after.version.clone()));
    one("effort", Some(before.effort.to_string()), Some(after.effort.to_string()));
    one("contract", Some(contract(before)), Some(contract(after)));
    match (&before.body, &after.body) {
        (Body::Structured(old), Body::Structured(new)) => {
            one("instruction", Some(old.instruction.clone()), Some(new.instruction.clone()));
            for (name, entries) in parts() {
                named(&mut changes, name, &entries(old), &entries(new));
            }
        }
        (Body::Verbatim(old), Body::Verbatim(new)) => {
            let lines =
                |text: &str| text.lines().map(|line| (line.trim().to_owned(), line.trim().to_owned())).collect();
            let filled = |text: &str| -> Vec<(String, String)> {
                let lines: Vec<(String, String)> = lines(text);
                lines.into_iter().filter(|(line, _)| !line.is_empty()).collect()
            };
            named(&mut changes, "line", &filled(old), &filled(new));
        }
        (old, new) => one("form", Some(form(old).to_owned()), Some(form(new).to_owned())),
    }
    changes
}

type Entries = fn(&Structured) -> Vec<(String, String)>;

/// The parts that are lists: of each entry the name by which it is known again, and what it says.
fn parts() -> [(&'static str, Entries); 7] {
    fn itself(texts: &[String]) -> Vec<(String, String)> {
        texts.iter().map(|text| (text.clone(), text.clone())).collect()
    }
    [
        ("definition", |rules| {
            rules.definitions.iter().map(|definition| (definition.term.clone(), definition.meaning.clone())).collect()
        }),
        ("category", |rules| {
            let said = |category: &super::Category| {
                let severity = category.severity.map_or(String::new(), |severity| format!(", {severity}"));
                let action = category.action.map_or(String::new(), |action| format!(", {action}"));
                let criteria = category.criteria.join(" ");
                format!("{} ({}{severity}{action}): {criteria}", category.title, category.verdict)
            };
            rules.categories.iter().map(|category| (category.code.clone(), said(category))).collect()
        }),
        ("precedence", |rules| itself(&rules.precedence)),
        ("ambiguity", |rules| itself(&rules.ambiguity)),
        ("escalation", |rules| itself(&rules.escalation)),
        ("example", |rules| {
            let said = |example: &super::Example| {
                let why = example.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
                format!("{}{why}", example.category.as_deref().unwrap_or("safe"))
            };
            rules.examples.iter().map(|example| (example.text.clone(), said(example))).collect()
        }),
        ("taxonomy", |rules| rules.taxonomy.iter().map(|(name, keys)| (name.clone(), keys.join(", "))).collect()),
    ]
}

fn named(changes: &mut Vec<Change>, part: &str, before: &[(String, String)], after: &[(String, String)]) {
    let find = |entries: &[(String, String)], name: &str| {
        entries.iter().find(|(other, _)| other == name).map(|(_, said)| said.clone())
    };
    let added = after.iter().filter(|(name, _)| find(before, name).is_none());
    for (name, _) in before.iter().chain(added) {
        let (old, new) = (find(before, name), find(after, name));
        if old != new {
            // A rule that is known by what it says needs no name beside it.
            let itself = old.as_ref() == Some(name) || new.as_ref() == Some(name);
            let part = if itself { part.to_owned() } else { format!("{part} {name}") };
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
