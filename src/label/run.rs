//! The run: records in at one end, rows out at the other, and only so many in between.
//!
//! The one idea: three hands pass each record on. One reads; one tokenizes and sends to the engine what is not known
//! yet; the last waits for verdicts and writes. The queues between them are bounded, so memory does not grow with the
//! input, and a slow reader at either end holds up the others and loses nothing.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::columns::{Clashes, Columns, Renamed};
use super::entry::Entry;
use super::journal::{DISORDER, Done, End, JournalError, Past};
use super::judge::{Chunking, Judged, Ticket};
use super::memo::{Claim, Memo, lasts};
use super::records::{Defect, Record};
use super::row::{self, Provenance, Row, Verdicts};
use super::shard::Shard;
use super::sink::Sink;
use super::source::Placed;
use super::summary::{Ended, Summary};
use crate::content::Content;
use crate::digest::{Digests, Hash};
use crate::engine::{Engine, EngineError, Pending, Session};

/// One policy of a run.
#[derive(Debug)]
pub struct Judge<'engine> {
    /// The policy, decoded.
    pub session: Session<'engine>,
    /// What its rows have in common.
    pub provenance: Provenance,
}

/// How a run is done.
#[derive(Debug, Default)]
pub struct Settings {
    /// How long contents are cut; refused if `None`.
    pub chunking: Option<Chunking>,
    /// Puts the raw reasoning into rows.
    pub reasoning: bool,
    /// Which of the input's columns go along; all if `None`.
    pub columns: Option<Vec<String>>,
    /// Leaves columns the names that they have, where they are not written beside ours.
    pub own_names: bool,
    /// Judges this share of the records alone.
    pub shard: Option<Shard>,
    /// Lets rows go as they are done, rather than in the order of the records.
    pub unordered: bool,
    /// Set to stop: no further record is taken, and those at work have [`GRACE`] to end.
    pub stop: Arc<AtomicBool>,
}

/// What is known before a record is judged.
#[derive(Debug)]
pub struct Known {
    /// What an earlier run has done.
    pub past: Past,
    /// What was said of texts.
    pub memo: Memo,
}

/// How long a stopped run waits for what is at work.
pub const GRACE: Duration = Duration::from_secs(5);

/// Records that are read ahead.
const AHEAD: usize = 8;

/// How often those who wait look whether the run is to stop.
const TICK: Duration = Duration::from_millis(50);

/// How often they look whether something is done that others wait for, too.
const MOMENT: Duration = Duration::from_millis(2);

