//! The labels of a record, and their meaning.
//!
//! The one idea: a label is read with its denials, its lists and its remarks, or it is refused.

use serde_json::Value;

use super::reading::Reading;
use super::sense::{self, Name, plain, yes_or_no};
use super::{Expected, Unlike};
use crate::label::columns::Columns;
use crate::policy::{Policy, Verdict};

impl Reading {
    /// Returns the answer that the labels in a column give, or `None` if there is no label.
    pub(super) fn in_column(&self, name: &str, columns: &Columns, policy: &Policy) -> Result<Option<Expected>, Unlike> {
        let sense = sense::of_name(name);
        let known = |label: &str| self.lists(label) || by_policy(&plain(label), policy).is_some();
        match labels(columns, name, &known)?.as_deref() {
            None => Ok(None),
            // An empty list says that no label applies.
            Some([]) => Ok(Some(safe(false))),
            Some([label]) => self.meaning(label, sense, name, policy).map(Some),
            Some(labels) => self.several(labels, sense, name, policy).map(Some),
        }
    }

    /// Reports whether the user's lists hold a label.
    pub(super) fn lists(&self, label: &str) -> bool {
        self.positive.iter().chain(&self.negative).any(|other| is_named(other, label))
    }

    /// Combines several labels of one text: a violation if any of them is one.
    fn several(&self, labels: &[String], name: Name, column: &str, policy: &Policy) -> Result<Expected, Unlike> {
        if let Some(doubtful) = labels.iter().find(|label| sense::is_doubtful(label) && !self.lists(label)) {
            return Err(Unlike(format!("the label `{}` leaves the answer open", shown(doubtful))));
        }
        let each: Vec<Result<Expected, Unlike>> =
            labels.iter().map(|label| self.meaning(label, name, column, policy)).collect();
        let of = |verdict| each.iter().flatten().filter(|expected| expected.verdict == verdict).collect::<Vec<_>>();
        let violations = of(Verdict::Violation);
        if let Some(first) = violations.first() {
            let sure = each.iter().all(Result::is_ok)
                && first.knows_category
                && violations.iter().all(|other| other.category == first.category);
            return Ok(if sure { (*first).clone() } else { violation() });
        }
        let each = each.iter().cloned().collect::<Result<Vec<_>, _>>()?;
        let review = each.iter().find(|expected| expected.verdict == Verdict::Review);
        let all_known = each.iter().all(|expected| expected.knows_category);
        Ok(review.cloned().unwrap_or_else(|| safe(all_known)))
    }

    /// Returns the meaning of one label: by the user's lists, by the policy, or because it is known everywhere.
    pub(super) fn meaning(&self, label: &str, name: Name, column: &str, policy: &Policy) -> Result<Expected, Unlike> {
        let said = label;
        let label = plain(label);
        let is_in = |list: &[String]| list.iter().any(|other| is_named(other, &label));
        if is_in(&self.positive) {
            return Ok(violation());
        }
        if is_in(&self.negative) {
            return Ok(safe(false));
        }
        if !self.positive.is_empty() {
            return self.other(said).map(|()| safe(false));
        }
        match (yes_or_no(&label), name) {
            (Some(yes), Name::Says(verdict)) => {
                return Ok(if yes == (verdict == Verdict::Violation) { violation() } else { safe(false) });
            }
            (Some(_), Name::Unclear) => return Err(unclear(column, said, said)),
            _ => {}
        }
        if let Some(expected) = by_policy(&label, policy) {
            return Ok(expected);
        }
        if let Some(yes) = yes_or_no(&label) {
            return Ok(if yes { violation() } else { safe(false) });
        }
        match (sense::of_label(&label), label.as_str()) {
            (Some(Verdict::Violation), _) => Ok(violation()),
            (Some(_), _) => Ok(safe(false)),
            (None, "review" | "escalate") => {
                Ok(Expected { verdict: Verdict::Review, category: None, knows_category: false })
            }
            (None, _) => Err(Unlike(format!(
                "the label `{}` is no code and no label of the policy {}\nhint: --positive LABEL,... says which labels are violations",
                shown(said),
                policy.id
            ))),
        }
    }

    /// Accepts a label that is not in `--positive` as safe, unless it holds more than a plain word.
    fn other(&self, label: &str) -> Result<(), Unlike> {
        let words = sense::words(label);
        let unlike = |why: &str| {
            let label = shown(label);
            Err(Unlike(format!(
                "the label `{label}` {why}\nhint: name it in --positive if it is a violation, in --negative if it is safe"
            )))
        };
        if !self.negative.is_empty() {
            return unlike("is in neither of the lists");
        }
        if is_sentence(label) {
            return unlike("is a text and no label");
        }
        if sense::is_doubtful(label) {
            return unlike("leaves the answer open");
        }
        let mut denies = words.len() > 1 && words.iter().any(|word| sense::is_denial(word));
        for positive in self.positive.iter().map(|positive| sense::words(positive)).filter(|words| !words.is_empty()) {
            for at in (0..words.len()).filter(|at| words[*at..].starts_with(&positive)) {
                if at == 0 || !sense::is_denial(&words[at - 1]) {
                    return unlike("holds a label of --positive and says more");
                }
                denies = false;
            }
        }
        if denies { unlike("denies something that --positive does not name") } else { Ok(()) }
    }
}

