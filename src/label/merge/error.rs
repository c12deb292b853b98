//! Errors of a merge.

use std::io;
use std::path::PathBuf;

use crate::hint::{Hint, Hints, Setting};
use crate::label::journal::JournalError;

/// The reason why journals cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A journal cannot be read, or the new one cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The new journal cannot be written.
    #[error("{0} cannot be written")]
    Write(PathBuf, #[source] io::Error),
    /// The journals belong to different runs.
    #[error("{one} and {other} are of different runs\n{what}")]
    OtherTerms {
        /// A journal.
        one: PathBuf,
        /// The other journal.
        other: PathBuf,
        /// The differences, in words.
        what: String,
    },
    /// A run has not reached the end of its inputs.
    #[error("{0} is not finished")]
    Unfinished(PathBuf),
    /// The journals belong to different inputs.
    #[error(
        "{one} and {other} are of different inputs: {}",
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
    /// A file is already at the path of the result.
    #[error("{0} is there already")]
    There(PathBuf),
    /// A record is in two journals.
    #[error("record {row} of {input} is in {one} and in {other}")]
    Doubled {
        /// The input.
        input: String,
        /// The record, from 1.
        row: u64,
        /// A journal.
        one: PathBuf,
        /// The other journal.
        other: PathBuf,
    },
    /// The run has no such column.
    #[error("the run has no column `{name}`; found: {}", found.join(", "))]
    NoColumn {
        /// The column.
        name: String,
        /// The columns of the run.
        found: Vec<String>,
    },
    /// Records are in no journal.
    #[error("{count} of {all} records are missing, the first is number {first}")]
    Missing {
        /// The number of missing records.
        count: u64,
        /// The number of all records.
        all: u64,
        /// The first missing record among all inputs, from 1.
        first: u64,
    },
}

impl Hints for MergeError {
    fn hints(&self) -> Vec<Hint> {
        vec![match self {
            Self::Journal(error) => return error.hints(),
            Self::Write(..) | Self::NoColumn { .. } => return Vec::new(),
            Self::OtherTerms { .. } => Hint::new("label both with the same flags and model"),
            Self::Unfinished(_) => {
                let again = "run the command that made it again, which continues where it stopped; or merge what there is with ";
                Hint::new(again).setting(Setting::Partial)
            }
            Self::OtherInputs { .. } => Hint::new("give each machine the same files, in the same order"),
            Self::There(_) => Hint::new("name another file with ").setting(Setting::Output),
            Self::Doubled { .. } => Hint::new("give each share once"),
            Self::Missing { .. } => {
                Hint::new("is a share not among the journals? ").setting(Setting::Partial).text(" merges what there is")
            }
        }]
    }
}
