//! Merging several journals of one run into one.
//!
//! The result is the journal that one machine would have made. Otherwise the merge is refused: journals must have the same
//! terms and inputs, and every record of the inputs once. A single journal is checked in the same way.

mod error;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::entry::{Entry, OutputForm};
use super::journal::{End, Existing, Journal, Ordered};
use super::row;
use super::summary::Summary;
use crate::calibration::terms::{COLUMNS, Terms};
use crate::text::shown;

pub use error::MergeError;

/// Merges journals into a new one at a path, and counts its rows.
///
/// # Errors
///
/// A [`MergeError`]. No journal is left then.
pub fn merge(journals: &[PathBuf], into: &Path, partial: bool) -> Result<Summary, MergeError> {
    if std::fs::symlink_metadata(into).is_ok() {
        return Err(MergeError::There(into.to_owned()));
    }
    let shares = Shares::open(journals)?;
    let (mut journal, _) = Journal::open(into, &shares.terms, Existing::Resume)?;
    let failed = |error| MergeError::Write(into.to_owned(), error);
    let walked = shares.walk(partial, &mut |entry| journal.put(entry).map(|_| ()).map_err(failed));
    let merged = walked.and_then(|summary| {
        summary.end.map_or(Ok(()), |end| journal.finish(end).map_err(failed))?;
        Ok(summary)
    });
    if merged.is_err() {
        // The new journal is incomplete.
        let _ = std::fs::remove_file(into);
    }
    merged
}

/// Checks that a journal is complete and in itself consistent, and counts its rows.
///
/// # Errors
///
/// A [`MergeError`].
pub fn check(journal: &Path, partial: bool) -> Result<Summary, MergeError> {
    Shares::open(&[journal.to_owned()])?.walk(partial, &mut |_| Ok(()))
}

/// Checks that the run of a journal has each column that an output keeps.
///
/// # Errors
///
/// A [`MergeError`].
pub fn has_columns(journal: &Path, form: &OutputForm) -> Result<(), MergeError> {
    let Some(wanted) = form.columns.as_ref().filter(|wanted| !wanted.is_empty()) else { return Ok(()) };
    let rows = Ordered::open(journal)?;
    let mut names: Vec<String> = rows.terms.strings(COLUMNS);
    let mut known: HashSet<String> = names.iter().cloned().collect();
    for entry in rows {
        let entry = entry?;
        let new = entry.columns.names().filter(|name| !known.contains(*name)).map(str::to_owned).collect::<Vec<_>>();
        known.extend(new.iter().cloned());
        names.extend(new);
    }
    let is_there = |name: &str| {
        let one = OutputForm { columns: Some(vec![name.to_owned()]), ..form.clone() };
        name == "id" || names.iter().any(|name| one.keeps(name))
    };
    match wanted.iter().find(|name| !is_there(name)) {
        Some(name) => {
            Err(MergeError::NoColumn { name: shown(name), found: names.iter().map(|name| shown(name)).collect() })
        }
        None => Ok(()),
    }
}

/// Journals of one run.
struct Shares<'path> {
    terms: Terms,
    journals: Vec<OpenJournal<'path>>,
}

/// A journal, and its next row.
struct OpenJournal<'path> {
    path: &'path PathBuf,
    rows: Ordered,
    next: Option<Entry>,
}

impl<'path> Shares<'path> {
    fn open(paths: &'path [PathBuf]) -> Result<Self, MergeError> {
        let mut journals: Vec<OpenJournal<'path>> = Vec::with_capacity(paths.len());
        for path in paths {
            let mut rows = Ordered::open(path)?;
            let next = rows.next().transpose()?;
            if let Some(first) = journals.first()
                && let Some(what) = first.rows.terms.of_all_shares().unlike(&rows.terms.of_all_shares())
            {
                return Err(MergeError::OtherTerms { one: first.path.clone(), other: path.clone(), what });
            }
            journals.push(OpenJournal { path, rows, next });
        }
        let terms = journals.first().map(|journal| journal.rows.terms.of_all_shares()).unwrap_or_default();
        Ok(Self { terms, journals })
    }

    /// Returns the end of the inputs, on which all journals must agree. An unfinished journal has no end.
    fn end(&self, partial: bool) -> Result<Option<End>, MergeError> {
        let mut all: Option<(&OpenJournal<'_>, End)> = None;
        for journal in &self.journals {
            match (journal.rows.end, all) {
                (None, _) if partial => {}
                (None, _) => return Err(MergeError::Unfinished(journal.path.clone())),
                (Some(theirs), Some((one, ours))) if theirs != ours => {
                    let (theirs, ours) = (theirs.records, ours.records);
                    let (one, other) = (one.path.clone(), journal.path.clone());
                    return Err(MergeError::OtherInputs { one, other, theirs, ours });
                }
                (Some(end), _) => all = all.or(Some((journal, end))),
            }
        }
        Ok(all.map(|(_, end)| end))
    }

    /// Takes all rows, in the order of the inputs, and counts them.
    fn walk(
        mut self,
        partial: bool,
        put: &mut dyn FnMut(&Entry) -> Result<(), MergeError>,
    ) -> Result<Summary, MergeError> {
        let end = self.end(partial)?;
        let mut summary = Summary::default();
        let (mut expected, mut missing, mut first) = (1, 0, None);
        let mut miss = |from: u64, to: u64| {
            if from < to {
                missing += to - from;
                first.get_or_insert(from);
            }
        };
        while let Some(least) = self.least() {
            let OpenJournal { path, rows, next } = &mut self.journals[least];
            let path = path.to_owned();
            let Some(entry) = std::mem::replace(next, rows.next().transpose()?) else { break };
            let double = self
                .journals
                .iter()
                .find(|journal| journal.next.as_ref().is_some_and(|next| next.number == entry.number));
            if let Some(double) = double {
                let (one, other) = (path, double.path.clone());
                return Err(MergeError::Doubled { input: entry.input.to_string(), row: entry.row, one, other });
            }
            miss(expected, entry.number);
            expected = entry.number + 1;
            put(&entry)?;
            // The journal does not tell which tokens were spent, so all of them count.
            summary.add(&row::rows(&entry.verdicts), true);
            summary.written += 1;
        }
        let all = end.map_or(expected - 1, |end| end.records);
        miss(expected, all + 1);
        match first {
            Some(first) if !partial => Err(MergeError::Missing { count: missing, all, first }),
            Some(_) => Ok(summary),
            None => Ok(Summary { end, ..summary }),
        }
    }

    /// Returns the index of the journal whose next row comes first.
    fn least(&self) -> Option<usize> {
        let numbers =
            self.journals.iter().enumerate().filter_map(|(at, journal)| Some((journal.next.as_ref()?.number, at)));
        numbers.min().map(|(_, at)| at)
    }
}
