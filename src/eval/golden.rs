//! Golden sets: texts with their correct answers.
//!
//! A set is read whole before anything is judged. A missing answer is unknown, not "safe". A label that cannot be
//! understood stops the evaluation with an error that names its place, and is never guessed.

mod answer_source;
mod cell;
mod error;
mod find;
mod flags;
mod legend;
mod meaning;
mod options;
mod sense;
mod texts;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::expected::Expected;
use crate::calibration::certificate::missing_class;
use crate::digest::Hash;
use crate::hint::{Hint, Setting};
use crate::label::columns::{Columns, text as text_of};
use crate::label::source::Placed;
use crate::policy::{GoldenCase, Policy, Verdict};
use answer_source::AnswerSource;
use cell::{listed, parsed, shown, word};
pub use error::GoldenError;
use find::Answers;
pub use options::GoldenOptions;
pub(super) use texts::Answer;
use texts::{DistinctText, Relation, Texts};

/// A golden set.
#[derive(Clone, Debug, Default)]
pub struct Golden {
    /// The records to judge: those with an answer under at least one policy, each text once.
    pub records: Vec<Placed>,
    /// Their answers, by record number.
    answers: HashMap<u64, Answer>,
    /// A line for each policy that shows how its labels were understood.
    pub legend: Vec<String>,
    /// The number of records without a known answer, for each policy.
    pub unknown: Vec<u64>,
    /// The number of records left out because an earlier one has the same text and the same answer.
    pub repeated: u64,
    /// Messages about texts that occur with different answers. Their answer counts as unknown.
    pub contradictions: Vec<String>,
    /// Messages about records that contain no text to judge.
    pub damaged: Vec<String>,
}

impl Golden {
    /// Returns records without answers.
    #[must_use]
    pub fn without_answers(records: Vec<Placed>) -> Self {
        Self { records, ..Self::default() }
    }

    /// Reads a set. The options name the column with the answers, or it is found.
    ///
    /// # Errors
    ///
    /// [`GoldenError`] if no column contains labels, if no answer is known, or if a label is not understood. Also if two
    /// columns contradict each other, or if a positive label occurs nowhere.
    pub fn read(records: Vec<Placed>, options: &GoldenOptions, policies: &[Policy]) -> Result<Self, GoldenError> {
        let columns: Vec<&Columns> = records.iter().map(|placed| &placed.record.columns).collect();
        let names = column_names(&columns, options)?;
        let (source, answers) = options.find(&names, &columns, policies)?;
        let legend = options.legend(&source, &columns, &answers, policies);
        Self::of(records, answers, legend, options.by.as_deref(), policies)
    }

    /// Reads the records of a policy's own set, in the format of [`lines`].
    ///
    /// # Errors
    ///
    /// [`GoldenError`] if a code is not in the policy, or if the set is empty.
    pub fn own(records: Vec<Placed>, options: &GoldenOptions, policy: &Policy) -> Result<Self, GoldenError> {
        Self::by_codes(records, options, std::slice::from_ref(policy))
    }

    /// Reads the records of a set that several policies share, in the format of [`lines`].
    ///
    /// # Errors
    ///
    /// [`GoldenError`] if a code is not in one of the policies, or if the set is empty.
    pub fn by_codes(records: Vec<Placed>, options: &GoldenOptions, policies: &[Policy]) -> Result<Self, GoldenError> {
        let columns: Vec<&Columns> = records.iter().map(|placed| &placed.record.columns).collect();
        column_names(&columns, options)?;
        if options.label.is_some() || !options.positive.is_empty() || !options.negative.is_empty() {
            let hint = Hint::new("leave out ")
                .setting(Setting::LabelColumn)
                .text(", ")
                .setting(Setting::Positive)
                .text(" and ")
                .setting(Setting::Negative);
            return Err(GoldenError::new("a policy's own set names the category of each text itself").hint(hint));
        }
        let answers = options.answers(&AnswerSource::Own, &columns, policies);
        Self::of(records, answers, Vec::new(), options.by.as_deref(), policies)
    }

    fn of(
        records: Vec<Placed>,
        answers: Answers,
        legend: Vec<String>,
        by: Option<&str>,
        policies: &[Policy],
    ) -> Result<Self, GoldenError> {
        let mut golden = Self { legend, unknown: vec![0; policies.len()], ..Self::default() };
        // The caller names the set, so a message about a single input need not.
        let one_input = records.windows(2).all(|pair| pair[0].input == pair[1].input);
        let mut lines = Lines::default();
        let mut texts = Texts::default();
        for (placed, answers) in records.into_iter().zip(answers) {
            let place = format!("{}: record {}", placed.input, placed.row);
            let line = lines.of(&placed);
            let at =
                |error: GoldenError| error.at(if one_input { format!("record {}", placed.row) } else { place.clone() });
            let expected: Vec<Option<Expected>> = answers.into_iter().collect::<Result<_, _>>().map_err(at)?;
            let slice = by.and_then(|by| placed.record.columns.at(by));
            let slice = slice.map(|found| word(&parsed(found.value().get())));
            let (text, hash) = match &placed.record.content {
                Ok(content) => (content.text().to_owned(), Hash::of(content.text().as_bytes())),
                Err(defect) => {
                    golden.damaged.push(defect.to_string());
                    // Each is a record of its own: the place distinguishes those with the same bytes.
                    (String::new(), Hash::of(&[placed.record.raw.as_slice(), place.as_bytes()].concat()))
                }
            };
            if expected.iter().all(Option::is_none) {
                golden.unknown.iter_mut().for_each(|unknown| *unknown += 1);
                continue;
            }
            let answer = Answer {
                number: placed.number,
                line,
                input: (!one_input).then(|| placed.input.to_string()),
                id: placed.record.id.as_deref().map(text_of),
                text,
                hash,
                slice,
                expected,
            };
            match texts.add(place, placed, answer) {
                Relation::New => {}
                Relation::Repeated => golden.repeated += 1,
                Relation::Contradiction(message) => {
                    golden.contradictions.extend(message);
                    golden.unknown.iter_mut().for_each(|unknown| *unknown += 1);
                }
            }
        }
        golden.keep(texts);
        let lacks = |(place, _): &(usize, &Policy)| golden.classes(*place) == [0, 0];
        if let Some((_, policy)) = policies.iter().enumerate().find(lacks) {
            let what =
                format!("no record has a known answer under the policy {}, so nothing can be measured", policy.id);
            return Err(GoldenError::new(what));
        }
        Ok(golden)
    }