/// Returns the meaning that a policy itself gives to a label: a code, the start of codes, or an answer.
fn by_policy(label: &str, policy: &Policy) -> Option<Expected> {
    let categories = policy.categories();
    if let Some(category) = categories.iter().find(|category| category.code.eq_ignore_ascii_case(label)) {
        let code = Some(category.code.clone()).filter(|_| category.verdict != Verdict::Safe);
        return Some(Expected { verdict: category.verdict, category: code, knows_category: true });
    }
    // A label such as SP3 may be the start of several codes.
    let begins = |code: &str| code.len() > label.len() && code.to_lowercase().starts_with(label);
    let mut family = categories.iter().filter(|category| begins(&category.code)).map(|category| category.verdict);
    if let Some(verdict) = family.next().filter(|first| family.all(|other| other == *first)) {
        return Some(Expected { verdict, category: None, knows_category: verdict == Verdict::Safe });
    }
    let known = policy.contract.labels.iter().find(|known| alike(&known.text, label))?;
    Some(Expected { verdict: known.verdict, category: None, knows_category: false })
}

/// Refuses a yes or no whose column or flag has a name that could mean either.
pub(super) fn unclear(name: &str, said: &str, positive: &str) -> Unlike {
    let [name, said, positive] = [name, said, positive].map(shown);
    Unlike(format!(
        "`{name}` is `{said}`, and its name leaves open whether that is a violation\nhint: --positive {positive} if it is"
    ))
}

pub(super) fn violation() -> Expected {
    Expected { verdict: Verdict::Violation, category: None, knows_category: false }
}

pub(super) fn safe(knows_category: bool) -> Expected {
    Expected { verdict: Verdict::Safe, category: None, knows_category }
}

pub(super) fn alike(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Reports whether a label is the one that the user named. `true` and `1` are equal.
pub(super) fn is_named(named: &str, label: &str) -> bool {
    alike(named, label) || yes_or_no(named).is_some_and(|yes| yes_or_no(label) == Some(yes))
}

/// Returns the labels of a record, or `None` if it has none. A list may be JSON, or words between `,`, `;` and `|`.
/// A label that is `known` as a whole is not taken for a list.
pub(super) fn labels(
    columns: &Columns,
    column: &str,
    known: &dyn Fn(&str) -> bool,
) -> Result<Option<Vec<String>>, Unlike> {
    if columns.named(column).nth(1).is_some() {
        return Err(Unlike(format!("the column `{}` stands twice; leave the one that is meant", shown(column))));
    }
    let is_word = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    let list = |list: Vec<Value>| {
        if list.iter().all(is_word) {
            let labels: Vec<String> = list.iter().map(word).filter(|label| !sense::is_absent(label)).collect();
            return Ok((list.is_empty() || !labels.is_empty()).then_some(labels));
        }
        let what = format!("the column `{}` is a list of lists or objects, and no list of labels", shown(column));
        Err(Unlike(format!("{what}\nhint: keep the names of the labels alone")))
    };
    match value(columns, column) {
        Value::Array(values) => list(values),
        Value::Object(_) => {
            Err(Unlike(format!("the column `{}` is an object here, and a label elsewhere", shown(column))))
        }
        value => {
            let label = word(&value);
            let trimmed = label.trim();
            if sense::is_absent(trimmed) && !known(trimmed) {
                return Ok(None);
            }
            if known(trimmed) {
                return Ok(Some(vec![label]));
            }
            if trimmed.starts_with('[') && trimmed.ends_with(']') {
                // Python writes a list with single quotes.
                let values =
                    serde_json::from_str(trimmed).or_else(|_| serde_json::from_str(&trimmed.replace('\'', "\"")));
                let Ok(values) = values else {
                    return Err(Unlike(format!("the label `{}` is a list that cannot be read", shown(trimmed))));
                };
                return list(values);
            }
            let parts = trimmed.split([',', ';', '|', '\n']).map(str::trim).filter(|part| !part.is_empty());
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            // A comma in a sentence does not make a list.
            let is_list = parts.len() > 1 && !parts.iter().any(|part| is_sentence(part));
            Ok(Some(if is_list { parts } else { vec![label] }))
        }
    }
}

/// Reports whether something is too long to be a label.
fn is_sentence(label: &str) -> bool {
    const LONGEST: usize = 60;
    const WORDS: usize = 5;
    label.chars().count() > LONGEST || label.split_whitespace().count() > WORDS
}

/// Shortens a label or a name for a message, on one line. A long text is only counted.
pub(super) fn shown(label: &str) -> String {
    const LONGEST: usize = 40;
    let label = label.trim();
    if is_sentence(label) {
        return format!("a text of {} characters", label.chars().count());
    }
    let more = if label.chars().count() > LONGEST { "…" } else { "" };
    format!("{}{more}", crate::eval::harmless(label).chars().take(LONGEST).collect::<String>())
}

pub(super) fn value(columns: &Columns, name: &str) -> Value {
    columns.named(name).last().map_or(Value::Null, |value| parsed(value.get()))
}

pub(super) fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
