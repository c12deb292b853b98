//! A record between the sender and the writer.

use std::sync::Arc;
use std::time::Duration;

use crate::content::Content;
use crate::digest::Hash;
use crate::label::journal::{Done, End, JournalError};
use crate::label::judge::{Judged, PendingVerdict};
use crate::label::memo::{Claim, Memo};
use crate::label::records::{Defect, Record};
use crate::label::row::Verdicts;

/// A message from the sender to the writer.
pub(super) enum Message<'run> {
    Slot(Box<Slot<'run>>),
    /// All records were read.
    End(End),
    Failed(Failure),
}

impl From<JournalError> for Message<'_> {
    fn from(error: JournalError) -> Self {
        Self::Failed(Failure::Journal(error))
    }
}

/// The reason why the sender ended early.
pub(super) enum Failure {
    Read(std::io::Error),
    Journal(JournalError),
}

/// A record, with its place and its digests.
pub(super) struct HashedRecord {
    pub number: u64,
    pub input: Arc<str>,
    pub row: u64,
    /// The digest of the record.
    pub digest: Hash,
    /// The digest of the text.
    pub hash: Hash,
    pub record: Record,
}

/// A record, and the verdicts that it waits for.
pub(super) struct Slot<'run> {
    pub record: HashedRecord,
    pub awaited: Awaited<'run>,
    /// The rows of an earlier run that are not lasting, such as those of a text without room.
    pub before: Option<Done>,
}

pub(super) enum Awaited<'run> {
    /// The verdict of each judge.
    Answers(Vec<Answer<'run>>),
    /// The verdicts on an equal text that is being judged.
    Equal(Content),
    /// Known: an equal text was judged before.
    Known(Verdicts),
    /// Known: there is no text to judge.
    Defect(Defect),
    /// Known: an earlier run has done the record.
    Past(Done),
}

pub(super) enum Answer<'run> {
    Waiting(PendingVerdict<'run>),
    Done(Box<Judged>),
}

impl Slot<'_> {
    /// Waits for the verdicts, at most for this time. Reports whether all of them are there.
    pub fn settle(&mut self, memo: &Memo, time: Duration) -> bool {
        match &mut self.awaited {
            Awaited::Answers(answers) => answers.iter_mut().all(|answer| match answer {
                Answer::Done(_) => true,
                Answer::Waiting(pending) => match pending.wait_for(time) {
                    Some(judged) => {
                        *answer = Answer::Done(Box::new(judged));
                        true
                    }
                    None => false,
                },
            }),
            Awaited::Equal(_) => match memo.claim(&self.record.hash, self.record.number) {
                // A record never waits for a later one, which may wait for its turn behind this one.
                Claim::Pending(holder) => holder > self.record.number,
                Claim::Known(verdicts) => {
                    self.awaited = Awaited::Known(verdicts);
                    true
                }
                // The other record failed, or its verdicts were forgotten. This record is judged itself.
                Claim::Unknown => true,
            },
            Awaited::Known(_) | Awaited::Defect(_) | Awaited::Past(_) => true,
        }
    }
}
