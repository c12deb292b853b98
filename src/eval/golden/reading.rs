//! The labels of a golden set, and their meaning.
//!
//! The one idea: a label is read with its denials, its lists and its remarks, or it is refused. A message tells which
//! column was read and how its labels were understood. Two columns that contradict each other are refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sense::{self, Name, Sense, plain, yes_or_no};
use super::{Answers, Expected, Unlike};
use crate::label::columns::Columns;
use crate::policy::{Policy, Verdict};

/// The user's instructions for reading a set.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The column with the label.
    pub label: Option<String>,
    /// Labels that are violations; all others are safe. If empty, labels mean what the policy says.
    pub positive: Vec<String>,
    /// Labels that are safe; all others are violations or refused.
    pub negative: Vec<String>,
    /// The column whose values make the slices.
    pub by: Option<String>,
}

/// The place in which a set keeps its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A column with a label.
    Column(String),
    /// Flags in an object, such as `expected_triggers` of openai-guardrails. Without an object, columns that are flags.
    Flags { object: Option<String>, names: Vec<String> },
    /// The category in a set of our own. A case without one is safe.
    Own,
}

/// Columns that may hold the answer if the user names none, the likeliest first.
const COLUMNS: [&str; 14] = [
    "expected",
    "label",
    "violation",
    "verdict",
    "gold",
    "target",
    "classification",
    "class",
    "unsafe",
    "is_unsafe",
    "safe",
    "is_safe",
    "flagged",
    "category",
];

/// The columns of OpenAI's release of 2022, and their names in `/v1/moderations`.
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

/// The name under which a policy lists the categories of `/v1/moderations`.
const OPENAI: &str = "openai";

impl Reading {
    /// Finds the place in which a set keeps its answers, and reads them.
    pub(super) fn find(
        &self,
        names: &[&str],
        columns: &[&Columns],
        policies: &[Policy],
    ) -> Result<(Key, Answers), Unlike> {
        if let Some(name) = &self.label {
            let key = flags(name, columns).unwrap_or_else(|| Key::Column(name.clone()));
            let answers = self.answers(&key, columns, policies);
            self.met(&key, columns)?;
            return Ok((key, answers));
        }
        let triggers = flags("expected_triggers", columns).or_else(|| flags("labels", columns)).or_else(|| {
            let letters: Vec<String> = RELEASE
                .iter()
                .map(|(letters, _)| *letters)
                .filter(|letters| names.contains(letters))
                .map(str::to_owned)
                .collect();
            (letters.len() > 1).then_some(Key::Flags { object: None, names: letters })
        });
        if let Some(key) = triggers {
            self.met(&key, columns)?;
            let answers = self.answers(&key, columns, policies);
            return Ok((key, answers));
        }
        let candidates = COLUMNS.iter().flat_map(|known| {
            let names = names.iter().filter(|name| name.eq_ignore_ascii_case(known));
            names.map(|name| flags(name, columns).unwrap_or_else(|| Key::Column((*name).to_owned())))
        });
        let mut read: Vec<(Key, Answers)> =
            candidates.map(|key| (key.clone(), self.answers(&key, columns, policies))).collect();
        let whole = |(key, answers): &(Key, Answers)| {
            self.met(key, columns).is_ok()
                && answers.iter().flatten().all(Result::is_ok)
                && answers.iter().flatten().flatten().any(Option::is_some)
        };
        let chosen = read.iter().position(whole).unwrap_or(0);
        let Some((key, answers)) = read.get(chosen) else {
            let what =
                "no column seems to hold the correct answers\nhint: --label-column COLUMN names the one that does";
            return Err(Unlike(what.to_owned()));
        };
        self.met(key, columns)?;
        for (other, theirs) in read.iter().filter(|(other, _)| other != key) {
            if let Some(record) = (0..columns.len()).find(|record| contradict(&answers[*record], &theirs[*record])) {
                let [one, other] = [key, other].map(Key::name);
                return Err(Unlike(format!(
                    "the columns `{one}` and `{other}` contradict each other in record {}\nhint: --label-column says which of them has the correct answers",
                    record + 1
                )));
            }
        }
        Ok(read.swap_remove(chosen))
    }

    /// Reads the answers of all records under a key.
    pub(super) fn answers(&self, key: &Key, columns: &[&Columns], policies: &[Policy]) -> Answers {
        let of = |columns: &&Columns| policies.iter().map(|policy| self.expected(key, columns, policy)).collect();
        columns.iter().map(of).collect()
    }

