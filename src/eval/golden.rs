//! Golden sets: texts whose answer is known.
//!
//! The one idea: a set is read whole before anything is judged. A missing answer is unknown, not "safe". A label that
//! cannot be understood stops the evaluation, with its place, and is never guessed.

mod labels;
mod reading;
mod sense;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calibration::certificate::missing_class;
use crate::digest::Hash;
use crate::label::columns::Columns;
use crate::label::source::Placed;
use crate::policy::{GoldenCase, Policy, Verdict};
use labels::{parsed, shown, word};
use reading::Key;
pub use reading::Reading;

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

/// A golden set.
#[derive(Debug, Default)]
pub struct Golden {
    /// The records to judge: those with an answer under at least one policy, each text once.
    pub records: Vec<Placed>,
    /// Their answers, by record number.
    answers: HashMap<u64, Answer>,
    /// One line for each policy that says how its labels were understood.
    pub legend: Vec<String>,
    /// The number of records without a known answer, for each policy.
    pub unknown: Vec<u64>,
    /// Records left out because an earlier one has the same text and the same answer.
    pub repeated: u64,
    /// Texts that occur with different answers. Their answer counts as unknown.
    pub contradictions: Vec<String>,
    /// Messages about records that hold no text to judge.
    pub damaged: Vec<String>,
}

/// A record's text and its expected answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub text: String,
    pub hash: Hash,
    pub slice: Option<String>,
    /// One answer for each policy, `None` where it is not known.
    pub expected: Vec<Option<Expected>>,
}

/// The first record that has a given text.
struct First {
    /// The names of the input and of the record, for messages.
    place: String,
    placed: Placed,
    answer: Answer,
    contradicted: bool,
}

impl Answer {
    /// Merges another record's answers to the same text. Returns false if two verdicts contradict each other.
    fn takes(&mut self, other: Self) -> bool {
        let pairs = || self.expected.iter().zip(&other.expected);
        if pairs().any(|pair| matches!(pair, (Some(one), Some(other)) if one.verdict != other.verdict)) {
            return false;
        }
        for (ours, theirs) in self.expected.iter_mut().zip(other.expected) {
            match (ours.as_mut(), theirs) {
                // The verdict is certain, the category is not.
                (Some(one), Some(other)) if *one != other => (one.category, one.knows_category) = (None, false),
                (None, theirs) => *ours = theirs,
                _ => {}
            }
        }
        true
    }
}

/// The reason why a set cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unlike(String);

/// The answers of a set under a key: for each record, for each policy.
type Answers = Vec<Vec<Result<Option<Expected>, Unlike>>>;

impl Golden {
    /// Reads a set. Its answers stand in the column that is named, or in one that can be found.
    ///
    /// # Errors
    ///
    /// When no column holds labels, no answer is known, or a label is not understood. Also when two columns contradict
    /// each other, or a label that was asked for occurs nowhere.
    pub fn read(records: Vec<Placed>, reading: &Reading, policies: &[Policy]) -> Result<Self, Unlike> {
        let columns: Vec<&Columns> = records.iter().map(|placed| &placed.record.columns).collect();
        let names = names(&columns, reading)?;
        let (key, answers) = reading.find(&names, &columns, policies)?;
        let legend = reading.legend(&key, &columns, &answers, policies);
        Self::of(records, answers, legend, reading.by.as_deref(), policies)
    }

    /// Reads the records of a policy's own set, as [`lines`] writes them.
    ///
    /// # Errors
    ///
    /// When it holds a code that the policy does not have, or no case at all.
    pub fn own(records: Vec<Placed>, reading: &Reading, policy: &Policy) -> Result<Self, Unlike> {
        let policies = std::slice::from_ref(policy);
        let columns: Vec<&Columns> = records.iter().map(|placed| &placed.record.columns).collect();
        names(&columns, reading)?;
        if reading.label.is_some() || !reading.positive.is_empty() || !reading.negative.is_empty() {
            let what = "a policy's own set says itself which category a text has";
            return Err(Unlike(format!("{what}\nhint: leave out --label-column, --positive and --negative")));
        }
        let answers = reading.answers(&Key::Own, &columns, policies);
        Self::of(records, answers, Vec::new(), reading.by.as_deref(), policies)
    }

