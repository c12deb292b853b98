//! The run: records in at one end, rows out at the other, in order, and only so many in between.
//!
//! The one idea: three hands pass each record on. One reads; one tokenizes and sends to the engine; the last waits for
//! verdicts in the order of the records and writes. The queues between them are bounded, so memory does not grow with
//! the input, and a slow reader at either end holds up the others and loses nothing.

use std::io::{self, BufRead, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;

use super::columns::{Clashes, Columns, Renamed};
use super::judge::{Chunking, Ticket};
use super::records::{Defect, Record, Records};
use super::row::{Printed, Provenance, Row};
use super::summary::{Ended, Standing, Summary};
use crate::content::Content;
use crate::engine::{Engine, EngineError, Session};

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
    /// Lets the records through that stand so, as they came in, rather than write rows.
    pub only: Option<Standing>,
    /// How long contents are cut; refused if `None`.
    pub chunking: Option<Chunking>,
    /// Puts the raw reasoning into rows.
    pub reasoning: bool,
    /// Set to stop: no further record is taken, and those at work have [`GRACE`] to end.
    pub stop: Arc<AtomicBool>,
}

/// How long a stopped run waits for what is at work.
pub const GRACE: Duration = Duration::from_secs(5);

/// Records that are read ahead.
const AHEAD: usize = 8;

/// How often those who wait look whether the run is to stop.
const TICK: Duration = Duration::from_millis(50);

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
}

/// Judges all records by all judges, and writes what comes of it.
///
/// # Errors
///
/// A [`RunError`]. What was done by then is written.
pub fn run<R: BufRead + Send + 'static>(
    engine: &Engine,
    judges: &[Judge<'_>],
    records: Records<R>,
    settings: &Settings,
    output: &mut dyn Write,
    tell: &mut dyn FnMut(News<'_>),
) -> Result<Summary, RunError> {
    let header = records.header().map(<[u8]>::to_vec);
    // Whoever reads may never hear that the run is over: from a pipe that stays open there is no way back.
    let (take, taken) = sync_channel(AHEAD);
    std::thread::spawn(move || records.into_iter().all(|record| take.send(record).is_ok()));

    let over = AtomicBool::new(false);
    let (send, slots) = sync_channel(engine.window());
    std::thread::scope(|scope| {
        let over = &over;
        scope.spawn(move || submit(engine, judges, settings, over, &taken, send));
        let clashes = clashes(judges);
        let mut writer = Writer { judges, settings, output, tell, clashes, stopped: None, summary: Summary::default() };
        let done = writer.run(header.as_deref(), slots);
        over.store(true, Ordering::Relaxed);
        // Whatever ended it: what is done goes out.
        let flushed = writer.output.flush();
        let flushed = writer.written(flushed);
        done.and(flushed).map(|()| writer.summary)
    })
}

/// A record on its way: what is still needed of it, and what to wait for.
struct Slot<'run> {
    id: Option<Box<RawValue>>,
    raw: Vec<u8>,
    end: u64,
    columns: Columns,
    awaited: Result<Vec<Ticket<'run>>, Defect>,
}

/// The second hand: sends each record's text to be judged, and the record on with what to wait for.
#[allow(clippy::needless_pass_by_value, reason = "dropping it tells the writer that no more will come")]
fn submit<'run>(
    engine: &Engine,
    judges: &'run [Judge<'run>],
    settings: &Settings,
    over: &AtomicBool,
    taken: &Receiver<io::Result<Record>>,
    send: SyncSender<io::Result<Slot<'run>>>,
) {
    let over = || over.load(Ordering::Relaxed) || settings.stop.load(Ordering::Relaxed);
    let try_send = |session: &'run Session<'run>, content: &Content| loop {
        match session.try_submit(content) {
            Err(EngineError::Overloaded { .. }) if !over() => std::thread::sleep(TICK / 25),
            tried => return tried,
        }
    };
    while !over() {
        let record = match taken.recv_timeout(TICK) {
            Ok(record) => record,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let slot = record.map(|Record { id, raw, end, columns, content, .. }| Slot {
            awaited: content.map(|content| {
                judges
                    .iter()
                    .map(|judge| Ticket::submit(engine, &judge.session, &content, settings.chunking, try_send))
                    .collect()
            }),
            raw: if settings.only.is_some() { raw } else { Vec::new() },
            id,
            end,
            columns,
        });
        if over() {
            return;
        }
        if send.send(slot).is_err() {
            return;
        }
    }
}

/// The names that rows use.
fn clashes(judges: &[Judge<'_>]) -> Clashes {
    let rows: Vec<Row> = judges.iter().map(|judge| judge.provenance.empty()).collect();
    let names = serde_json::to_value(Printed::new(&rows)).unwrap_or_default();
    Clashes::new(names.as_object().into_iter().flatten().map(|(name, _)| name.as_str()))
}

/// The last hand.
struct Writer<'run> {
    judges: &'run [Judge<'run>],
    settings: &'run Settings,
    output: &'run mut dyn Write,
    tell: &'run mut dyn FnMut(News<'_>),
    clashes: Clashes,
    /// When it was seen that the run is to stop.
    stopped: Option<Instant>,
    summary: Summary,
}

