//! Several journals of one run become one.
//!
//! The one idea: the result is what one machine would have made, or it is refused. Journals must have the same terms
//! and inputs, and every record of the inputs once. A single journal is checked in the same way.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::journal::{End, Existing, Journal, JournalError, Ordered};
use super::row;
use super::summary::Summary;
use crate::calibration::terms::Terms;

/// Why journals do not make one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// One cannot be read, or the new one not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The new one cannot be written.
    #[error("{0} cannot be written")]
    Write(PathBuf, #[source] io::Error),
    /// They are of different runs.
    #[error("{one} and {other} are of different runs\n{what}\nhint: label both with the same flags and model")]
    OtherTerms {
        /// A journal.
        one: PathBuf,
        /// Another.
        other: PathBuf,
        /// The differences, in words.
        what: String,
    },
    /// A run has not come to the end of its inputs.
    #[error(
        "{0} is not finished\nhint: run the command that made it again, which continues where it stopped; or merge what there is with --partial"
    )]
    Unfinished(PathBuf),
    /// Journals of different inputs.
    #[error(
        "{one} and {other} are of different inputs: {}\nhint: give each machine the same files, in the same order",
        if theirs == ours { "records have other contents".to_owned() } else { format!("{ours} and {theirs} records") }
    )]
    OtherInputs {
        /// A journal.
        one: PathBuf,
        /// The other journal.
        other: PathBuf,
        /// The number of records in the inputs of the other.
        theirs: u64,
        /// The number of records in the inputs of the first.
        ours: u64,
    },
    /// A file that is at the path of the result.
    #[error("{0} is there already\nhint: name another file with -o")]
    There(PathBuf),
    /// A record is in two of them.
    #[error("record {row} of {input} is in {one} and in {other}\nhint: give each share once")]
    Doubled {
        /// The input.
        input: String,
        /// The record, from 1.
        row: u64,
        /// A journal.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// Records are in none of them.
    #[error(
        "{count} of {all} records are missing, the first is number {first}\nhint: is a share not among the journals? --partial merges what there is"
    )]
    Missing {
        /// How many.
        count: u64,
        /// Of how many.
        all: u64,
        /// The first of them, among all inputs.
        first: u64,
    },
}

/// Merges journals into one at a path where there is none yet, and counts its rows.
///
/// # Errors
///
/// A [`MergeError`]; there is no journal then.
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
        // The file was opened as a journal of ours.
        let _ = std::fs::remove_file(into);
    }
    merged
}

/// Checks that a journal is what [`merge`] would make of it, and counts its rows.
///
/// # Errors
///
/// A [`MergeError`].
pub fn check(journal: &Path, partial: bool) -> Result<Summary, MergeError> {
    Shares::open(&[journal.to_owned()])?.walk(partial, &mut |_| Ok(()))
}

/// Journals of one run.
struct Shares<'path> {
    terms: Terms,
    heads: Vec<Head<'path>>,
}

/// A journal, and the next of its rows.
struct Head<'path> {
    path: &'path PathBuf,
    rows: Ordered,
    next: Option<Entry>,
}

impl<'path> Shares<'path> {
    fn open(journals: &'path [PathBuf]) -> Result<Self, MergeError> {
        let mut heads: Vec<Head<'path>> = Vec::with_capacity(journals.len());
        for path in journals {
            let mut rows = Ordered::open(path)?;
            let next = rows.next().transpose()?;
            if let Some(first) = heads.first()
                && let Some(what) = first.rows.terms.of_all_shares().unlike(&rows.terms.of_all_shares())
            {
                return Err(MergeError::OtherTerms { one: first.path.clone(), other: path.clone(), what });
            }
            heads.push(Head { path, rows, next });
        }
        let terms = heads.first().map(|head| head.rows.terms.of_all_shares()).unwrap_or_default();
        Ok(Self { terms, heads })
    }

    /// Returns the end of the inputs. All journals must agree on it; one that is not finished has none.
    fn end(&self, partial: bool) -> Result<Option<End>, MergeError> {
        let mut all: Option<(&Head<'_>, End)> = None;
        for head in &self.heads {
            match (head.rows.end, all) {
                (None, _) if partial => {}
                (None, _) => return Err(MergeError::Unfinished(head.path.clone())),
                (Some(theirs), Some((one, ours))) if theirs != ours => {
                    let (theirs, ours) = (theirs.records, ours.records);
                    let (one, other) = (one.path.clone(), head.path.clone());
                    return Err(MergeError::OtherInputs { one, other, theirs, ours });
                }
                (Some(end), _) => all = all.or(Some((head, end))),
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
            let Head { path, rows, next } = &mut self.heads[least];
            let path = path.to_owned();
            let Some(entry) = std::mem::replace(next, rows.next().transpose()?) else { break };
            let twin =
                self.heads.iter().find(|head| head.next.as_ref().is_some_and(|next| next.number == entry.number));
            if let Some(twin) = twin {
                let (one, other) = (path, twin.path.clone());
                return Err(MergeError::Doubled { input: entry.input.to_string(), row: entry.row, one, other });
            }
            miss(expected, entry.number);
            expected = entry.number + 1;
            put(&entry)?;
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
        let numbers = self.heads.iter().enumerate().filter_map(|(at, head)| Some((head.next.as_ref()?.number, at)));
        numbers.min().map(|(_, at)| at)
    }
}
