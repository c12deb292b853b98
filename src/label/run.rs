//! The run: records in, rows out, with bounded queues between.
//!
//! Three threads pass each record on. The reader reads it. The sender tokenizes its text and sends it to the engine,
//! unless its verdict is known. The writer waits for the verdicts and writes the row. The queues are bounded, so memory
//! does not grow with the input, and a slow end holds up the others and loses nothing.

mod error;
mod send;
mod settings;
mod slot;
mod write;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::judge::Judge;
use super::sink::Sink;
use super::source::Placed;
use super::summary::Summary;
use crate::engine::Engine;
use send::Sender;
use write::Writer;

pub use error::RunError;
pub use settings::{EarlierVerdicts, Event, GRACE, Limit, Settings};

/// Records that are read ahead.
const READ_AHEAD: usize = 8;

/// A run, ready to start.
#[derive(Debug)]
pub struct Run<'run> {
    /// The engine that judges.
    pub engine: &'run Engine,
    /// The policies. Each record gets a row from each.
    pub judges: &'run [Judge<'run>],
    /// The settings.
    pub settings: &'run Settings,
    /// The verdicts that are known already.
    pub earlier: EarlierVerdicts,
}

/// Judges all records of a source, writes their rows into a sink and reports events.
///
/// # Errors
///
/// A [`RunError`]. Rows that were done by then are written.
pub fn run(
    run: Run<'_>,
    source: impl Iterator<Item = io::Result<Placed>> + Send + 'static,
    sink: &mut dyn Sink,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Summary, RunError> {
    // The reader is not joined: it may wait for ever on a pipe that stays open.
    let (take, taken) = sync_channel(READ_AHEAD);
    let reader = thread::Builder::new().name("reader".to_owned()).spawn(move || {
        let all = source.into_iter().all(|record| take.send(Some(record)).is_ok());
        // `None` ends the records. Without it the reader has panicked.
        all && take.send(None).is_ok()
    });
    reader.map_err(RunError::Thread)?;

    let Run { engine, judges, settings, earlier: EarlierVerdicts { mut past, memo } } = run;
    let over = AtomicBool::new(false);
    let (send, slots) = sync_channel(engine.window());
    thread::scope(|scope| {
        let sender = Sender { engine, judges, settings, memo: &memo, over: &over };
        let thread = thread::Builder::new().name("sender".to_owned());
        thread.spawn_scoped(scope, move || sender.run(&mut past, &taken, &send)).map_err(RunError::Thread)?;
        let mut writer = Writer::new(sender, sink, report);
        let done = writer.run(&slots);
        // The sender may wait for room in the engine's queue, where it sees only this flag.
        over.store(true, Ordering::Relaxed);
        // The sender may wait for a place in the queue.
        drop(slots);
        // Rows that are done are flushed, even after an error.
        let flushed = writer.flush();
        done.and(flushed).map(|()| writer.summary)
    })
}
