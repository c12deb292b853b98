//! How well a policy does on a golden set: texts whose answer is known.
//!
//! The one idea: an evaluation is `label` over the set, on the same hands and with the same tokens, and arithmetic behind it.
//! It keeps every row, so that two evaluations can be compared pair by pair, and whatever is said of it can be counted again.

pub mod compare;
pub mod gate;
pub mod golden;
pub mod metrics;
pub mod report;

use std::collections::{BTreeMap, HashMap};
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::calibration::reliability::Reliability;
use crate::calibration::setup::EvaluationSetup;
use crate::digest::Hash;
use crate::label::entry::Entry;
use crate::label::row;
use crate::label::sink::{Sink, Written};
use crate::label::summary::Summary;
use crate::policy::Verdict;
use crate::text::json_place;
use compare::Comparison;
use gate::Gate;
use golden::{Answer, Expected, Golden};
use metrics::{Scores, Spread};

/// The results of a policy on a golden set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// What was evaluated, and on what.
    pub about: EvaluationSetup,
    /// How well it did, on the rows that have a verdict.
    pub scores: Scores,
    /// The same, with every row that has none counted as wrong.
    pub with_undecided: Scores,
    /// How often what was expected, and what was said: by verdict.
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
    /// For each category, by its code.
    pub categories: BTreeMap<String, Scores>,
    /// For each value of the column that slices are made by.
    pub slices: BTreeMap<String, Scores>,
    /// How far probabilities can be believed.
    pub calibration: Option<Reliability>,
    /// Rows without a verdict, by reason.
    pub undecided: BTreeMap<String, u64>,
    /// Records whose answer is not known. They are not judged and count nowhere.
    pub unknown: u64,
    /// Records left out because an earlier one has the same text and the same answer.
    #[serde(default)]
    pub repeated: u64,
    /// The comparison with an earlier evaluation, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The gate that it was held to, if one was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Tokens that were decoded or sampled, the policy not counted.
    pub tokens: u64,
    /// How long it took.
    pub seconds: f64,
    /// Every row.
    pub rows: Vec<Row>,
}

/// A text of the golden set, and what was said of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The how manieth of the set, from 1.
    pub number: u64,
    /// The text's digest.
    pub hash: Hash,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// The text. Nothing if it cannot be read.
    pub text: String,
    /// What should be said.
    pub expected: Expected,
    /// What was said; none if it is undecided.
    pub verdict: Option<Verdict>,
    /// The category that was named.
    pub category: Option<String>,
    /// P(violation).
    pub probability: Option<f64>,
    /// Why, in the model's words.
    pub rationale: Option<String>,
    /// The raw reasoning, if it was asked for.
    pub reasoning: Option<String>,
    /// Why there is no verdict.
    pub error: Option<String>,
    /// The slice that it is in.
    pub slice: Option<String>,
}

impl Row {
    /// Whether a violation was expected, and whether one was said.
    #[must_use]
    pub fn outcome(&self) -> (bool, Option<bool>) {
        (self.expected.verdict == Verdict::Violation, self.verdict.map(|verdict| verdict == Verdict::Violation))
    }

    /// Whether the verdict is not the one that was expected.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.verdict != Some(self.expected.verdict)
    }
}

/// Gathers what is said of each text, rather than write it.
pub struct Gathering<'run> {
    golden: &'run Golden,
    place: usize,
    /// What was gathered.
    pub rows: Vec<Row>,
}

impl<'run> Gathering<'run> {
    /// Returns an empty sink for the policy at this place among the policies of the run.
    #[must_use]
    pub fn new(golden: &'run Golden, place: usize) -> Self {
        Self { golden, place, rows: Vec::new() }
    }
}

impl Sink for Gathering<'_> {
    fn put(&mut self, entry: &Entry, _raw: &[u8], rows: &[row::Row]) -> io::Result<Written> {
        let text = |value: &RawValue| match serde_json::from_str(value.get()) {
            Ok(serde_json::Value::String(text)) => text,
            _ => value.get().to_owned(),
        };
        let Some(Answer { text: judged, hash, slice, expected }) = self.golden.answer(entry.number) else {
            return Ok(Written::default());
        };
        let Some(Some(expected)) = expected.get(self.place) else { return Ok(Written::default()) };
        let Some(row) = rows.get(self.place) else { return Ok(Written::default()) };
        self.rows.push(Row {
            number: entry.number,
            hash: *hash,
            id: entry.id.as_deref().map(text),
            text: judged.clone(),
            expected: expected.clone(),
            verdict: row.verdict,
            category: row.category.clone(),
            probability: row.probability,
            rationale: row.rationale.clone(),
            reasoning: row.reasoning.clone(),
            error: row.error_code().map(str::to_owned),
            slice: slice.clone(),
        });
        Ok(Written { rows: 1, place: None })
    }
}

/// Several of them at once, one for each policy of a run.
pub struct All<'run>(pub Vec<Gathering<'run>>);

impl Sink for All<'_> {
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[row::Row]) -> io::Result<Written> {
        self.0.iter_mut().try_for_each(|gathering| gathering.put(entry, raw, rows).map(|_| ()))?;
        Ok(Written { rows: 1, place: None })
    }
}

impl Evaluation {
    /// What gathered rows come to.
    #[must_use]
    pub fn new(about: EvaluationSetup, gathered: Gathering<'_>, summary: &Summary, seconds: f64) -> Self {
        let Gathering { golden, place, rows } = gathered;
        Self {
            unknown: golden.unknown.get(place).copied().unwrap_or(0),
            repeated: golden.repeated,
            tokens: summary.tokens.all(),
            seconds,
            ..Self::of_rows(about, rows)
        }
    }