/// A row as it is written.
#[derive(Serialize)]
struct Line<'row> {
    #[serde(flatten)]
    printed: Printed<'row>,
    #[serde(flatten)]
    columns: &'row Columns,
}

impl Writer<'_> {
    #[allow(clippy::needless_pass_by_value, reason = "dropping it lets the sender go")]
    fn run(&mut self, header: Option<&[u8]>, slots: Receiver<io::Result<Slot<'_>>>) -> Result<(), RunError> {
        if let Some(header) = header.filter(|_| self.settings.only.is_some()) {
            let written = write_line(self.output, header);
            self.written(written)?;
        }
        while self.summary.ended.is_none() {
            let slot = match slots.try_recv().or_else(|_| self.patiently(|time| slots.recv_timeout(time).map_err(gone)))
            {
                Ok(Ok(slot)) => slot,
                Ok(Err(error)) => return Err(RunError::Read(self.rows(), error)),
                Err(_) => break,
            };
            self.finish(slot)?;
        }
        if self.settings.stop.load(Ordering::Relaxed) && self.summary.ended.is_none() {
            self.summary.ended = Some(Ended::Stopped);
        }
        Ok(())
    }

    /// Waits for something as long as the run may take. Before waiting at all, hands out what is written.
    fn patiently<T>(&mut self, mut wait: impl FnMut(Duration) -> Result<T, Waiting>) -> Result<T, Waiting> {
        let mut flushed = false;
        loop {
            match wait(if flushed { TICK } else { Duration::ZERO }) {
                Err(Waiting::NotYet) => {}
                done => return done,
            }
            if !flushed && self.output.flush().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
                self.summary.ended = Some(Ended::Closed);
                return Err(Waiting::Over);
            }
            flushed = true;
            if self.stopped.is_none() && self.settings.stop.load(Ordering::Relaxed) {
                self.stopped = Some(Instant::now());
            }
            if self.stopped.is_some_and(|since| since.elapsed() >= GRACE) {
                self.summary.ended = Some(Ended::Stopped);
                return Err(Waiting::Over);
            }
        }
    }

    /// Waits for a record's verdicts and writes it.
    fn finish(&mut self, Slot { id, raw, end, mut columns, awaited }: Slot<'_>) -> Result<(), RunError> {
        let mut rows = Vec::with_capacity(self.judges.len());
        match awaited {
            Err(defect) => {
                (self.tell)(News::Defect(&defect));
                rows.extend(self.judges.iter().map(|judge| judge.provenance.row_of_defect(&defect)));
            }
            Ok(tickets) => {
                for (mut ticket, judge) in tickets.into_iter().zip(self.judges) {
                    let waited = self.patiently(|time| ticket.wait_for(time).ok_or(Waiting::NotYet));
                    let Ok(judged) = waited else { return Ok(()) };
                    if let Err(error @ EngineError::Stopped) = judged.result {
                        return Err(RunError::Engine(self.rows(), error));
                    }
                    rows.push(judge.provenance.row(&judged, self.settings.reasoning));
                }
            }
        }
        for row in &mut rows {
            row.id.clone_from(&id);
        }
        let standing = Standing::of(&rows);
        let written = match self.settings.only {
            Some(only) if only == standing => write_line(self.output, &raw).map(|()| 1),
            Some(_) => Ok(0),
            None => {
                for renamed in self.clashes.resolve(&mut columns) {
                    (self.tell)(News::Renamed(&renamed));
                }
                let line = Line { printed: Printed::new(&rows), columns: &columns };
                serde_json::to_vec(&line)
                    .map_err(io::Error::from)
                    .and_then(|line| write_line(self.output, &line))
                    .map(|()| 1)
            }
        };
        let closed = matches!(&written, Err(error) if error.kind() == ErrorKind::BrokenPipe);
        self.summary.written += *written.as_ref().unwrap_or(&0);
        self.written(written.map(|_| ()))?;
        if closed {
            return Ok(());
        }
        *self.summary.standing.entry(standing).or_default() += 1;
        if standing == Standing::Undecided {
            let reason = rows.iter().find_map(|row| row.error.as_ref()).map_or("unresolved", |error| error.code);
            *self.summary.reasons.entry(reason).or_default() += 1;
        }
        for cascade in rows.iter().filter_map(|row| row.cascade) {
            self.summary.cascaded += 1;
            self.summary.escalated += u64::from(cascade.escalated);
        }
        self.summary.bytes = end;
        (self.tell)(News::Done(&self.summary));
        Ok(())
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

/// Why what is waited for is not there.
enum Waiting {
    NotYet,
    /// It will not come, or the run is over.
    Over,
}

fn gone(error: RecvTimeoutError) -> Waiting {
    match error {
        RecvTimeoutError::Timeout => Waiting::NotYet,
        RecvTimeoutError::Disconnected => Waiting::Over,
    }
}

fn write_line(output: &mut dyn Write, line: &[u8]) -> io::Result<()> {
    output.write_all(line)?;
    if line.ends_with(b"\n") { Ok(()) } else { output.write_all(b"\n") }
}
