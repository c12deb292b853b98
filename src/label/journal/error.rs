//! Errors of journals.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::hint::{Hint, Hints, Setting};

/// The reason why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{path} cannot be used")]
    Io {
        /// The journal.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// Another process writes to it.
    #[error("{0} is in use: another process labels into it")]
    InUse(PathBuf),
    /// The file is not a journal.
    #[error("{0} is not a journal of magistrate, and is left as it is")]
    Foreign(PathBuf),
    /// A journal of another version of magistrate.
    #[error("{path} is a journal of format {version}, and this version of magistrate reads format {ours}")]
    Version {
        /// The journal.
        path: PathBuf,
        /// The version of its format.
        version: u64,
        /// The version that this build reads.
        ours: u64,
    },
    /// The file is not safe for texts.
    #[error("{path} {what}, so no texts are put into it")]
    NotOurs {
        /// The journal.
        path: PathBuf,
        /// The reason.
        what: &'static str,
    },
    /// A damaged line.
    #[error("{path}: line {line} is damaged")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A record with two rows in one pass.
    #[error("{path}: record {number} is there twice")]
    Doubled {
        /// The journal.
        path: PathBuf,
        /// The number of the record among all inputs, from 1.
        number: u64,
    },
    /// Its rows were made with other settings.
    #[error("{path}: this run was started with other settings\n{what}")]
    OtherTerms {
        /// The journal.
        path: PathBuf,
        /// The differences, a line for each.
        what: String,
    },
    /// The inputs have become shorter.
    #[error("{path}: the inputs have changed: {rows} of the records that were judged are no longer there")]
    Shorter {
        /// The journal.
        path: PathBuf,
        /// The number of its rows that have no record any more.
        rows: u64,
    },
    /// The inputs have changed.
    #[error("{path}: record {row} of {input} has changed since it was judged")]
    OtherInput {
        /// The journal.
        path: PathBuf,
        /// The input.
        input: Arc<str>,
        /// The record, from 1.
        row: u64,
    },
}

impl Hints for JournalError {
    fn hints(&self) -> Vec<Hint> {
        let another = |before: &'static str| Hint::new(before).text("name another file with ").setting(Setting::Output);
        let anew = |hint: Hint| hint.setting(Setting::Restart).text(" to begin anew");
        let aside = || Hint::of(Setting::Restart).text(" sets the journal aside and begins anew");
        match self {
            Self::Io { .. } => Vec::new(),
            Self::InUse(_) => vec![another("wait for it, or ")],
            Self::Foreign(_) => vec![another("")],
            Self::Version { .. } => {
                vec![anew(another("finish it with the version that began it, ").text(", or "))]
            }
            Self::NotOurs { .. } => vec![another("").text(", or remove it")],
            Self::Damaged { .. } | Self::Doubled { .. } => vec![aside()],
            Self::OtherTerms { .. } => vec![
                anew(another("give the same flags to continue it, ").text(", "))
                    .text(", or ")
                    .setting(Setting::Mix)
                    .text(" to continue it all the same"),
            ],
            Self::Shorter { .. } | Self::OtherInput { .. } => vec![anew(another("").text(", or "))],
        }
    }
}