    fn of(
        records: Vec<Placed>,
        answers: Answers,
        legend: Vec<String>,
        by: Option<&str>,
        policies: &[Policy],
    ) -> Result<Self, Unlike> {
        let mut golden = Self { legend, unknown: vec![0; policies.len()], ..Self::default() };
        // The caller names the set, so a message about a single input need not.
        let one_input = records.windows(2).all(|pair| pair[0].input == pair[1].input);
        let mut firsts: HashMap<Hash, usize> = HashMap::new();
        let mut known: Vec<First> = Vec::new();
        for (placed, answers) in records.into_iter().zip(answers) {
            let place = format!("{}: record {}", placed.input, placed.row);
            let expected: Vec<Option<Expected>> =
                answers.into_iter().collect::<Result<_, _>>().map_err(|Unlike(why)| {
                    let at = if one_input { format!("record {}", placed.row) } else { place.clone() };
                    Unlike(format!("{at}: {why}"))
                })?;
            let columns = &placed.record.columns;
            let slice = by.and_then(|by| columns.named(by).last()).map(|value| word(&parsed(value.get())));
            let (text, hash) = match &placed.record.content {
                Ok(content) => (content.text().to_owned(), Hash::of(content.text().as_bytes())),
                Err(defect) => {
                    golden.damaged.push(defect.to_string());
                    (String::new(), Hash::of(&[placed.record.raw.as_slice(), place.as_bytes()].concat()))
                }
            };
            if expected.iter().all(Option::is_none) {
                golden.unknown.iter_mut().for_each(|unknown| *unknown += 1);
                continue;
            }
            let answer = Answer { text, hash, slice, expected };
            match firsts.entry(hash) {
                Entry::Vacant(entry) => {
                    entry.insert(known.len());
                    known.push(First { place, placed, answer, contradicted: false });
                }
                Entry::Occupied(entry) => {
                    let first = &mut known[*entry.get()];
                    if first.answer.takes(answer) {
                        golden.repeated += 1;
                        continue;
                    }
                    if !std::mem::replace(&mut first.contradicted, true) {
                        let what = format!("{} and {place} have the same text and different answers", first.place);
                        golden.contradictions.push(what);
                    }
                    golden.unknown.iter_mut().for_each(|unknown| *unknown += 1);
                }
            }
        }
        for First { placed, answer, contradicted, .. } in known {
            for (unknown, expected) in golden.unknown.iter_mut().zip(&answer.expected) {
                *unknown += u64::from(contradicted || expected.is_none());
            }
            if !contradicted {
                golden.answers.insert(placed.number, answer);
                golden.records.push(placed);
            }
        }
        for (place, policy) in policies.iter().enumerate() {
            if golden.classes(place) == [0, 0] {
                return Err(Unlike(format!(
                    "no record says what should be said under the policy {}, so nothing can be measured",
                    policy.id
                )));
            }
        }
        Ok(golden)
    }

    /// Returns the number of records that should be a violation under the policy at this place, and of the others.
    #[must_use]
    pub fn classes(&self, place: usize) -> [u64; 2] {
        let expected = self.answers.values().filter_map(|answer| answer.expected.get(place)?.as_ref());
        expected.fold([0, 0], |[violations, others], expected| match expected.verdict {
            Verdict::Violation => [violations + 1, others],
            _ => [violations, others + 1],
        })
    }

    /// Names the class that the set lacks under the policy at this place. Figures and thresholds need both classes.
    #[must_use]
    pub fn lacks(&self, place: usize) -> Option<&'static str> {
        missing_class(self.classes(place))
    }

    /// Returns the digest of each text, and true if it should be a violation under the policy at this place.
    pub fn texts(&self, place: usize) -> impl Iterator<Item = (Hash, bool)> {
        self.answers.values().filter_map(move |answer| {
            let expected = answer.expected.get(place)?.as_ref()?;
            Some((answer.hash, expected.verdict == Verdict::Violation))
        })
    }

    /// Returns the expected answer to a record under the policy at this place, if it is judged.
    #[must_use]
    pub fn expected(&self, number: u64, place: usize) -> Option<&Expected> {
        self.answers.get(&number)?.expected.get(place)?.as_ref()
    }

    pub(super) fn answer(&self, number: u64) -> Option<&Answer> {
        self.answers.get(&number)
    }
}

/// Lists the columns of all records in the order in which they first occur. Refuses a named column that is not there.
fn names<'set>(columns: &[&'set Columns], reading: &Reading) -> Result<Vec<&'set str>, Unlike> {
    /// The most columns that a message lists.
    const MOST: usize = 20;
    let mut seen = HashSet::new();
    let names: Vec<&str> =
        columns.iter().flat_map(|columns| columns.names()).filter(|name| seen.insert(*name)).collect();
    for (column, flag) in [(&reading.label, "--label-column"), (&reading.by, "--by")] {
        if let Some(column) = column.as_deref().filter(|column| !seen.contains(column)) {
            let found: Vec<String> = names.iter().take(MOST).map(|name| format!("`{}`", shown(name))).collect();
            let more = if names.len() > MOST { " and more" } else { "" };
            return Err(Unlike(format!(
                "there is no column `{}`, which {flag} names\nhint: the columns are {}{more}",
                shown(column),
                found.join(", ")
            )));
        }
    }
    Ok(names)
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