    /// Keeps the texts that no record contradicts.
    fn keep(&mut self, texts: Texts) {
        for DistinctText { record, answer, contradicted, .. } in texts.texts {
            for (unknown, expected) in self.unknown.iter_mut().zip(&answer.expected) {
                *unknown += u64::from(contradicted || expected.is_none());
            }
            if !contradicted {
                self.answers.insert(record.number, answer);
                self.records.push(record);
            }
        }
    }

    /// Returns the number of texts that should be a violation under the policy at this position, and of the others.
    #[must_use]
    pub fn classes(&self, policy: usize) -> [u64; 2] {
        let expected = self.answers.values().filter_map(|answer| answer.expected.get(policy)?.as_ref());
        expected.fold([0, 0], |[violations, others], expected| match expected.verdict {
            Verdict::Violation => [violations + 1, others],
            _ => [violations, others + 1],
        })
    }

    /// Names the class that the set lacks under the policy at this position. Figures and thresholds need both classes.
    #[must_use]
    pub fn missing_class(&self, policy: usize) -> Option<&'static str> {
        missing_class(self.classes(policy))
    }

    /// Returns the digest of each text, and true if it should be a violation under the policy at this position.
    pub fn texts(&self, policy: usize) -> impl Iterator<Item = (Hash, bool)> {
        self.answers.values().filter_map(move |answer| {
            let expected = answer.expected.get(policy)?.as_ref()?;
            Some((answer.hash, expected.verdict == Verdict::Violation))
        })
    }

    /// Returns the expected answer to a record under the policy at this position, if it is judged.
    #[must_use]
    pub fn expected(&self, number: u64, policy: usize) -> Option<&Expected> {
        self.answers.get(&number)?.expected.get(policy)?.as_ref()
    }

    pub(super) fn answer(&self, number: u64) -> Option<&Answer> {
        self.answers.get(&number)
    }

    /// Returns the answers by the digests of their texts.
    pub(super) fn answers_by_text(&self) -> HashMap<Hash, &Answer> {
        self.answers.values().map(|answer| (answer.hash, answer)).collect()
    }
}

/// The rows of records in a spreadsheet, or their lines.
#[derive(Default)]
struct Lines {
    /// The input whose records come, and the number of its lines above the first record.
    above: Option<(Arc<str>, u64)>,
}

impl Lines {
    /// Returns the row of the next record. A table has a row for each record, even if its text has several lines.
    fn of(&mut self, placed: &Placed) -> u64 {
        let first = self.above.as_ref().filter(|(input, _)| *input == placed.input).map(|(_, above)| *above);
        let above = first.unwrap_or_else(|| {
            let above = placed.record.number.saturating_sub(placed.row);
            self.above = Some((Arc::clone(&placed.input), above));
            above
        });
        // Blank lines may stand between lines of JSON.
        if placed.record.raw.starts_with(b"{") { placed.record.number } else { placed.row + above }
    }
}

/// Lists the columns of all records in the order in which they first occur. Refuses a named column that is missing.
fn column_names<'set>(columns: &[&'set Columns], options: &GoldenOptions) -> Result<Vec<&'set str>, GoldenError> {
    /// The most columns that a message lists.
    const MOST: usize = 20;
    let mut seen = HashSet::new();
    let names: Vec<&str> =
        columns.iter().flat_map(|columns| columns.names()).filter(|name| seen.insert(*name)).collect();
    let has = |path: &str| columns.iter().any(|columns| columns.at(path).is_some());
    for (column, setting) in [(&options.label, Setting::LabelColumn), (&options.by, Setting::By)] {
        if let Some(column) = column.as_deref().filter(|column| !seen.contains(column) && !has(column)) {
            let more = if names.len() > MOST { " and more" } else { "" };
            let found = listed(names.iter().copied(), MOST);
            let hint = Hint::of(setting).text(format!(" names one of the columns {found}{more}"));
            return Err(GoldenError::new(format!("there is no column `{}`", shown(column))).hint(hint));
        }
    }
    Ok(names)
}

/// Returns a policy's own cases as lines of JSON.
#[must_use]
pub fn lines(cases: &[GoldenCase]) -> String {
    cases
        .iter()
        .map(|case| {
            let line = serde_json::json!({
                "text": case.text,
                "category": case.category,
                "verdict": case.verdict,
                "near_miss": case.near_miss,
                "why": case.why,
            });
            format!("{line}\n")
        })
        .collect()
}