/// What happens during a run.
#[derive(Debug)]
pub enum News<'run> {
    /// A record is done.
    Done(&'run Summary),
    /// A column of the input has another name in the output, from here on.
    Renamed(&'run Renamed),
    /// A record holds no text to judge.
    Defect(&'run Defect),
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The input cannot be read.
    #[error("the input cannot be read beyond row {0}")]
    Read(u64, #[source] io::Error),
    /// The output cannot be written.
    #[error("the output cannot be written beyond row {0}")]
    Write(u64, #[source] io::Error),
    /// The engine failed.
    #[error("the engine failed after row {0}")]
    Engine(u64, #[source] EngineError),
    /// The system refused a thread.
    #[error("a thread cannot be started\nhint: raise the limit on processes (ulimit -u, or the container's)")]
    Thread(#[source] io::Error),
    /// The journal of an earlier run, which cannot be continued.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Judges all records by all judges, and writes what comes of it.
///
/// # Errors
///
/// A [`RunError`]. What was done by then is written.
pub fn run(
    engine: &Engine,
    judges: &[Judge<'_>],
    source: impl Iterator<Item = io::Result<Placed>> + Send + 'static,
    settings: &Settings,
    known: Known,
    sink: &mut dyn Sink,
    tell: &mut dyn FnMut(News<'_>),
) -> Result<Summary, RunError> {
    // Whoever reads may never hear that the run is over: from a pipe that stays open there is no way back.
    let (take, taken) = sync_channel(AHEAD);
    let reader = thread::Builder::new().name("reader".to_owned()).spawn(move || {
        let all = source.into_iter().all(|record| take.send(Some(record)).is_ok());
        // Without this last word the reader has died.
        all && take.send(None).is_ok()
    });
    reader.map_err(RunError::Thread)?;

    let Known { mut past, memo } = known;
    let over = AtomicBool::new(false);
    let (send, slots) = sync_channel(engine.window());
    thread::scope(|scope| {
        let (over, memo) = (&over, &memo);
        let sender = Sender { engine, judges, settings, memo, over };
        let second = thread::Builder::new().name("sender".to_owned());
        second.spawn_scoped(scope, move || sender.run(&mut past, &taken, &send)).map_err(RunError::Thread)?;
        let clashes = Clashes::new(row::names(judges.iter().map(|judge| judge.provenance.policy())));
        let summary = Summary::default();
        let mut writer =
            Writer { sender, sink, tell, clashes, pending: VecDeque::new(), failure: None, stopped: None, summary };
        let done = writer.run(&slots);
        over.store(true, Ordering::Relaxed);
        // The second hand may wait for a place in the queue.
        drop(slots);
        // Whatever ended it: what is done goes out.
        let flushed = writer.sink.flush();
        let flushed = writer.written(flushed);
        done.and(flushed).map(|()| writer.summary)
    })
}

/// What the second hand passes on.
enum Passed<'run> {
    Slot(Box<Slot<'run>>),
    /// The end: all records were read.
    All(End),
    Failed(Failure),
}

impl From<JournalError> for Passed<'_> {
    fn from(error: JournalError) -> Self {
        Self::Failed(Failure::Journal(error))
    }
}

enum Failure {
    Read(io::Error),
    Journal(JournalError),
}

/// A record on its way: what is still needed of it, and what to wait for.
struct Slot<'run> {
    number: u64,
    input: Arc<str>,
    row: u64,
    /// The digest of the record.
    digest: Hash,
    hash: Hash,
    record: Record,
    awaited: Awaited<'run>,
    /// The verdicts of an earlier run that do not last, such as a text without room.
    before: Option<Done>,
}

enum Awaited<'run> {
    /// Verdicts, one of each judge.
    Trials(Vec<Trial<'run>>),
    /// Those of an equal text that is being judged.
    Same(Content),
    /// Nothing: an equal text was judged before.
    Known(Verdicts),
    /// Nothing: there is nothing to judge.
    Defect(Defect),
    /// Nothing: an earlier run has done it.
    Past(Done),
}

enum Trial<'run> {
    Waiting(Ticket<'run>),
    Done(Box<Judged>),
}

/// The second hand: sends each record's text to be judged, and the record on with what to wait for.
#[derive(Clone, Copy)]
struct Sender<'run> {
    engine: &'run Engine,
    judges: &'run [Judge<'run>],
    settings: &'run Settings,
    memo: &'run Memo,
    over: &'run AtomicBool,
}

impl<'run> Sender<'run> {
    fn run(self, past: &mut Past, taken: &Receiver<Option<io::Result<Placed>>>, send: &SyncSender<Passed<'run>>) {
        let mut inputs = Digests::default();
        while !self.is_over() {
            let passed = match taken.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => continue,
                Ok(None) => past.end().map_or_else(Passed::from, |()| Passed::All(std::mem::take(&mut inputs).into())),
                Ok(Some(Ok(placed))) => {
                    let digest = Hash::of_record(&placed.record);
                    inputs.add(&digest);
                    if self.settings.shard.is_some_and(|shard| !shard.has(&placed)) {
                        continue;
                    }
                    self.slot(past, placed, digest).map_or_else(Passed::from, |slot| Passed::Slot(Box::new(slot)))
                }
                Ok(Some(Err(error))) => Passed::Failed(Failure::Read(error)),
                Err(RecvTimeoutError::Disconnected) => {
                    Passed::Failed(Failure::Read(io::Error::other("whatever read it has failed")))
                }
            };
            let last = !matches!(passed, Passed::Slot(_));
            if self.is_over() || send.send(passed).is_err() || last {
                return;
            }
        }
    }

    fn slot(&self, past: &mut Past, placed: Placed, digest: Hash) -> Result<Slot<'run>, JournalError> {
        let content = placed.record.content.as_ref();
        let hash = Hash::of(content.map_or(placed.record.raw.as_slice(), |content| content.text().as_bytes()));
        let found = past.find(&placed, &digest)?;
        // Verdicts that do not last are judged again.
        let (done, before) = match found {
            Some(done) if lasts(&done.rows) => (Some(done), None),
            before => (None, before),
        };
        let Placed { input, number, row, mut record } = placed;
        let content = std::mem::replace(&mut record.content, Ok(Content::new("")));
        let awaited = match (done, content) {
            (Some(done), _) => {
                if past.alike {
                    self.memo.put_past(&hash, done.place);
                }
                Awaited::Past(done)
            }
            (None, Err(defect)) => Awaited::Defect(defect),
            (None, Ok(content)) => match self.memo.claim(&hash, number) {
                Claim::Known(verdicts) => Awaited::Known(verdicts),
                Claim::InWork(_) => Awaited::Same(content),
                Claim::Nothing => Awaited::Trials(self.submit(&content)),
            },
        };
        Ok(Slot { number, input, row, digest, hash, record, awaited, before })
    }

    fn submit(&self, content: &Content) -> Vec<Trial<'run>> {
        let ticket = |judge: &'run Judge<'run>| {
            Ticket::submit(self.engine, &judge.session, content, self.settings.chunking, |session, content| {
                self.try_send(session, content)
            })
        };
        self.judges.iter().map(|judge| Trial::Waiting(ticket(judge))).collect()
    }

    fn try_send(&self, session: &'run Session<'run>, content: &Content) -> Result<Pending<'run>, EngineError> {
        loop {
            match session.try_submit(content) {
                Err(EngineError::Overloaded { .. }) if !self.is_over() => thread::sleep(MOMENT),
                tried => return tried,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.settings.stop.load(Ordering::Relaxed)
    }
}

impl Slot<'_> {
    /// Waits for what it needs, but only so long. Whether all of it is there.
    fn settle(&mut self, memo: &Memo, time: Duration) -> bool {
        match &mut self.awaited {
            Awaited::Trials(trials) => trials.iter_mut().all(|trial| match trial {
                Trial::Done(_) => true,
                Trial::Waiting(ticket) => match ticket.wait_for(time) {
                    Some(judged) => {
                        *trial = Trial::Done(Box::new(judged));
                        true
                    }
                    None => false,
                },
            }),
            Awaited::Same(_) => match memo.claim(&self.hash, self.number) {
                // Nobody waits for who comes later: that one may be waiting for this one's turn.
                Claim::InWork(holder) => holder > self.number,
                Claim::Known(verdicts) => {
                    self.awaited = Awaited::Known(verdicts);
                    true
                }
                // It failed, or was forgotten. Now it is up to this one.
                Claim::Nothing => true,
            },
            Awaited::Known(_) | Awaited::Defect(_) | Awaited::Past(_) => true,
        }
    }
}

/// The last hand.
struct Writer<'run> {
    sender: Sender<'run>,
    sink: &'run mut dyn Sink,
    tell: &'run mut dyn FnMut(News<'_>),
    clashes: Clashes,
    /// Records that are taken and not written.
    pending: VecDeque<Slot<'run>>,
    /// What the second hand could not go on for. What it had passed on by then is written first.
    failure: Option<Failure>,
    /// When it was seen that the run is to stop.
    stopped: Option<Instant>,
    summary: Summary,
}

