//! The sender: sends each record's text to the engine, and the record to the writer.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use super::settings::Settings;
use super::slot::{Answer, Awaited, Failure, HashedRecord, Message, Slot};
use crate::content::Content;
use crate::digest::{Digests, Hash};
use crate::engine::{Engine, EngineError, Pending, Session};
use crate::label::journal::{JournalError, Past};
use crate::label::judge::{Judge, Submission};
use crate::label::memo::{Claim, Memo, is_lasting};
use crate::label::source::Placed;

/// The interval at which a waiting thread looks at the stop flag. A channel cannot be waited for together with a flag, and
/// a stop that is noticed within 50 ms is immediate for people.
pub(super) const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// The interval at which a thread looks again while several things can happen: room in the engine's queue or a stop here,
/// any of several verdicts in the writer. It is short beside the time of a verdict.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// The part of a run that the sender and the writer share.
#[derive(Clone, Copy)]
pub(super) struct Sender<'run> {
    pub engine: &'run Engine,
    pub judges: &'run [Judge<'run>],
    pub settings: &'run Settings,
    pub memo: &'run Memo,
    /// Set once the writer has ended.
    pub over: &'run AtomicBool,
}

impl<'run> Sender<'run> {
    pub fn run(self, past: &mut Past, taken: &Receiver<Option<io::Result<Placed>>>, send: &SyncSender<Message<'run>>) {
        let mut inputs = Digests::default();
        while !self.is_over() {
            let message = match taken.recv_timeout(STOP_INTERVAL) {
                Err(RecvTimeoutError::Timeout) => continue,
                Ok(None) => {
                    past.end().map_or_else(Message::from, |()| Message::End(std::mem::take(&mut inputs).into()))
                }
                Ok(Some(Ok(placed))) => {
                    let digest = Hash::of_record(&placed.record);
                    // Records of other shares count, too, so the journals of all shares have the same end.
                    inputs.add(&digest);
                    if self.settings.shard.is_some_and(|shard| !shard.has(&placed)) {
                        continue;
                    }
                    self.slot(past, placed, digest).map_or_else(Message::from, |slot| Message::Slot(Box::new(slot)))
                }
                Ok(Some(Err(error))) => Message::Failed(Failure::Read(error)),
                Err(RecvTimeoutError::Disconnected) => {
                    Message::Failed(Failure::Read(io::Error::other("the thread that reads it has failed")))
                }
            };
            let last = !matches!(message, Message::Slot(_));
            if self.is_over() || send.send(message).is_err() || last {
                return;
            }
        }
    }

    fn slot(&self, past: &mut Past, placed: Placed, digest: Hash) -> Result<Slot<'run>, JournalError> {
        let content = placed.record.content.as_ref();
        let hash = Hash::of(content.map_or(placed.record.raw.as_slice(), |content| content.text().as_bytes()));
        let found = past.find(&placed, &digest)?;
        // A record whose rows are not lasting is judged again.
        let (done, before) = match found {
            Some(done) if is_lasting(&done.rows) => (Some(done), None),
            before => (None, before),
        };
        let Placed { input, number, row, mut record } = placed;
        // The writer needs the text of a record only if it waits for an equal one.
        let content = std::mem::replace(&mut record.content, Ok(Content::new("")));
        let awaited = match (done, content) {
            (Some(done), _) => {
                // Under other terms, an equal text could get another verdict.
                if past.alike {
                    self.memo.put_past(&hash, done.place);
                }
                Awaited::Past(done)
            }
            (None, Err(defect)) => Awaited::Defect(defect),
            (None, Ok(content)) => match self.memo.claim(&hash, number) {
                Claim::Known(verdicts) => Awaited::Known(verdicts),
                Claim::Pending(_) => Awaited::Equal(content),
                Claim::Unknown => {
                    self.wait_for_room();
                    Awaited::Answers(self.submit(&content))
                }
            },
        };
        Ok(Slot { record: HashedRecord { number, input, row, digest, hash, record }, awaited, before })
    }

    /// Waits until the run may judge another text. Only the sender waits: the writer makes the room.
    fn wait_for_room(&self) {
        let Some(limit) = &self.settings.limit else { return };
        while self.settings.at_work.load(Ordering::Relaxed) >= limit.now() && !self.is_over() {
            thread::sleep(RETRY_INTERVAL);
        }
    }

    /// Sends a content to each judge.
    pub fn submit(&self, content: &Content) -> Vec<Answer<'run>> {
        let (engine, chunking) = (self.engine, self.settings.chunking);
        let submit = |judge: &'run Judge<'run>| {
            let submission = Submission { engine, session: &judge.session, content, chunking };
            Answer::Waiting(submission.submit(|session, content| self.try_send(session, content)))
        };
        self.settings.at_work.fetch_add(1, Ordering::Relaxed);
        self.judges.iter().map(submit).collect()
    }

    /// Sends a content once the engine's queue has room. `Session::submit` would block, and not see the run stop.
    fn try_send(&self, session: &'run Session<'run>, content: &Content) -> Result<Pending<'run>, EngineError> {
        loop {
            match session.try_submit(content) {
                Err(EngineError::Overloaded { .. }) if !self.is_over() => thread::sleep(RETRY_INTERVAL),
                tried => return tried,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.is_stopped()
    }

    /// Reports whether the run is to stop.
    pub fn is_stopped(&self) -> bool {
        self.settings.stop.load(Ordering::Relaxed)
    }
}