    /// Refuses a label of `--positive` that occurs in no record.
    fn met(&self, key: &Key, columns: &[&Columns]) -> Result<(), Unlike> {
        let mut met: BTreeMap<String, u64> = BTreeMap::new();
        match key {
            Key::Flags { names, .. } => met.extend(names.iter().map(|name| (name.clone(), 0))),
            Key::Own => {}
            Key::Column(name) => {
                let known = |label: &str| self.lists(label);
                let labels = |columns: &&Columns| labels(columns, name, &known).ok().flatten().unwrap_or_default();
                for label in columns.iter().flat_map(labels) {
                    *met.entry(label.trim().to_owned()).or_default() += 1;
                }
            }
        }
        let Some(wanted) = self.positive.iter().find(|wanted| !met.keys().any(|label| is_named(wanted, label))) else {
            return Ok(());
        };
        let mut met: Vec<(String, u64)> = met.into_iter().filter(|(label, _)| !sense::is_absent(label)).collect();
        met.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let more = if met.len() > SHOWN { ", and more" } else { "" };
        let there: Vec<String> = met
            .iter()
            .take(SHOWN)
            .map(|(label, count)| match count {
                0 => shown(label),
                count => format!("{} ({count})", shown(label)),
            })
            .collect();
        Err(Unlike(format!(
            "no record has the label `{}`, which --positive names\nhint: the labels of {} are {}{more}",
            shown(wanted),
            key.place(),
            there.join(", ")
        )))
    }

