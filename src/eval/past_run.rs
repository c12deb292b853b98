//! The rows of a finished run of `label`, evaluated without judging anything.
//!
//! The answers are in a column of the run's input, which the journal keeps, or in a golden set of the same texts.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::collector::{Collector, Collectors};
use super::evaluation::Evaluation;
use super::golden::Golden;
use crate::calibration::setup::EvaluationSetup;
use crate::calibration::terms::{COLUMNS, Terms};
use crate::hint::{Hint, Hints, Setting};
use crate::label::about::RunAbout;
use crate::label::config::{COLUMNS_TO_JUDGE, policies};
use crate::label::entry::Entry;
use crate::label::journal::{JournalError, Ordered};
use crate::label::recall::Recall;
use crate::label::row::rows;
use crate::label::source::Placed;
use crate::label::summary::Summary;
use crate::policy::{Policy, PolicyLibrary};

/// A run that was read from its journal.
#[derive(Debug)]
pub struct PastRun {
    path: PathBuf,
    terms: Terms,
    recall: Recall,
    entries: Vec<Entry>,
    /// True if the run reached the end of its inputs.
    pub finished: bool,
}

/// The relation of a run's records to those of a golden set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// The set was made of the run's own records.
    Records,
    /// The set is another file, in which the same texts are looked up.
    Texts,
}

/// The reason why a run cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PastRunError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The run has no rows.
    #[error("{0} has no rows yet")]
    Empty(PathBuf),
    /// The run was made by another policy, or by another version of it.
    #[error("{path} was made by {theirs}, and not by this {ours}")]
    OtherPolicy {
        /// The journal.
        path: PathBuf,
        /// The policies of the run.
        theirs: String,
        /// The id of the policy that was named.
        ours: String,
    },
    /// The policy of the run is not shipped, so its file is needed.
    #[error("{path} was made by the policy {id}, which is not shipped in this version")]
    Unknown {
        /// The journal.
        path: PathBuf,
        /// The id of the policy.
        id: String,
    },
    /// The texts cannot be found in the columns that the journal keeps.
    #[error("{0} does not keep the texts of its rows")]
    NoTexts(PathBuf),
    /// No text of the golden set is in the run.
    #[error("{path} has none of the texts of {golden}")]
    OtherTexts {
        /// The journal.
        path: PathBuf,
        /// The golden set.
        golden: String,
    },
}

impl Hints for PastRunError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Journal(error) => error.hints(),
            Self::OtherPolicy { .. } => vec![Hint::new("name the policies of the run, as they were then")],
            Self::Unknown { .. } => vec![Hint::of_value(Setting::Policy, "FILE").text(" names its file")],
            Self::NoTexts(_) => vec![Hint::new("name the file of the texts, too")],
            Self::OtherTexts { .. } => vec![Hint::new("name the file that was labelled, or one with the same texts")],
            Self::Empty(_) => Vec::new(),
        }
    }
}

