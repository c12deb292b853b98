//! Several journals of one run become one.
//!
//! The one idea: it is written only if it is what one machine would have made: the same terms, every record of the inputs
//! once.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::journal::{Existing, Journal, JournalError, Ordered};
use super::summary::{Count, Summary};

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
    #[error(
        "{one} and {other} are of different runs: {other} was made with {what}\nhint: label both with the same flags and model"
    )]
    OtherTerms {
        /// A journal.
        one: PathBuf,
        /// Another.
        other: PathBuf,
        /// What is different.
        what: String,
    },
    /// A run has not come to the end of its inputs.
    #[error(
        "{0} is not finished\nhint: run the command that made it again, it goes on where it stopped; or merge what there is with --partial"
    )]
    Unfinished(PathBuf),
    /// They do not agree on how many records there are.
    #[error("{other} has read {theirs} records and the others {ours}: the inputs were not the same")]
    OtherInputs {
        /// A journal.
        other: PathBuf,
        /// What it says.
        theirs: u64,
        /// What the first says.
        ours: u64,
    },
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

/// Merges journals into one at a path, where there is none yet. What it holds.
///
/// # Errors
///
/// A [`MergeError`]; there is no journal then.
pub fn merge(journals: &[PathBuf], into: &Path, partial: bool) -> Result<Summary, MergeError> {
    let merged = try_merge(journals, into, partial);
    if merged.is_err() {
        let _ = std::fs::remove_file(into);
    }
    merged
}

fn try_merge(journals: &[PathBuf], into: &Path, partial: bool) -> Result<Summary, MergeError> {
    let mut heads = Vec::with_capacity(journals.len());
    for path in journals {
        let mut rows = Ordered::open(path)?;
        let next = rows.next().transpose()?;
        heads.push(Head { path, rows, next });
    }
    let terms = heads.first().map(|head| head.rows.terms.of_all_shares()).unwrap_or_default();
    for other in heads.iter().skip(1) {
        if let Some(what) = terms.unlike(&other.rows.terms.of_all_shares()) {
            return Err(MergeError::OtherTerms { one: journals[0].clone(), other: other.path.clone(), what });
        }
    }
    let (mut journal, _) = Journal::open(into, &terms, Existing::Mix)?;
    let failed = |error| MergeError::Write(into.to_owned(), error);
    let mut summary = Summary::default();
    let (mut expected, mut missing, mut first) = (1, 0, None);
    let mut miss = |from: u64, to: u64| {
        if from < to {
            missing += to - from;
            first.get_or_insert(from);
        }
    };
    while let Some(least) = least(&heads) {
        let Head { path, rows, next } = &mut heads[least];
        let path = path.to_owned();
        let Some(entry) = std::mem::replace(next, rows.next().transpose()?) else { break };
        let twin = heads.iter().find(|head| head.next.as_ref().is_some_and(|next| next.number == entry.number));
        if let Some(twin) = twin {
            let (one, other) = (path, twin.path.clone());
            return Err(MergeError::Doubled { input: entry.input.to_string(), row: entry.row, one, other });
        }
        miss(expected, entry.number);
        expected = entry.number + 1;
        journal.put(&entry).map_err(failed)?;
        summary.add(&Count::of(&entry.verdicts), true);
        summary.written += 1;
    }
    let mut all = None;
    for head in &heads {
        match (head.rows.records(), all) {
            (None, _) if partial => {}
            (None, _) => return Err(MergeError::Unfinished(head.path.clone())),
            (Some(theirs), Some(ours)) if theirs != ours => {
                return Err(MergeError::OtherInputs { other: head.path.clone(), theirs, ours });
            }
            (Some(records), _) => all = Some(records),
        }
    }
    let all = all.unwrap_or(expected - 1);
    miss(expected, all + 1);
    match first {
        Some(first) if !partial => Err(MergeError::Missing { count: missing, all, first }),
        Some(_) => Ok(summary),
        None => {
            journal.finish(all).map_err(failed)?;
            summary.records = Some(all);
            Ok(summary)
        }
    }
}

/// A journal, and the next of its rows.
struct Head<'path> {
    path: &'path PathBuf,
    rows: Ordered,
    next: Option<Entry>,
}

/// The journal whose next row comes first.
fn least(heads: &[Head<'_>]) -> Option<usize> {
    let numbers = heads.iter().enumerate().filter_map(|(at, head)| Some((head.next.as_ref()?.number, at)));
    numbers.min().map(|(_, at)| at)
}
