//! The place in which a golden set keeps its answers.
//!
//! The one idea: unless the user names a column, the likeliest one that is understood in every record is read. A message
//! tells which column that was, and how its labels were understood. Two columns that contradict each other are refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::labels::{alike, is_named, labels, safe, shown, unclear, value, violation, word};
use super::sense::{self, Name, yes_or_no};
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
            Key::Column(name) => self.in_column(name, columns, policy),
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
                        Some(is) => known.push(is != (sense == Name::Says(Verdict::Safe))),
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
