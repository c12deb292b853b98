//! Golden sets: texts whose answer is known.
//!
//! The one idea: a set is read whole, before anything is judged. An answer that is not there is unknown, and not "safe". A
//! label that cannot be understood stops the evaluation, with its place, rather than count as something.

mod reading;
mod sense;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::label::columns::Columns;
use crate::label::entry::Hash;
use crate::label::source::Placed;
use crate::policy::{GoldenCase, Policy, Verdict};
pub use reading::Reading;
use reading::{Key, parsed, shown, word};

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

/// A golden set, read whole.
#[derive(Debug, Default)]
pub struct Golden {
    /// The records whose answer is known under one policy at least, each text once.
    pub records: Vec<Placed>,
    /// Their answers, by the number of the record.
    answers: HashMap<u64, Answer>,
    /// How the labels were understood, a line for each policy.
    pub legend: Vec<String>,
    /// For each policy, records whose answer is not known.
    pub unknown: Vec<u64>,
    /// Records left out because an earlier one has the same text and the same answer.
    pub repeated: u64,
    /// Texts that stand there with different answers. Their answer is not known.
    pub contradictions: Vec<String>,
    /// Records that hold no text to judge, in words.
    pub damaged: Vec<String>,
}

/// What is known of a record.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub text: String,
    pub hash: Hash,
    pub slice: Option<String>,
    /// For each policy.
    pub expected: Vec<Option<Expected>>,
}

/// The first record of a text.
struct First {
    /// The input and the record, in words.
    place: String,
    placed: Placed,
    answer: Answer,
    contradicted: bool,
}

impl Answer {
    /// Takes over what another record says of the same text. Reports whether the two agree.
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

/// Why a set cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unlike(String);

/// What the records of a set say under a key: for each record, for each policy.
type Answers = Vec<Vec<Result<Option<Expected>, Unlike>>>;

impl Golden {
    /// Reads a set whose answers stand in a column that is named, or can be found.
    ///
    /// # Errors
    ///
    /// When no column holds labels, a label is not understood, two columns contradict each other, a label that was asked
    /// for is met nowhere, or nothing is known at all.
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
    /// When it has a code that the policy has not, or no case.
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
        // The caller names a set of one input.
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

    /// How many records should be a violation under the policy at this place, and how many something else.
    #[must_use]
    pub fn classes(&self, place: usize) -> [u64; 2] {
        let expected = self.answers.values().filter_map(|answer| answer.expected.get(place)?.as_ref());
        expected.fold([0, 0], |[violations, others], expected| match expected.verdict {
            Verdict::Violation => [violations + 1, others],
            _ => [violations, others + 1],
        })
    }

    /// The class that a set lacks under the policy at this place, in words: figures and thresholds need both.
    #[must_use]
    pub fn lacks(&self, place: usize) -> Option<&'static str> {
        lacks(self.classes(place))
    }

    /// The digests of its texts, each with whether it should be a violation under the policy at this place.
    pub fn texts(&self, place: usize) -> impl Iterator<Item = (Hash, bool)> {
        self.answers.values().filter_map(move |answer| {
            let expected = answer.expected.get(place)?.as_ref()?;
            Some((answer.hash, expected.verdict == Verdict::Violation))
        })
    }

    /// What should be said of a record under the policy at this place, if it is judged.
    #[must_use]
    pub fn expected(&self, number: u64, place: usize) -> Option<&Expected> {
        self.answers.get(&number)?.expected.get(place)?.as_ref()
    }

    pub(super) fn answer(&self, number: u64) -> Option<&Answer> {
        self.answers.get(&number)
    }
}

/// The columns of all records, in the order in which they come; the ones that somebody named must be among them.
fn names<'set>(columns: &[&'set Columns], reading: &Reading) -> Result<Vec<&'set str>, Unlike> {
    /// Columns that a message lists, at most.
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

/// Returns the class that these counts of violations and others lack.
pub(super) fn lacks([violations, others]: [u64; 2]) -> Option<&'static str> {
    match (violations, others) {
        (0, 0) => Some("rows"),
        (0, _) => Some("violations"),
        (_, 0) => Some("texts that are no violation"),
        _ => None,
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