impl PastRun {
    /// Reads the run in a journal.
    ///
    /// # Errors
    ///
    /// [`PastRunError`] if the file is no journal, or if it has no rows.
    pub fn open(journal: &Path) -> Result<Self, PastRunError> {
        let rows = Ordered::open(journal)?;
        let (terms, finished) = (rows.terms.clone(), rows.end.is_some());
        let entries = rows.collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Err(PastRunError::Empty(journal.to_owned()));
        }
        Ok(Self { path: journal.to_owned(), recall: Recall::of(&terms), terms, entries, finished })
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Returns the names of the run's inputs.
    #[must_use]
    pub fn inputs(&self) -> String {
        let mut known = HashSet::new();
        let names = self.entries.iter().map(|entry| &*entry.input).filter(|input| known.insert(*input));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns the policies to evaluate, each with its position in the run: the named ones, or all of the run's.
    ///
    /// # Errors
    ///
    /// [`PastRunError::OtherPolicy`] for a named policy that is not of the run, and [`PastRunError::Unknown`] if no
    /// policy is named and the run's is not shipped.
    pub fn policies(&self, named: Vec<Policy>) -> Result<Vec<(usize, Policy)>, PastRunError> {
        let own = policies(&self.terms);
        let place = |policy: &Policy| {
            let wanted = policy.digest();
            own.iter().position(|[_, digest, _]| *digest == wanted)
        };
        if !named.is_empty() {
            let placed = |policy: Policy| match place(&policy) {
                Some(at) => Ok((at, policy)),
                None => Err(PastRunError::OtherPolicy {
                    path: self.path.clone(),
                    theirs: own.iter().map(described).collect::<Vec<_>>().join(", "),
                    ours: policy.id,
                }),
            };
            return named.into_iter().map(placed).collect();
        }
        let shipped = |(at, [id, ..]): (usize, &[String; 3])| {
            let policy = PolicyLibrary::shipped().get(id).ok().filter(|policy| place(policy) == Some(at));
            let unknown = || PastRunError::Unknown { path: self.path.clone(), id: id.clone() };
            policy.map(|policy| (at, policy.clone())).ok_or_else(unknown)
        };
        own.iter().enumerate().map(shipped).collect()
    }

    /// Returns the run's records with their texts, to read the answers from their columns.
    ///
    /// # Errors
    ///
    /// [`PastRunError::NoTexts`] if the journal keeps none of the columns that make the texts.
    pub fn records(&self) -> Result<Vec<Placed>, PastRunError> {
        let above = self.above();
        let records: Vec<Placed> =
            self.entries.iter().filter_map(|entry| self.recall.placed(entry, entry.row + above)).collect();
        if records.is_empty() { Err(PastRunError::NoTexts(self.path.clone())) } else { Ok(records) }
    }

    /// Returns the number of rows above the first record of a table: the header, and rows that were skipped.
    fn above(&self) -> u64 {
        let reading = self.terms.0.get(COLUMNS_TO_JUDGE);
        let of = |name: &str| reading.and_then(|reading| reading.get(name));
        let headless = of("no_header").and_then(serde_json::Value::as_bool).unwrap_or_default();
        let skipped = of("skip").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if self.terms.0.contains_key(COLUMNS) { skipped + u64::from(!headless) } else { 0 }
    }

    /// Evaluates the policies at these positions in the run, in the order of the golden set's policies.
    ///
    /// # Errors
    ///
    /// [`PastRunError::OtherTexts`] if the run has none of the set's texts.
    pub fn evaluate(
        &self,
        golden: &Golden,
        name: &str,
        places: &[usize],
        pairing: Pairing,
    ) -> Result<Vec<Evaluation>, PastRunError> {
        let by_text = golden.answers_by_text();
        let mut collectors = Collectors::new(golden, places.len());
        for entry in &self.entries {
            let answer = match pairing {
                Pairing::Records => golden.answer(entry.number),
                Pairing::Texts => by_text.get(&entry.hash).copied(),
            };
            let Some(answer) = answer else { continue };
            let rows = rows(&entry.verdicts);
            for (collector, place) in collectors.0.iter_mut().zip(places) {
                if let Some(row) = rows.get(*place) {
                    collector.add(answer, row);
                }
            }
        }
        let evaluation = |(collector, place): (Collector<'_>, &usize)| {
            let rows = distinct(collector);
            Evaluation::new(self.setup(name, *place), rows, &Summary::default(), 0.0)
        };
        let evaluations: Vec<Evaluation> = collectors.0.into_iter().zip(places).map(evaluation).collect();
        if evaluations.iter().all(|evaluation| evaluation.rows.is_empty()) {
            return Err(PastRunError::OtherTexts { path: self.path.clone(), golden: name.to_owned() });
        }
        Ok(evaluations)
    }

    /// Returns the setup under which the policy at a position in the run has judged. A journal of an earlier version does
    /// not name the conditions.
    fn setup(&self, name: &str, place: usize) -> EvaluationSetup {
        let rows = self.entries.first().map(|entry| rows(&entry.verdicts)).unwrap_or_default();
        let Some(row) = rows.get(place) else { return EvaluationSetup::default() };
        let facts = RunAbout::of(&self.terms).policies.remove(&row.policy.id).unwrap_or_default();
        row.setup(name, facts.conditions)
    }
}

/// Keeps the first row of each text. A run judges equal texts alike.
fn distinct(mut collector: Collector<'_>) -> Collector<'_> {
    let mut known = HashSet::new();
    collector.rows.retain(|row| known.insert(row.hash));
    collector
}

/// Names a policy of a run: its id, and the beginning of its digest.
fn described([id, digest, _]: &[String; 3]) -> String {
    format!("{id} ({}…)", digest.chars().take(12).collect::<String>())
}