    /// Returns the expected answer to a record, or `None` if it is not known.
    fn expected(&self, key: &Key, columns: &Columns, policy: &Policy) -> Result<Option<Expected>, Unlike> {
        match key {
            Key::Own => match value(columns, "category") {
                Value::Null => Ok(Some(safe(true))),
                code => self.meaning(&word(&code), Name::Neutral, "category", policy).map(Some),
            },
            Key::Column(name) => {
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
            Key::Flags { object, names } => {
                let wanted = self.wanted(key, names, policy)?;
                let flags = object.as_ref().map(|name| value(columns, name));
                let mut known = Vec::new();
                for name in wanted {
                    let flag = match &flags {
                        Some(flags) => flags.get(name).cloned().unwrap_or_default(),
                        None => value(columns, name),
                    };
                    let said = word(&flag);
                    // A flag that the user chose is a violation, whatever its name says.
                    let sense = if self.positive.is_empty() { sense::of_name(name) } else { Name::Neutral };
                    match yes_or_no(&said) {
                        Some(_) if sense == Name::Unclear => return Err(unclear(name, &said, name)),
                        Some(is) => known.push(is != (sense == Name::Says(Sense::Safe))),
                        None if sense::is_absent(&said) => {}
                        None => {
                            return Err(Unlike(format!(
                                "the flag `{}` is `{}`, and neither true nor false",
                                shown(name),
                                shown(&said)
                            )));
                        }
                    }
                }
                Ok((!known.is_empty()).then(|| if known.contains(&true) { violation() } else { safe(false) }))
            }
        }
    }

    /// Returns the flags that make a text a violation of a policy.
    fn wanted<'key>(&self, key: &Key, names: &'key [String], policy: &Policy) -> Result<Vec<&'key str>, Unlike> {
        let those = |wanted: &dyn Fn(&str) -> bool| -> Vec<&'key str> {
            names.iter().map(String::as_str).filter(|name| wanted(name)).collect()
        };
        if !self.positive.is_empty() {
            return Ok(those(&|name| self.positive.iter().any(|positive| alike(positive, name))));
        }
        let of_release =
            |name: &str| RELEASE.iter().find(|(letters, _)| *letters == name).map(|(_, category)| *category);
        if names.iter().all(|name| of_release(name).is_some()) {
            let taxonomy = policy.taxonomy().iter().find(|(name, _)| name == OPENAI).map(|(_, keys)| keys.clone());
            let Some(taxonomy) = taxonomy else {
                return Err(Unlike(format!(
                    "the policy {} does not say which categories of OpenAI's it stands for\nhint: add `taxonomy: {{ {OPENAI}: [...] }}`, or name the columns with --positive",
                    policy.id
                )));
            };
            return Ok(those(&|name| {
                of_release(name).is_some_and(|category| taxonomy.iter().any(|key| key == category))
            }));
        }
        let own = those(&|name| sense::words(name) == sense::words(&policy.id));
        match (own.is_empty(), names) {
            (false, _) => Ok(own),
            (true, [only]) => Ok(vec![only]),
            (true, names) => {
                let names: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{}`", shown(name))).collect();
                Err(Unlike(format!(
                    "{} has the flags {}, and none is called {}\nhint: --positive FLAG,... says which of them are violations",
                    key.place(),
                    names.join(", "),
                    policy.id
                )))
            }
        }
    }

    /// Reports whether the user's lists hold a label.
    fn lists(&self, label: &str) -> bool {
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
    fn meaning(&self, label: &str, name: Name, column: &str, policy: &Policy) -> Result<Expected, Unlike> {
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
            (Some(yes), Name::Says(sense)) => {
                return Ok(if yes == (sense == Sense::Violation) { violation() } else { safe(false) });
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
            (Some(Sense::Violation), _) => Ok(violation()),
            (Some(Sense::Safe), _) => Ok(safe(false)),
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

    /// Describes how the labels were understood, with one line for each policy.
    pub(super) fn legend(
        &self,
        key: &Key,
        columns: &[&Columns],
        answers: &Answers,
        policies: &[Policy],
    ) -> Vec<String> {
        let legend = |(place, policy): (usize, &Policy)| {
            let mut met: Vec<(String, Verdict, u64)> = Vec::new();
            for (columns, answers) in columns.iter().zip(answers) {
                let Ok(Some(Expected { verdict, .. })) = &answers[place] else { continue };
                let label = match key {
                    Key::Column(name) => shown(&word(&value(columns, name))),
                    Key::Flags { names, .. } => {
                        let wanted = self.wanted(key, names, policy).unwrap_or_default();
                        let not = if *verdict == Verdict::Violation { "" } else { "not " };
                        format!("{not}{}", wanted.into_iter().map(shown).collect::<Vec<_>>().join(" or "))
                    }
                    Key::Own => continue,
                };
                match met.iter().position(|(other, is, _)| *other == label && is == verdict) {
                    Some(at) => met[at].2 += 1,
                    None if met.len() > MOST => {}
                    None => met.push((label, *verdict, 1)),
                }
            }
            met.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
            let more = if met.len() > SHOWN { ", and more" } else { "" };
            let met: Vec<String> = met
                .iter()
                .take(SHOWN)
                .map(|(label, verdict, count)| format!("{label} = {verdict} ({count})"))
                .collect();
            let of = if policies.len() > 1 { format!("labels of {}", policy.id) } else { "labels".to_owned() };
            format!("{of}: {}, {}{more}", key.place(), met.join(", "))
        };
        policies.iter().enumerate().map(legend).collect()
    }
}

/// The most labels that are counted for the legend.
const MOST: usize = 1000;

/// The most labels that a message shows.
const SHOWN: usize = 8;

impl Key {
    fn name(&self) -> String {
        match self {
            Self::Column(name) | Self::Flags { object: Some(name), .. } => shown(name),
            Self::Flags { object: None, names } => names.first().map_or_else(String::new, |name| shown(name)),
            Self::Own => "category".to_owned(),
        }
    }

    /// Names the place of the answers, for messages.
    fn place(&self) -> String {
        match self {
            Self::Column(name) | Self::Flags { object: Some(name), .. } => format!("column \"{}\"", shown(name)),
            Self::Flags { object: None, names } => {
                format!(
                    "columns {}",
                    names.iter().map(|name| format!("\"{}\"", shown(name))).collect::<Vec<_>>().join(", ")
                )
            }
            Self::Own => "the policy".to_owned(),
        }
    }
}

/// Returns the flags of a column that holds only objects.
fn flags(column: &str, columns: &[&Columns]) -> Option<Key> {
    let mut names: Vec<String> = Vec::new();
    for columns in columns {
        match value(columns, column) {
            Value::Object(flags) => names.extend(
                flags.into_iter().map(|(name, _)| name).filter(|name| !names.contains(name)).collect::<Vec<_>>(),
            ),
            Value::Null => {}
            _ => return None,
        }
    }
    (!names.is_empty()).then(|| Key::Flags { object: Some(column.to_owned()), names })
}

/// Reports whether two answers to one record are known and differ.
fn contradict(ours: &[Result<Option<Expected>, Unlike>], theirs: &[Result<Option<Expected>, Unlike>]) -> bool {
    ours.iter().zip(theirs).any(|pair| match pair {
        (Ok(Some(one)), Ok(Some(other))) => one.verdict != other.verdict,
        _ => false,
    })
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
fn unclear(name: &str, said: &str, positive: &str) -> Unlike {
    let [name, said, positive] = [name, said, positive].map(shown);
    Unlike(format!(
        "`{name}` is `{said}`, and its name leaves open whether that is a violation\nhint: --positive {positive} if it is"
    ))
}

fn violation() -> Expected {
    Expected { verdict: Verdict::Violation, category: None, knows_category: false }
}

fn safe(knows_category: bool) -> Expected {
    Expected { verdict: Verdict::Safe, category: None, knows_category }
}

fn alike(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Reports whether a label is the one that the user named. `true` and `1` are equal.
fn is_named(named: &str, label: &str) -> bool {
    alike(named, label) || yes_or_no(named).is_some_and(|yes| yes_or_no(label) == Some(yes))
}

/// Returns the labels of a record, or `None` if it has none. A list may be JSON, or words between `,`, `;` and `|`.
/// A label that is `known` as a whole is not taken for a list.
fn labels(columns: &Columns, column: &str, known: &dyn Fn(&str) -> bool) -> Result<Option<Vec<String>>, Unlike> {
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

fn value(columns: &Columns, name: &str) -> Value {
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
