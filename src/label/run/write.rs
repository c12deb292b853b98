//! The writer: waits for the verdicts on each record, and writes its row.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::error::RunError;
use super::send::{RETRY_INTERVAL, STOP_INTERVAL, Sender};
use super::settings::{Event, GRACE};
use super::slot::{Answer, Awaited, Failure, HashedRecord, Message, Slot};
use crate::engine::EngineError;
use crate::label::columns::{ColumnRenamer, Columns};
use crate::label::entry::Entry;
use crate::label::journal::{self, Done};
use crate::label::memo::is_lasting;
use crate::label::records::Record;
use crate::label::row::{self, Row, Verdicts};
use crate::label::sink::Sink;
use crate::label::summary::{StopReason, Summary};

pub(super) struct Writer<'run> {
    sender: Sender<'run>,
    sink: &'run mut dyn Sink,
    report: &'run mut dyn FnMut(Event<'_>),
    renamer: ColumnRenamer,
    /// Records that are taken and not written.
    pending: VecDeque<Slot<'run>>,
    /// The sender's failure. Records that it sent before are written first.
    failure: Option<Failure>,
    /// The time at which the stop was noticed.
    stopped: Option<Instant>,
    pub summary: Summary,
}

impl<'run> Writer<'run> {
    pub fn new(sender: Sender<'run>, sink: &'run mut dyn Sink, report: &'run mut dyn FnMut(Event<'_>)) -> Self {
        let policies = sender.judges.iter().map(|judge| judge.provenance.policy());
        Self {
            renamer: ColumnRenamer::new(row::names(policies)),
            sender,
            sink,
            report,
            pending: VecDeque::new(),
            failure: None,
            stopped: None,
            summary: Summary::default(),
        }
    }

    pub fn run(&mut self, slots: &Receiver<Message<'run>>) -> Result<(), RunError> {
        let mut open = true;
        while self.summary.ended.is_none() {
            while open && self.has_room() {
                match slots.try_recv() {
                    Ok(message) => self.take(message),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => open = false,
                }
            }
            if let Some(slot) = self.settled() {
                self.finish(slot)?;
            } else if !self.pending.is_empty() {
                self.wait(|writer, time| {
                    // Out of order, another record may be done before the first.
                    let time = if writer.sender.settings.unordered { time.min(RETRY_INTERVAL) } else { time };
                    writer.pending[0].settle(writer.sender.memo, time)
                });
            } else if open {
                self.wait(|writer, time| match slots.recv_timeout(time) {
                    Ok(message) => {
                        writer.take(message);
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
        if self.sender.is_stopped() && self.summary.ended.is_none() {
            self.summary.ended = Some(StopReason::Stopped);
        }
        // The sender can reach the end of the inputs before the rows are written.
        if self.summary.ended.is_some() {
            self.summary.end = None;
        }
        match self.failure.take() {
            Some(Failure::Read(error)) => Err(RunError::Read(self.rows(), error)),
            Some(Failure::Journal(error)) => Err(RunError::Journal(error)),
            None => Ok(()),
        }
    }

    /// Flushes the sink.
    pub fn flush(&mut self) -> Result<(), RunError> {
        let flushed = self.sink.flush();
        self.check(flushed)
    }

    fn take(&mut self, message: Message<'run>) {
        match message {
            Message::Slot(slot) => self.pending.push_back(*slot),
            Message::End(end) => self.summary.end = Some(end),
            Message::Failed(why) => self.failure = Some(why),
        }
    }

    /// Reports whether another record may be taken. In order, only one: the queue holds the others.
    fn has_room(&self) -> bool {
        let Some(first) = self.pending.iter().map(|slot| slot.record.number).min() else { return true };
        self.sender.settings.unordered
            && self.pending.len() < self.sender.engine.window()
            && self.pending.back().is_none_or(|last| journal::can_precede(last.record.number, first))
    }

    /// Takes out a record that has all its verdicts; in order, the first.
    fn settled(&mut self) -> Option<Slot<'run>> {
        let candidates = if self.sender.settings.unordered { self.pending.len() } else { 1 };
        let memo = self.sender.memo;
        let at = self.pending.iter_mut().take(candidates).position(|slot| slot.settle(memo, Duration::ZERO))?;
        self.pending.remove(at)
    }

    /// Waits until `wait` reports success, or for the interval of stops. Rows are flushed first, so that a reader of the
    /// output is not kept waiting.
    fn wait(&mut self, mut wait: impl FnMut(&mut Self, Duration) -> bool) {
        if wait(self, Duration::ZERO) {
            return;
        }
        if self.sink.flush().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            self.summary.ended = Some(StopReason::Closed);
            return;
        }
        wait(self, STOP_INTERVAL);
        if self.stopped.is_none() && self.sender.is_stopped() {
            self.stopped = Some(Instant::now());
        }
        if self.stopped.is_some_and(|since| since.elapsed() >= GRACE) {
            self.summary.ended = Some(StopReason::Stopped);
        }
    }

    /// Writes a record that has all its verdicts.
    fn finish(&mut self, mut slot: Slot<'run>) -> Result<(), RunError> {
        let Sender { judges, .. } = self.sender;
        let (mut judged, end) = (false, slot.record.record.end);
        let verdicts = match slot.awaited {
            Awaited::Past(done) => {
                self.resumed(&done, end);
                return Ok(());
            }
            Awaited::Known(verdicts) => {
                self.summary.reused += 1;
                verdicts
            }
            Awaited::Defect(defect) => {
                (self.report)(Event::Defect(&defect));
                Verdicts::new(judges.iter().map(|judge| judge.provenance.row_of_defect(&defect)).collect())
            }
            Awaited::Equal(content) => {
                // The equal text before it got no lasting verdict, so this one is judged itself.
                slot.awaited = Awaited::Answers(self.sender.submit(&content));
                // In order, the record is still the next to be written.
                self.pending.push_front(slot);
                return Ok(());
            }
            Awaited::Answers(answers) => {
                judged = true;
                self.sender.settings.at_work.fetch_sub(1, Ordering::Relaxed);
                Verdicts::new(self.judged(answers)?)
            }
        };
        self.write(slot.record, slot.before, verdicts, judged)
    }

    /// Returns the rows of a record from the answers of all judges.
    fn judged(&self, answers: Vec<Answer<'run>>) -> Result<Vec<Row>, RunError> {
        let Sender { judges, settings, .. } = self.sender;
        let mut rows = Vec::with_capacity(judges.len());
        for (answer, judge) in answers.into_iter().zip(judges) {
            let judged = match answer {
                Answer::Done(judged) => *judged,
                Answer::Waiting(pending) => pending.wait(),
            };
            if let Err(error @ EngineError::Stopped) = judged.result {
                return Err(RunError::Engine(self.rows(), error));
            }
            rows.push(judge.provenance.row(&judged, settings.reasoning));
        }
        Ok(rows)
    }

    /// Writes the rows of a record. `judged` says that this run judged it.
    fn write(
        &mut self,
        record: HashedRecord,
        before: Option<Done>,
        verdicts: Verdicts,
        judged: bool,
    ) -> Result<(), RunError> {
        let HashedRecord { number, input, row, digest, hash, mut record } = record;
        let Verdicts { rows, json } = verdicts;
        let memo = self.sender.memo;
        if let Some(done) = before.filter(|done| agree(&done.rows, &rows)) {
            // The journal's row already has the same verdicts.
            memo.forget(&hash);
            self.resumed(&done, record.end);
            return Ok(());
        }
        let open = is_open(&record);
        let mut columns = std::mem::take(&mut record.columns);
        self.rename(&mut columns);
        let entry = Entry { number, input, row, record: digest, hash, open, id: record.id, verdicts: json, columns };
        let written = self.sink.put(&entry, &record.raw, &rows);
        if judged {
            match &written {
                Ok(written) if is_lasting(&rows) => memo.put(&hash, written.place, &entry.verdicts),
                // Equal texts wait while a claim is open, so it ends even if the row is not kept.
                _ => memo.forget(&hash),
            }
        }
        let closed = matches!(&written, Err(error) if error.kind() == ErrorKind::BrokenPipe);
        self.summary.written += written.as_ref().map_or(0, |written| written.rows);
        self.check(written.map(|_| ()))?;
        if closed {
            return Ok(());
        }
        self.summary.add(&rows, judged);
        self.summary.bytes = record.end;
        (self.report)(Event::Done(&self.summary));
        Ok(())
    }

    /// Counts a record that an earlier run has done.
    fn resumed(&mut self, done: &Done, end: u64) {
        self.summary.add(&done.rows, false);
        self.summary.resumed += 1;
        self.summary.bytes = end;
        (self.report)(Event::Done(&self.summary));
    }

    /// Renames columns that clash with names of a row.
    fn rename(&mut self, columns: &mut Columns) {
        if !self.sender.settings.own_names {
            for renamed in self.renamer.rename(columns) {
                (self.report)(Event::Renamed(&renamed));
            }
        }
    }

    /// Checks a write. A closed pipe ends the run and is no error.
    fn check(&mut self, result: io::Result<()>) -> Result<(), RunError> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.summary.ended = Some(StopReason::Closed);
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

/// Reports whether the input seems to end in the middle of a record, as another program may still be writing it.
fn is_open(record: &Record) -> bool {
    let unclosed =
        record.content.as_ref().is_err_and(|defect| matches!(defect.code, "unclosed-quote" | "unclosed-array"));
    unclosed || !record.raw.is_empty() && !record.raw.ends_with(b"\n")
}