impl<'run> Writer<'run> {
    fn run(&mut self, slots: &Receiver<Passed<'run>>) -> Result<(), RunError> {
        let mut open = true;
        while self.summary.ended.is_none() {
            while open && self.has_room() {
                match slots.try_recv() {
                    Ok(passed) => self.take(passed),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => open = false,
                }
            }
            if let Some(slot) = self.settled() {
                self.finish(slot)?;
            } else if !self.pending.is_empty() {
                self.patiently(|writer, time| {
                    let time = if writer.sender.settings.unordered { time.min(MOMENT) } else { time };
                    writer.pending[0].settle(writer.sender.memo, time)
                });
            } else if open {
                self.patiently(|writer, time| match slots.recv_timeout(time) {
                    Ok(passed) => {
                        writer.take(passed);
                        true
                    }
                    Err(RecvTimeoutError::Timeout) => false,
                    Err(RecvTimeoutError::Disconnected) => {
                        open = false;
                        true
                    }
                });
            } else {
                break;
            }
        }
        if self.sender.settings.stop.load(Ordering::Relaxed) && self.summary.ended.is_none() {
            self.summary.ended = Some(Ended::Stopped);
        }
        if self.summary.ended.is_some() {
            self.summary.end = None;
        }
        match self.failure.take() {
            Some(Failure::Read(error)) => Err(RunError::Read(self.rows(), error)),
            Some(Failure::Journal(error)) => Err(RunError::Journal(error)),
            None => Ok(()),
        }
    }

    fn take(&mut self, passed: Passed<'run>) {
        match passed {
            Passed::Slot(slot) => self.pending.push_back(*slot),
            Passed::All(end) => self.summary.end = Some(end),
            Passed::Failed(why) => self.failure = Some(why),
        }
    }

    /// Whether another record may be taken. In order, one at a time: the queue holds the others.
    fn has_room(&self) -> bool {
        let Some(first) = self.pending.iter().map(|slot| slot.number).min() else { return true };
        self.sender.settings.unordered
            && self.pending.len() < self.sender.engine.window()
            // What comes next is at most so much further.
            && self.pending.back().is_none_or(|last| last.number < first + DISORDER / 2)
    }

