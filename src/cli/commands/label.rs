//! `label`: judges a stream of texts, one row each, or prints the texts with a wanted verdict, as grep does.
//!
//! The one idea: everything that can be refused is refused before the model is loaded. First come the flags, the
//! headers of the inputs and of the model, then the journal, then the weights.

mod dry_run;
mod flags;
mod journal_place;
mod prepared;
mod work;

use std::fs::File;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::calibration::terms::Terms;
use magistrate::label::export::{self, export_with};
use magistrate::label::journal::Past;
use magistrate::label::memo::Memo;
use magistrate::label::row::Printed;
use magistrate::label::sink::{Only, Reported, Rows, Sink};
use magistrate::label::source::Source;
use magistrate::label::summary::StopReason;

use self::flags::LabelFlags;
use self::journal_place::JournalPlace;
use self::prepared::{Kept, Prepared};
use self::work::{Defects, Work, direct};
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::summary::{Ending, Timed, finish};
use crate::cli::terminal::{output, progress};
use crate::cli::{devices, loading};

#[derive(Debug, Args)]
pub struct Label {
    #[command(flatten)]
    flags: LabelFlags,
}

impl Label {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.flags.schema {
            output::data(&format!("{:#}\n", schema()))?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.flags.judging.lists_devices() {
            return devices::list();
        }
        let mut run = Prepared::read(self.flags)?;
        let planned = loading::plan_for(&run.config, &run.policies, SEVERAL)?;
        let terms = planned.terms(&run.config, &run.policies);
        let kept = run.open_journal(&terms, &planned)?;
        if let Some((place, _)) = &kept
            && let Some(timed) = run.finished(&place.path)
        {
            return written(&run, place, timed);
        }

        let engine = loading::load_planned(&run.config, planned)?;
        let judges = loading::judges(&run.config, &engine, &run.policies)?;
        let source = std::mem::replace(&mut run.source, Source::none());
        if run.dry_run {
            return dry_run::run_sample(&engine, &judges, source, &run.settings, run.summary.as_deref());
        }
        let quiet = run.target.is_terminal();
        let work = Work {
            engine: &engine,
            judges: &judges,
            settings: &run.settings,
            form: &run.target.export.form,
            source,
            stop: run.stop.clone(),
            quiet,
        };
        match kept {
            Some(kept) => run_with_journal(&run, kept, work, &terms),
            None => run_directly(&run, work, &terms),
        }
    }
}

/// Runs, and writes each row at once.
fn run_directly(run: &Prepared, work: Work<'_>, terms: &Terms) -> Result<ExitCode, anyhow::Error> {
    let memo = run.memo.resolve(Memo::in_memory(), terms)?;
    let output = direct(run.target.file.as_deref())?;
    let mut report = run.target.report();
    let (mut sink, defects): (Box<dyn Sink>, _) = match run.only {
        Some(only) => {
            let sink = Only::new(output, only, work.source.header()).context("the output cannot be written")?;
            (Box::new(sink), Defects::Printed)
        }
        None => (Box::new(Rows { output, form: run.target.export.form.clone() }), Defects::InRows),
    };
    let summary = match &mut report {
        Some(report) => work.run(Past::none(), memo, &mut Reported { sink: &mut *sink, report }, defects)?,
        None => work.run(Past::none(), memo, &mut *sink, defects)?,
    };
    let outputs = run.target.write_report(report.as_ref())?.into_iter().collect();
    finish(&summary, Ending { only: run.only, file: run.summary.as_deref(), outputs, hint: None })
}

/// Runs, keeps the rows in a journal, and writes the output at the end.
fn run_with_journal(
    run: &Prepared,
    (place, (mut journal, past)): Kept,
    work: Work<'_>,
    terms: &Terms,
) -> Result<ExitCode, anyhow::Error> {
    let failed = || format!("{} cannot be used", place.path.display());
    let memo = run.memo.resolve(Memo::in_journal(File::open(&place.path).with_context(failed)?), terms)?;
    let done = work.run(past, memo, &mut journal, Defects::InRows).and_then(|timed| {
        if let Some(end) = timed.summary.end {
            journal.finish(end).with_context(failed)?;
        }
        Ok(timed)
    });
    done.map_err(|error| place.hinted(error)).and_then(|timed| written(run, &place, timed))
}

/// Writes the output of a run whose records are all done, and prints its summary.
fn written(run: &Prepared, place: &JournalPlace, mut timed: Timed) -> Result<ExitCode, anyhow::Error> {
    let mut outputs = Vec::new();
    if timed.summary.end.is_some() {
        let to = run.target.file.as_deref().map_or(export::Target::Stdout, export::Target::File);
        let mut report = run.target.report();
        let write = || export_with(&place.path, to, &run.target.export, report.as_mut());
        match progress::waiting("writing the output", write) {
            Err(error) if error.is_closed() => timed.summary.ended = Some(StopReason::Closed),
            made => outputs = made.map_err(|error| place.hinted(error.into()))?.files,
        }
        outputs.extend(run.target.write_report(report.as_ref())?);
    }
    finish(&timed, Ending { hint: place.saved(), file: run.summary.as_deref(), outputs, only: None })
}

/// Returns the schema of a row: the output of `check --json`, and the input's own columns.
fn schema() -> serde_json::Value {
    let mut schema = Printed::schema("magistrate label");
    let columns = "One line of the output. Columns of the input stand beside these; one that has the name of one of these \
        has `input_` before it.";
    schema.insert("description".to_owned(), columns.into());
    schema.to_value()
}
