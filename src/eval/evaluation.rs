//! An evaluation: the rows of a policy on a golden set, and the figures computed from them.

mod error;
mod figures;
mod read;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::collector::Collector;
use super::comparison::Comparison;
use super::evaluated_row::{EvaluatedRow, probabilities};
use super::gate::Gate;
use super::ladder::LadderFigures;
use super::metrics::Metrics;
use crate::calibration::reliability::Reliability;
use crate::calibration::setup::EvaluationSetup;
use crate::digest::Hash;
use crate::label::summary::Summary;
use crate::policy::Policy;
pub use error::EvaluationError;

/// The results of a policy on a golden set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// The golden set, policy, model, template and settings.
    pub about: EvaluationSetup,
    /// The figures over the rows with a verdict.
    pub scores: Metrics,
    /// The figures over all rows, with each undecided one counted as wrong.
    pub with_undecided: Metrics,
    /// The number of rows for each expected verdict and each verdict of the model, which may be `undecided`.
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
    /// The figures of each category, by its code.
    pub categories: BTreeMap<String, Metrics>,
    /// The figures of each slice, by the value of the column by which the set is sliced.
    pub slices: BTreeMap<String, Metrics>,
    /// The reliability of probabilities. `None` if no row has one.
    pub calibration: Option<Reliability>,
    /// Rows without a verdict, by reason.
    pub undecided: BTreeMap<String, u64>,
    /// Records whose correct answer is not known. They are not judged and count nowhere.
    pub unknown: u64,
    /// Records left out because an earlier one has the same text and the same answer.
    #[serde(default)]
    pub repeated: u64,
    /// The column with the answers, and the meaning of its labels. `None` for a policy's own set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// The day of the evaluation, such as `2026-11-29`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The titles of the policy's categories, by their codes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub titles: BTreeMap<String, String>,
    /// The comparison with an earlier evaluation, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The figures by effort and by the end of the reasoning, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderFigures>,
    /// The gate that was applied, if one was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Tokens that were decoded or sampled, without those of the policy.
    pub tokens: u64,
    /// Duration in seconds.
    pub seconds: f64,
    /// Every row.
    pub rows: Vec<EvaluatedRow>,
}

impl Evaluation {
    /// Computes an evaluation from the rows that a run has collected. `seconds` is the duration of the run.
    #[must_use]
    pub fn new(about: EvaluationSetup, collected: Collector<'_>, summary: &Summary, seconds: f64) -> Self {
        let Collector { golden, policy, rows } = collected;
        Self {
            unknown: golden.unknown.get(policy).copied().unwrap_or(0),
            repeated: golden.repeated,
            labels: golden.legend.get(policy).cloned(),
            tokens: summary.tokens.all(),
            seconds,
            ..Self::of_rows(about, rows)
        }
    }

    /// Computes the figures of rows. Counts of other records, tokens and the duration are 0.
    #[must_use]
    pub fn of_rows(about: EvaluationSetup, rows: Vec<EvaluatedRow>) -> Self {
        let all: Vec<&EvaluatedRow> = rows.iter().collect();
        let mut confusion: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut undecided: BTreeMap<String, u64> = BTreeMap::new();
        for row in &rows {
            let answer = row.verdict.map_or("undecided".to_owned(), |verdict| verdict.to_string());
            *confusion.entry(row.expected.verdict.to_string()).or_default().entry(answer).or_default() += 1;
            if row.verdict.is_none() {
                let reason = row.error.clone().unwrap_or_else(|| "unresolved".to_owned());
                *undecided.entry(reason).or_default() += 1;
            }
        }
        Self {
            about,
            scores: figures::decided(&all),
            with_undecided: figures::with_undecided(&all),
            confusion,
            categories: figures::categories(&rows),
            slices: figures::slices(&rows),
            calibration: Reliability::of(&probabilities(&rows)),
            undecided,
            unknown: 0,
            repeated: 0,
            labels: None,
            date: None,
            titles: BTreeMap::new(),
            comparison: None,
            ladder: None,
            gate: None,
            tokens: 0,
            seconds: 0.0,
            rows,
        }
    }

    /// Adds the titles of the policy's categories, and the day of the evaluation.
    #[must_use]
    pub fn described(self, policy: &Policy, date: Option<String>) -> Self {
        let categories = policy.categories().iter();
        let titles = categories.map(|category| (category.code.clone(), category.title.clone())).collect();
        Self { date, titles, ..self }
    }

    /// Returns the slices in alphabetical order, whichever case their names have and whichever accents.
    #[must_use]
    pub fn slices_in_order(&self) -> Vec<(&String, &Metrics)> {
        let mut slices: Vec<_> = self.slices.iter().collect();
        slices.sort_by_cached_key(|(name, _)| (folded(name), (*name).clone()));
        slices
    }

    /// Returns a category's code with its title: `SP2.a Cold promotion`.
    #[must_use]
    pub fn titled(&self, code: &str) -> String {
        self.titles.get(code).map_or_else(|| code.to_owned(), |title| format!("{code} {title}"))
    }

    /// Returns the number of rows that should be a violation, and of the others.
    #[must_use]
    pub fn classes(&self) -> [u64; 2] {
        let violations = self.rows.iter().filter(|row| row.outcome().0).count() as u64;
        [violations, self.rows.len() as u64 - violations]
    }

    /// Returns the expected answer and P(violation) of each text, and the number of repeated rows.
    /// A repeated text is no second piece of evidence, so it counts once.
    ///
    /// # Errors
    ///
    /// [`EvaluationError::TwoAnswers`] if a text has two expected answers.
    pub fn distinct(&self) -> Result<(Vec<(bool, f64)>, u64), EvaluationError> {
        let mut seen: HashMap<Hash, &EvaluatedRow> = HashMap::new();
        let (mut rows, mut repeated) = (Vec::new(), 0);
        for row in self.rows.iter().filter(|row| row.probability.is_some()) {
            match seen.insert(row.hash, row) {
                None => rows.extend(probabilities(std::slice::from_ref(row))),
                Some(first) if first.outcome().0 == row.outcome().0 => repeated += 1,
                Some(first) => {
                    return Err(EvaluationError::TwoAnswers { first: first.number, second: row.number });
                }
            }
        }
        Ok((rows, repeated))
    }
}

/// Returns a name as a dictionary orders it: without case, and Latin letters without their accents.
fn folded(name: &str) -> String {
    const ACCENTS: [(&str, char); 13] = [
        ("àáâãäåāăą", 'a'),
        ("çćč", 'c'),
        ("ďđð", 'd'),
        ("èéêëēęě", 'e'),
        ("ğ", 'g'),
        ("ìíîïīį", 'i'),
        ("ĺľł", 'l'),
        ("ñńň", 'n'),
        ("òóôõöøő", 'o'),
        ("ŕř", 'r'),
        ("śšş", 's'),
        ("ùúûüūůű", 'u'),
        ("ýÿ", 'y'),
    ];
    let plain =
        |letter: char| ACCENTS.iter().find(|(letters, _)| letters.contains(letter)).map_or(letter, |(_, to)| *to);
    name.chars().flat_map(char::to_lowercase).map(plain).collect()
}