    /// Takes out a record that has all that it needs: in order the first.
    fn settled(&mut self) -> Option<Slot<'run>> {
        let looked_at = if self.sender.settings.unordered { self.pending.len() } else { 1 };
        let memo = self.sender.memo;
        let at = self.pending.iter_mut().take(looked_at).position(|slot| slot.settle(memo, Duration::ZERO))?;
        self.pending.remove(at)
    }

    /// Waits for something as long as the run may take. Before waiting at all, hands out what is written.
    fn patiently(&mut self, mut wait: impl FnMut(&mut Self, Duration) -> bool) {
        if wait(self, Duration::ZERO) {
            return;
        }
        if self.sink.flush().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            self.summary.ended = Some(Ended::Closed);
            return;
        }
        wait(self, TICK);
        if self.stopped.is_none() && self.sender.settings.stop.load(Ordering::Relaxed) {
            self.stopped = Some(Instant::now());
        }
        if self.stopped.is_some_and(|since| since.elapsed() >= GRACE) {
            self.summary.ended = Some(Ended::Stopped);
        }
    }

    /// Writes a record that has all that it needs.
    fn finish(&mut self, slot: Slot<'run>) -> Result<(), RunError> {
        let Slot { number, input, row, digest, hash, mut record, awaited, before } = slot;
        let Sender { judges, settings, memo, .. } = self.sender;
        let mut judged = false;
        let verdicts = match awaited {
            Awaited::Past(done) => {
                self.resumed(&done, record.end);
                return Ok(());
            }
            Awaited::Known(verdicts) => {
                self.summary.reused += 1;
                verdicts
            }
            Awaited::Defect(defect) => {
                (self.tell)(News::Defect(&defect));
                Verdicts::new(judges.iter().map(|judge| judge.provenance.row_of_defect(&defect)).collect())
            }
            Awaited::Same(content) => {
                // Judged by itself after all, as the one before it came to nothing.
                let awaited = Awaited::Trials(self.sender.submit(&content));
                self.pending.push_front(Slot { number, input, row, digest, hash, record, awaited, before });
                return Ok(());
            }
            Awaited::Trials(trials) => {
                judged = true;
                let mut rows = Vec::with_capacity(judges.len());
                for (trial, judge) in trials.into_iter().zip(judges) {
                    let result = match trial {
                        Trial::Done(judged) => *judged,
                        Trial::Waiting(ticket) => ticket.wait(),
                    };
                    if let Err(error @ EngineError::Stopped) = result.result {
                        return Err(RunError::Engine(self.rows(), error));
                    }
                    rows.push(judge.provenance.row(&result, settings.reasoning));
                }
                Verdicts::new(rows)
            }
        };
        let Verdicts { rows, json } = verdicts;
        if let Some(done) = before.filter(|done| agree(&done.rows, &rows)) {
            // The journal's row already holds the same verdicts.
            memo.forget(&hash);
            self.resumed(&done, record.end);
            return Ok(());
        }
        let open = is_open(&record);
        let mut columns = std::mem::take(&mut record.columns);
        self.choose(&mut columns);
        let entry = Entry { number, input, row, record: digest, hash, open, id: record.id, verdicts: json, columns };
        let written = self.sink.put(&entry, &record.raw, &rows);
        if judged {
            match &written {
                Ok(written) if lasts(&rows) => memo.put(&hash, written.place, &entry.verdicts),
                _ => memo.forget(&hash),
            }
        }
        let closed = matches!(&written, Err(error) if error.kind() == ErrorKind::BrokenPipe);
        self.summary.written += written.as_ref().map_or(0, |written| written.rows);
        self.written(written.map(|_| ()))?;
        if closed {
            return Ok(());
        }
        self.summary.add(&rows, judged);
        self.summary.bytes = record.end;
        (self.tell)(News::Done(&self.summary));
        Ok(())
    }

    /// Counts a record that an earlier run has done.
    fn resumed(&mut self, done: &Done, end: u64) {
        self.summary.add(&done.rows, false);
        self.summary.resumed += 1;
        self.summary.bytes = end;
        (self.tell)(News::Done(&self.summary));
    }

    /// Leaves the columns that are wanted, under names that are not ours.
    fn choose(&mut self, columns: &mut Columns) {
        if let Some(wanted) = &self.sender.settings.columns {
            columns.0.retain(|(name, _)| wanted.contains(name));
        }
        if !self.sender.settings.own_names {
            for renamed in self.clashes.resolve(columns) {
                (self.tell)(News::Renamed(&renamed));
            }
        }
    }

    /// Sees whether something was written. That nobody reads it is an end, and no error.
    fn written(&mut self, result: io::Result<()>) -> Result<(), RunError> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.summary.ended = Some(Ended::Closed);
                Ok(())
            }
            done => done.map_err(|error| RunError::Write(self.rows(), error)),
        }
    }

    fn rows(&self) -> u64 {
        self.summary.rows()
    }
}

/// Reports whether the rows of a record have the same verdicts, or lack them for the same reasons.
fn agree(some: &[Row], others: &[Row]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| one.agrees(other))
}

/// Reports whether the input seems to end in the middle of a record: others may still be writing it.
fn is_open(record: &Record) -> bool {
    let unclosed = record.content.as_ref().is_err_and(|defect| defect.code == "unclosed-quote");
    unclosed || !record.raw.is_empty() && !record.raw.ends_with(b"\n")
}
