//! Finding the columns that contain the answers.
//!
//! Unless the user names a column, the likeliest one that is understood in every record is read. Two columns that
//! contradict each other are refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer_source::AnswerSource;
use super::cell::{labels, listed, shown, value, word};
use super::error::GoldenError;
use super::flags::RELEASE;
use super::options::GoldenOptions;
use super::sense::{self, Name, is_named};
use crate::eval::expected::Expected;
use crate::hint::{Hint, Setting};
use crate::label::columns::Columns;
use crate::policy::Policy;

/// The answers of a set, by record and then by policy. `None` if an answer is not known.
pub(super) type Answers = Vec<Vec<Result<Option<Expected>, GoldenError>>>;

/// Columns that may contain the answer if the user names no column, the likeliest first.
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

/// The most labels that a message lists.
const SHOWN: usize = 8;

impl GoldenOptions {
    /// Finds the columns with the answers, and reads them. `names` are the names of all columns of the set.
    pub(super) fn find(
        &self,
        names: &[&str],
        columns: &[&Columns],
        policies: &[Policy],
    ) -> Result<(AnswerSource, Answers), GoldenError> {
        let chosen = self.label.as_ref().map(|name| AnswerSource::of_column(name, columns));
        if let Some(source) = chosen.or_else(|| flags(names, columns)) {
            self.check_positive(&source, columns)?;
            let answers = self.answers(&source, columns, policies);
            return Ok((source, answers));
        }
        let candidates = COLUMNS.iter().flat_map(|known| {
            let names = names.iter().filter(|name| name.eq_ignore_ascii_case(known));
            names.map(|name| AnswerSource::of_column(name, columns))
        });
        let mut read: Vec<(AnswerSource, Answers)> = candidates
            .map(|source| {
                let answers = self.answers(&source, columns, policies);
                (source, answers)
            })
            .collect();
        let is_understood = |(source, answers): &(AnswerSource, Answers)| {
            self.check_positive(source, columns).is_ok()
                && answers.iter().flatten().all(Result::is_ok)
                && answers.iter().flatten().flatten().any(Option::is_some)
        };
        let chosen = read.iter().position(is_understood).unwrap_or(0);
        let Some((source, answers)) = read.get(chosen) else {
            let found = format!(" names it; there are {}", listed(names.iter().copied(), SHOWN));
            let hint = Hint::of_value(Setting::LabelColumn, "COLUMN").text(found);
            return Err(GoldenError::new("no column seems to contain the correct answers").hint(hint));
        };
        self.check_positive(source, columns)?;
        for (other, theirs) in read.iter().filter(|(other, _)| other != source) {
            if let Some(record) = (0..columns.len()).find(|record| contradict(&answers[*record], &theirs[*record])) {
                let [one, other] = [source, other].map(AnswerSource::name);
                let record = record + 1;
                let what = format!("the columns `{one}` and `{other}` contradict each other in record {record}");
                let hint = Hint::of(Setting::LabelColumn).text(" names the column with the correct answers");
                return Err(GoldenError::new(what).hint(hint));
            }
        }
        Ok(read.swap_remove(chosen))
    }

    /// Reads the answers of all records.
    pub(super) fn answers(&self, source: &AnswerSource, columns: &[&Columns], policies: &[Policy]) -> Answers {
        let of = |columns: &&Columns| policies.iter().map(|policy| self.expected(source, columns, policy)).collect();
        columns.iter().map(of).collect()
    }

    /// Refuses a positive label that occurs in no record: probably a misspelled one.
    fn check_positive(&self, source: &AnswerSource, columns: &[&Columns]) -> Result<(), GoldenError> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        match source {
            AnswerSource::Flags { names, .. } => found.extend(names.iter().map(|name| (name.clone(), 0))),
            AnswerSource::Own => {}
            AnswerSource::Column(name) => {
                let known = |label: &str| self.lists(label);
                let labels = |columns: &&Columns| labels(columns, name, &known).ok().flatten().unwrap_or_default();
                for label in columns.iter().flat_map(labels) {
                    *found.entry(label.trim().to_owned()).or_default() += 1;
                }
            }
        }
        let is_found = |wanted: &&String| found.keys().any(|label| is_named(wanted, label));
        let Some(wanted) = self.positive.iter().find(|wanted| !is_found(wanted)) else { return Ok(()) };
        let mut found: Vec<(&String, &u64)> = found.iter().filter(|(label, _)| !sense::is_absent(label)).collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let more = if found.len() > SHOWN { ", and more" } else { "" };
        let in_words = |(label, count): &(&String, &u64)| match count {
            0 => shown(label),
            count => format!("{} ({count})", shown(label)),
        };
        let found: Vec<String> = found.iter().take(SHOWN).map(in_words).collect();
        let hint = format!("the labels of {} are {}{more}", source.description(), found.join(", "));
        let what = format!("no record has the label `{}`, which is to be a violation", shown(wanted));
        Err(GoldenError::new(what).hint(Hint::new(hint)))
    }

    /// Returns the expected answer to a record, or `None` for an unknown one.
    fn expected(
        &self,
        source: &AnswerSource,
        columns: &Columns,
        policy: &Policy,
    ) -> Result<Option<Expected>, GoldenError> {
        match source {
            AnswerSource::Own => match value(columns, "category") {
                Value::Null => Ok(Some(Expected::of_word(&word(&value(columns, "verdict"))))),
                code => self.meaning(&word(&code), Name::Neutral, "category", policy).map(Some),
            },
            AnswerSource::Column(name) => self.in_column(name, columns, policy),
            AnswerSource::Flags { .. } => self.in_flags(source, columns, policy),
        }
    }
}

/// Returns the flags of a set in a format that has them: openai-guardrails, or OpenAI's release of 2022.
fn flags(names: &[&str], columns: &[&Columns]) -> Option<AnswerSource> {
    let of_objects = |name| AnswerSource::of_objects(name, columns);
    of_objects("expected_triggers").or_else(|| of_objects("labels")).or_else(|| {
        let letters = RELEASE.iter().map(|(letters, _)| *letters).filter(|letters| names.contains(letters));
        let letters: Vec<String> = letters.map(str::to_owned).collect();
        (letters.len() > 1).then_some(AnswerSource::Flags { object: None, names: letters })
    })
}

/// Reports whether two answers to one record are known and differ.
fn contradict(
    ours: &[Result<Option<Expected>, GoldenError>],
    theirs: &[Result<Option<Expected>, GoldenError>],
) -> bool {
    ours.iter().zip(theirs).any(|pair| match pair {
        (Ok(Some(one)), Ok(Some(other))) => one.verdict != other.verdict,
        _ => false,
    })
}
