//! A worker: a run over the lines of a client, which gets its rows while more lines may follow.
//!
//! A line of JSON is a record, and has a row as any record of a run. An empty line ends a batch. Rows come in the order of
//! the lines, and the end of a batch is answered after its rows: `{"done":2}`.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::entry::{Entry, OutputForm};
use super::journal::Past;
use super::judge::Judge;
use super::memo::Memo;
use super::records::{InputFormat, LARGEST, Record, RecordFields, Records};
use super::row::Row;
use super::run::{EarlierVerdicts, Run, RunError, Settings, run};
use super::sink::{Rows, Sink, Written};
use super::source::Placed;
use super::summary::Summary;
use crate::calibration::terms::Terms;
use crate::engine::Engine;

/// The version of the protocol.
const PROTOCOL: u32 = 1;

/// Lines that are read ahead.
const READ_AHEAD: usize = 8;

/// The interval at which a worker without lines looks for a stop.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// Returns the first line of a worker: the terms of its rows, which must be equal among the workers of one run. Beside
/// them are the number of texts that keep it busy, and the bytes of the CPU's and the GPUs' memory that it takes.
#[must_use]
pub fn greeting(terms: &Terms, window: usize, [cpu, gpu]: [u64; 2]) -> Value {
    json!({
        "worker": PROTOCOL,
        "version": env!("CARGO_PKG_VERSION"),
        "window": window,
        "memory": { "cpu": cpu, "gpu": gpu },
        "terms": terms,
    })
}

/// The engine of a worker, and the form of its rows.
#[derive(Debug)]
pub struct Worker<'run> {
    /// The engine that judges.
    pub engine: &'run Engine,
    /// The policies. Each text gets a row from each.
    pub judges: &'run [Judge<'run>],
    /// The settings of the run.
    pub settings: &'run Settings,
    /// The form of a row.
    pub form: OutputForm,
    /// Set to read no further line. Lines that were read by then are answered.
    pub stop: Arc<AtomicBool>,
}

impl Worker<'_> {
    /// Answers the lines of a client until they end, or until a stop.
    ///
    /// # Errors
    ///
    /// A [`RunError`]. Rows that were done by then are written.
    pub fn work(
        self,
        input: impl BufRead + Send + 'static,
        output: impl Write + Send + 'static,
    ) -> Result<Summary, RunError> {
        let Self { engine, judges, settings, form, stop } = self;
        // A client waits for its rows, not for a part of its line. So lines are read in a thread that may be left behind.
        let (send, lines) = sync_channel(READ_AHEAD);
        let stopped = Arc::clone(&stop);
        let reader = thread::Builder::new().name("lines".to_owned()).spawn(move || read_all(input, &send, &stopped));
        reader.map_err(RunError::Thread)?;

        let batches = Arc::new(Mutex::new(Batches::new(Rows { output, form })));
        let source =
            Lines { received: lines, stop, batches: Arc::clone(&batches), input: "stdin".into(), line: 0, records: 0 };
        let earlier = EarlierVerdicts { past: Past::none(), memo: Memo::in_memory() };
        run(Run { engine, judges, settings, earlier }, source, &mut Replies(batches), &mut |_| ())
    }
}

/// Sends all lines until a stop. One that is too large for a record is sent in pieces.
fn read_all(mut input: impl BufRead, send: &SyncSender<io::Result<Vec<u8>>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut line = Vec::new();
        let passed_on = match input.by_ref().take(LARGEST as u64 + 1).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => send.send(Ok(line)),
            Err(error) => {
                // It is the last message, and nobody may be left to read it.
                let _ = send.send(Err(error));
                return;
            }
        };
        if passed_on.is_err() {
            return;
        }
    }
}

/// The lines of a client as records.
struct Lines<W> {
    received: Receiver<io::Result<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    batches: Arc<Mutex<Batches<W>>>,
    input: Arc<str>,
    /// Lines that were taken.
    line: u64,
    /// Records among them.
    records: u64,
}

impl<W: Write> Lines<W> {
    /// Returns the next line. `None` at the end, and when a stop finds none that was read.
    fn next_line(&self) -> Option<io::Result<Vec<u8>>> {
        loop {
            let is_stopped = self.stop.load(Ordering::Relaxed);
            let time = if is_stopped { Duration::ZERO } else { STOP_INTERVAL };
            match self.received.recv_timeout(time) {
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if is_stopped => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Returns the record of a line. `None` if the line is empty.
    fn record(&self, mut line: Vec<u8>) -> io::Result<Option<Record>> {
        // The rest of a line that is too large follows.
        while line.len() > LARGEST && !line.ends_with(b"\n") {
            match self.next_line().transpose()? {
                Some(rest) if rest.ends_with(b"\n") => line.push(b'\n'),
                Some(_) => {}
                None => break,
            }
        }
        // Without tables a stream has no header that could be wrong.
        let records = Records::new(&line[..], InputFormat::Jsonl, RecordFields::default()).map_err(io::Error::other)?;
        let Some(mut record) = records.after(self.line - 1).next().transpose()? else { return Ok(None) };
        // A record of a file has a string or a number, and a client may have any value.
        if record.id.is_none() {
            record.id = record.columns.at("id").map(|found| found.value().to_owned());
        }
        Ok(Some(record))
    }
}

impl<W: Write> Iterator for Lines<W> {
    type Item = io::Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.next_line()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            self.line += 1;
            match self.record(line) {
                Ok(Some(record)) => {
                    self.records += 1;
                    let (input, number) = (Arc::clone(&self.input), self.records);
                    return Some(Ok(Placed { input, number, row: number, record }));
                }
                Ok(None) => {
                    // An output that is closed shows at the next row.
                    let _ = locked(&self.batches).end(self.records);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The rows of a client, and the batches whose end was read.
struct Batches<W> {
    rows: Rows<W>,
    /// Records that are written.
    written: u64,
    /// Records up to the end of each batch that is not answered yet.
    ends: VecDeque<u64>,
    /// Records up to the end of the last batch that was answered.
    answered: u64,
}

impl<W: Write> Batches<W> {
    fn new(rows: Rows<W>) -> Self {
        Self { rows, written: 0, ends: VecDeque::new(), answered: 0 }
    }

    /// Ends a batch after this many records.
    fn end(&mut self, records: u64) -> io::Result<()> {
        self.ends.push_back(records);
        self.answer()
    }

    /// Answers the batches whose rows are all written.
    fn answer(&mut self) -> io::Result<()> {
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= self.written) {
            self.ends.pop_front();
            writeln!(self.rows.output, "{}", json!({ "done": end - self.answered }))?;
            self.answered = end;
            self.rows.output.flush()?;
        }
        Ok(())
    }
}

/// The sink of a worker's run.
struct Replies<W>(Arc<Mutex<Batches<W>>>);

impl<W: Write> Sink for Replies<W> {
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        let mut batches = locked(&self.0);
        let written = batches.rows.put(entry, raw, rows)?;
        batches.written += 1;
        batches.answer()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        locked(&self.0).rows.flush()
    }
}

fn locked<T>(batches: &Mutex<T>) -> MutexGuard<'_, T> {
    batches.lock().unwrap_or_else(PoisonError::into_inner)
}
