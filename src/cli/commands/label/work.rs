//! The work of a run, with progress and messages on the terminal.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use magistrate::engine::Engine;
use magistrate::files;
use magistrate::label::entry::OutputForm;
use magistrate::label::journal::Past;
use magistrate::label::judge::Judge;
use magistrate::label::memo::Memo;
use magistrate::label::run::{EarlierVerdicts, Event, Run, Settings, run};
use magistrate::label::sink::Sink;
use magistrate::label::source::Source;

use crate::cli::terminal::progress::Total;
use crate::cli::terminal::stop::Stop;
use crate::cli::terminal::summary::Timed;
use crate::cli::terminal::{output, progress};

/// Opens the destination of rows that are not kept.
pub fn direct(file: Option<&Path>) -> Result<Box<dyn Write>, anyhow::Error> {
    Ok(match file {
        None => Box::new(BufWriter::new(std::io::stdout())),
        Some(path) => {
            // A file that was put there meanwhile is not cut.
            let file = if files::is_stream(path) {
                files::stream(path)
            } else {
                File::options().append(true).create(true).open(path)
            };
            Box::new(BufWriter::new(file.with_context(|| format!("{} cannot be written", path.display()))?))
        }
    })
}

/// The work of a run: the records, their judges and the settings.
pub struct Work<'run> {
    pub engine: &'run Engine,
    pub judges: &'run [Judge<'run>],
    pub settings: &'run Settings,
    /// The form of the rows.
    pub form: &'run OutputForm,
    pub source: Source,
    pub stop: Stop,
    /// The user looks at the rows: no bar between them.
    pub quiet: bool,
}

/// The way in which a record without a text to judge is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Defects {
    InRows,
    /// A warning is printed, because there are no rows.
    Printed,
}

impl Work<'_> {
    /// Runs. Writes each row to the sink.
    pub fn run(self, past: Past, memo: Memo, sink: &mut dyn Sink, defects: Defects) -> Result<Timed, anyhow::Error> {
        let Self { engine, judges, settings, form, source, stop, quiet } = self;
        let name = match source.inputs() {
            [one] => one.name.to_string(),
            several => format!("{} inputs", several.len()),
        };
        let mut reporter =
            Reporter { bar: progress::Rows::new(total(&source), stop, quiet), form, defects, printed: 0 };
        let begun = Instant::now();
        let earlier = EarlierVerdicts { past, memo };
        let done = run(Run { engine, judges, settings, earlier }, source, sink, &mut |event| reporter.report(&event));
        reporter.bar.clear();
        let summary = done.with_context(|| name)?;
        Ok(Timed { summary, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// Returns the number of rows that a run will have. Another thread counts them while the run is at work.
fn total(source: &Source) -> Total {
    let (bytes, count) = (source.size(), source.counter());
    if bytes.is_none() && count.is_none() {
        return Total::Unknown;
    }
    let counted = Arc::new(AtomicU64::new(0));
    if let Some(count) = count {
        let rows = Arc::clone(&counted);
        let thread = thread::Builder::new().name("counter".to_owned());
        // Without a thread the number stays an estimate.
        drop(thread.spawn(move || rows.store(count().unwrap_or(0), Ordering::Relaxed)));
    }
    Total::Counted(counted, bytes.unwrap_or(0))
}

/// Prints events of a run, without disturbing the bar.
struct Reporter<'run> {
    bar: progress::Rows,
    form: &'run OutputForm,
    defects: Defects,
    printed: u32,
}

impl Reporter<'_> {
    fn report(&mut self, event: &Event<'_>) {
        const SHOWN: u32 = 5;
        match event {
            Event::Done(summary) => self.bar.show(summary),
            Event::Renamed(renamed) if self.defects == Defects::InRows && self.form.keeps(&renamed.to) => {
                let text = format!("note: the input's column `{}` is `{}` in the output", renamed.from, renamed.to);
                self.bar.aside(|| output::message(&text));
            }
            Event::Defect(defect) if self.defects == Defects::Printed => {
                self.printed += 1;
                let text = match self.printed {
                    0..=SHOWN => format!("warning: {defect}"),
                    _ if self.printed == SHOWN + 1 => "warning: and more; the count comes at the end".to_owned(),
                    _ => return,
                };
                self.bar.aside(|| output::message(&text));
            }
            Event::Defect(_) | Event::Renamed(_) => {}
        }
    }
}