    /// Reads an evaluation from its JSON. Only the rows are trusted: every figure is counted again.
    ///
    /// # Errors
    ///
    /// When it is not an evaluation, or a row holds a value that no evaluation writes.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let written: Self = serde_json::from_slice(json).map_err(|error| match json.trim_ascii_start().first() {
            Some(b'[') => "it holds several evaluations\nhint: evaluate one policy with --json".to_owned(),
            _ => format!("it is no evaluation, which `eval --json` writes ({})", json_place(&error)),
        })?;
        for row in &written.rows {
            if row.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
                return Err(format!("row {} has a probability outside 0 to 1", row.number));
            }
        }
        let Self { about, rows, unknown, repeated, tokens, seconds, .. } = written;
        Ok(Self { unknown, repeated, tokens, seconds, ..Self::of_rows(about, rows) })
    }

    /// Returns the number of rows that should be a violation, and of the others.
    #[must_use]
    pub fn classes(&self) -> [u64; 2] {
        let violations = self.rows.iter().filter(|row| row.outcome().0).count() as u64;
        [violations, self.rows.len() as u64 - violations]
    }

    /// Returns the expected answer and the probability of each text, and the number of repeated rows.
    /// A repeated text is no second piece of evidence, so it counts once.
    ///
    /// # Errors
    ///
    /// When a text has two answers.
    pub fn distinct(&self) -> Result<(Vec<(bool, f64)>, u64), String> {
        let mut seen: HashMap<Hash, &Row> = HashMap::new();
        let (mut rows, mut repeated) = (Vec::new(), 0);
        for row in self.rows.iter().filter(|row| row.probability.is_some()) {
            match seen.insert(row.hash, row) {
                None => rows.extend(probabilities(std::slice::from_ref(row))),
                Some(first) if first.outcome().0 == row.outcome().0 => repeated += 1,
                Some(first) => {
                    return Err(format!(
                        "rows {} and {} have the same text and different answers",
                        first.number, row.number
                    ));
                }
            }
        }
        Ok((rows, repeated))
    }

    /// What rows come to, whatever they took.
    #[must_use]
    pub fn of_rows(about: EvaluationSetup, rows: Vec<Row>) -> Self {
        let all: Vec<&Row> = rows.iter().collect();
        let scores = Scores::of(&outcomes(&all));
        let with_undecided = Scores::of(&strict(&all));
        let mut confusion: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut undecided: BTreeMap<String, u64> = BTreeMap::new();
        let mut slices: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for row in &rows {
            let said = row.verdict.map_or("undecided".to_owned(), |verdict| verdict.to_string());
            *confusion.entry(row.expected.verdict.to_string()).or_default().entry(said).or_default() += 1;
            if row.verdict.is_none() {
                let reason = row.error.clone().unwrap_or_else(|| "unresolved".to_owned());
                *undecided.entry(reason).or_default() += 1;
            }
            if let Some(slice) = &row.slice {
                slices.entry(slice.clone()).or_default().push(row);
            }
        }
        let slices = slices.into_iter().map(|(slice, rows)| (slice, Scores::of(&outcomes(&rows)))).collect();
        let calibration = Reliability::of(&probabilities(&rows));
        Self {
            categories: categories(&rows),
            about,
            scores,
            with_undecided,
            confusion,
            slices,
            calibration,
            undecided,
            unknown: 0,
            repeated: 0,
            comparison: None,
            gate: None,
            tokens: 0,
            seconds: 0.0,
            rows,
        }
    }
}

/// Of rows with a verdict: what was expected, what was said and with which probability.
fn outcomes(rows: &[&Row]) -> Vec<Spread> {
    rows.iter()
        .filter_map(|row| {
            let (expected, said) = row.outcome();
            Some(Spread { expected, said: said?, probability: row.probability })
        })
        .collect()
}

/// Returns the outcomes of all rows. A row without a verdict counts as the surest possible mistake.
fn strict(rows: &[&Row]) -> Vec<Spread> {
    let ranked = rows.iter().any(|row| row.verdict.is_some() && row.probability.is_some());
    rows.iter()
        .map(|row| match row.outcome() {
            (expected, Some(said)) => Spread { expected, said, probability: row.probability },
            (expected, None) => {
                let probability = ranked.then_some(if expected { 0.0 } else { 1.0 });
                Spread { expected, said: !expected, probability }
            }
        })
        .collect()
}

/// Replaces the characters of a stranger's text that could move a cursor, break a line, or hide or turn other text.
fn harmless(text: &str) -> String {
    let tricky = |character: char| {
        character.is_control()
            || matches!(character, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    text.chars().map(|character| if tricky(character) { '\u{FFFD}' } else { character }).collect()
}

/// What was expected and the probability that was said, where there is one.
#[must_use]
pub fn probabilities(rows: &[Row]) -> Vec<(bool, f64)> {
    rows.iter().filter_map(|row| Some((row.outcome().0, row.probability?))).collect()
}

/// For each category that was expected or named: was it, and was it named? Only where the answer is known to the code.
fn categories(rows: &[Row]) -> BTreeMap<String, Scores> {
    let known: Vec<&Row> = rows.iter().filter(|row| row.expected.knows_category && row.verdict.is_some()).collect();
    let mut codes: Vec<&String> =
        known.iter().flat_map(|row| [&row.expected.category, &row.category]).flatten().collect();
    codes.sort();
    codes.dedup();
    let scores = codes.into_iter().map(|code| {
        let spread = known.iter().map(|row| Spread {
            expected: row.expected.category.as_ref() == Some(code),
            said: row.category.as_ref() == Some(code),
            probability: None,
        });
        (code.clone(), Scores::of(&spread.collect::<Vec<_>>()))
    });
    scores.collect()
}
