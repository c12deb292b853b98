//! The work of batches, on a thread of its own: each is a run of `label` with a journal.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::folder::now;
use super::objects::{BatchError, BatchErrors, BatchRecord, BatchStatus, FileObject, FileRecord, RequestCounts};
use super::results::{Answers, Results};
use super::{Batches, head, requests};
use crate::calibration::terms::Terms;
use crate::engine::Engine;
use crate::label::config::{COLUMNS_TO_JUDGE, RunConfig, policy_ids};
use crate::label::entry::{Entry, OutputForm};
use crate::label::journal::{self, Existing, Journal};
use crate::label::judge::Judge;
use crate::label::memo::Memo;
use crate::label::records::MODERATIONS;
use crate::label::row::{Row, RowVerdict};
use crate::label::run::{EarlierVerdicts, Event, Run, RunError, Settings, run};
use crate::label::sink::{Sink, Written};
use crate::policy::Policy;
use crate::serve::api_error::ApiError;
use crate::serve::audit;
use crate::serve::judges::Message;
use crate::serve::judging::Question;
use crate::serve::state::State;

/// Batches take this part of the engine's places: a quarter.
const SHARE: usize = 4;

/// Reads the requests of a new batch, and has it judged. It takes as long as the file is large.
pub fn begin(state: &Arc<State>, id: &str) {
    validate(state, id);
    start(state);
}

/// Goes on with the batches that an earlier server has left.
pub fn resume(state: &Arc<State>) {
    let Some(batches) = &state.batches else { return };
    let unread = batches.lock().unread();
    for id in &unread {
        validate(state, id);
    }
    start(state);
}

/// Reads the requests of a batch. It is then in progress, or failed.
fn validate(state: &State, id: &str) {
    let Some(batches) = &state.batches else { return };
    let Some(record) = batches.lock().batches.get(id).map(|kept| kept.record.clone()) else { return };
    let done = match validated(state, batches, &record) {
        Ok((requests, named)) => batches.change(id, |record| {
            let model = requests.head.get("model").and_then(|model| model.as_str()).map(str::to_owned);
            record.batch.model = model.or_else(|| named.first().cloned());
            record.batch.request_counts = RequestCounts { total: requests.total, ..RequestCounts::default() };
            (record.head, record.policies) = (requests.head, named);
            record.batch.moves_to(BatchStatus::InProgress, now());
        }),
        Err(errors) => batches.fail(id, BatchErrors::new(errors)),
    };
    // On a full disk the batch stays unread, and the next start reads it.
    drop(done);
}

/// Returns the requests of a batch, and the full names of its policies.
fn validated(
    state: &State,
    batches: &Batches,
    record: &BatchRecord,
) -> Result<(requests::Requests, Vec<String>), Vec<BatchError>> {
    let batch = &record.batch;
    let unreadable = |_| vec![BatchError::new("unreadable", "the file cannot be read")];
    let source =
        requests::open(batches.folder.content(&batch.input_file_id), &batch.input_file_id).map_err(unreadable)?;
    let requests = requests::read(source, &batch.endpoint)?;
    let question = head::question(state, &batch.endpoint, &requests.head, batch.metadata.as_ref(), &[]);
    let question = question.map_err(|error| vec![BatchError { line: Some(1), ..of_api(error) }])?;
    let named = question.policies.iter().filter(|served| served.is_named).map(|served| served.full_name());
    Ok((requests, named.collect()))
}

fn of_api(error: ApiError) -> BatchError {
    BatchError { param: error.param, ..BatchError::new(error.code, error.message) }
}

/// A thread that judges batches. If it ends otherwise than for lack of batches, another can begin.
struct Working(Option<Arc<State>>);

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(batches) = self.0.as_ref().and_then(|state| state.batches.as_ref()) {
            batches.lock().is_working = false;
        }
    }
}

/// Begins to judge the batches, unless a thread does so already.
pub fn start(state: &Arc<State>) {
    let Some(batches) = &state.batches else { return };
    {
        let mut inner = batches.lock();
        if inner.is_working || inner.next().is_none() || batches.ending.load(Ordering::Relaxed) {
            return;
        }
        inner.is_working = true;
    }
    let working = Working(Some(Arc::clone(state)));
    // If the server ends, the work is dropped, and `working` with it.
    let _ = state.messages.send(Message::Work(Box::new(move |engine| judge_all(engine, working))));
}

/// Judges one batch after the other, until the last one.
fn judge_all(engine: &Engine, mut working: Working) {
    let Some(state) = working.0.clone() else { return };
    let Some(batches) = &state.batches else { return };
    while let Some((record, stop)) = batches.next() {
        if !judge_and_end(engine, &state, batches, &record, &stop) {
            return;
        }
    }
    // Another thread may have begun already.
    working.0 = None;
}

/// Judges a batch, and writes its results. Returns false if the batch stays open: the server ends, or the disk is full.
fn judge_and_end(
    engine: &Engine,
    state: &State,
    batches: &Batches,
    record: &BatchRecord,
    stop: &Arc<AtomicBool>,
) -> bool {
    let id = &record.batch.id;
    if record.batch.status == BatchStatus::InProgress {
        let judging = || judge(engine, state, batches, record, stop);
        let fault = |_| Err(BatchError::new("fault", "the server has a fault in batches; please report it"));
        match catch_unwind(AssertUnwindSafe(judging)).unwrap_or_else(fault) {
            // A cancellation that came after the last request changes nothing about the results.
            Ok(true) => drop(batches.change(id, |record| _ = record.batch.moves_to(BatchStatus::Finalizing, now()))),
            Ok(false) if batches.ending.load(Ordering::Relaxed) => return false,
            Ok(false) => {}
            Err(error) => {
                // The rows that are done are worth having.
                let written = write_results(state, batches, record);
                let failed = batches.fail(id, BatchErrors::new(vec![error]));
                return written.is_ok() && failed.is_ok();
            }
        }
    }
    if let Err(error) = write_results(state, batches, record) {
        let message = format!("the results cannot be written: {}", error.kind());
        return batches.fail(id, BatchErrors::new(vec![BatchError::new("storage", message)])).is_ok();
    }
    let ended = batches.change(id, |record| {
        let moved = record.batch.moves_to(BatchStatus::Completed, now());
        if !moved {
            record.batch.moves_to(BatchStatus::Cancelled, now());
        }
    });
    if ended.is_ok() {
        // Its rows are in the results.
        let _ = fs::remove_file(batches.folder.journal(id));
    }
    ended.is_ok()
}

/// Judges the requests of a batch that are not done. Returns true if all of them are done, and false if it was stopped.
fn judge(
    engine: &Engine,
    state: &State,
    batches: &Batches,
    record: &BatchRecord,
    stop: &Arc<AtomicBool>,
) -> Result<bool, BatchError> {
    let failed = |error: &dyn std::fmt::Display| BatchError::new("stopped", error.to_string());
    let batch = &record.batch;
    let question = question(state, record).map_err(of_api)?;
    let policies: Vec<Policy> = question.policies.iter().map(|served| served.policy.clone()).collect();
    let config = config(state, &question);
    let judges = policies.iter().map(|policy| config.judge(engine, policy, &mut |_, _| ()));
    let judges: Vec<Judge<'_>> = judges.collect::<Result<_, _>>().map_err(|error| failed(&error))?;

    let source = requests::open(batches.folder.content(&batch.input_file_id), &batch.input_file_id);
    let source = source.map_err(|error| failed(&error))?;
    let mut terms: Terms = config.terms(engine.model(), engine.config(), &policies);
    terms.0.insert(COLUMNS_TO_JUDGE.to_owned(), source.reading());
    let path = batches.folder.journal(&batch.id);
    let (journal, past) = Journal::open(&path, &terms, Existing::Resume).map_err(|error| match error {
        journal::JournalError::OtherTerms { what, .. } => BatchError::new(
            "settings_changed",
            format!("the server judges otherwise than when the batch began:\n{what}"),
        ),
        error => failed(&error),
    })?;
    let memo = Memo::in_journal(File::open(&path).map_err(|error| failed(&error))?);

    // A text of another request shares each step of the engine with these, so they are a part of what it could take.
    let most = (engine.config().parallel / SHARE / judges.len().max(1)).max(2);
    let settings = Settings::default()
        .with_chunking(config.chunking)
        .with_reasoning(config.reasoning)
        .with_own_names(true)
        .with_unordered(true)
        .with_stop(Arc::clone(stop))
        .with_most_at_work(Some(most));
    let head = record.head.clone();
    let source = source.map(move |placed| placed.map(|placed| requests::alike(placed, &head)));
    let mut sink = Recorded { journal, state, record, question: &question };
    let total = batch.request_counts.total;
    let mut report = |event: Event<'_>| {
        if let Event::Done(summary) = event {
            let failed = summary.of(RowVerdict::Undecided);
            batches.count(&batch.id, RequestCounts { total, completed: summary.rows() - failed, failed });
        }
    };
    let work = Run { engine, judges: &judges, settings: &settings, earlier: EarlierVerdicts { past, memo } };
    match run(work, source, &mut sink, &mut report) {
        Ok(summary) => match summary.end {
            Some(end) => sink.journal.finish(end).map(|()| true).map_err(|error| failed(&error)),
            None => Ok(false),
        },
        Err(RunError::Engine(..)) => {
            // The server ends, and the batch goes on at its next start.
            state.engine_has_ended();
            batches.stop();
            Ok(false)
        }
        Err(error) => Err(failed(&error)),
    }
}

fn question(state: &State, record: &BatchRecord) -> Result<Question, ApiError> {
    let BatchRecord { batch, head, policies, .. } = record;
    head::question(state, &batch.endpoint, head, batch.metadata.as_ref(), policies)
}

/// Returns the settings of a run that asks this question.
fn config(state: &State, question: &Question) -> RunConfig {
    let mut config = state.config.clone();
    config.options = question.options.session.clone();
    config.chunking = question.options.chunking;
    config.certificate.clone_from(&question.options.certificate);
    config.reasoning = question.reasoning;
    config.fields.clone_from(&question.fields);
    config
}

/// Writes the files of results, if a row is done, and notes them in the batch.
fn write_results(state: &State, batches: &Batches, record: &BatchRecord) -> io::Result<()> {
    let id = &record.batch.id;
    let path = batches.folder.journal(id);
    let Ok(terms) = journal::terms(&path) else { return Ok(()) };
    // A policy may have changed since. The rows are then shown as they are.
    let question = question(state, record).ok();
    let fields = question.as_ref().and_then(|question| question.fields.clone());
    let form = OutputForm { policies: policy_ids(&terms), fields, columns: None };
    let model = state.model().map_or("", |model| model.name.as_str());
    let moderating =
        question.filter(|_| record.batch.endpoint == MODERATIONS).map(|question| (model, question.policies));
    let writing = Answers { batch: id, form, moderating };
    let mut answers = Results::new(batches.folder.draft(&record.output)?)?;
    let mut errors = Results::new(batches.folder.draft(&record.errors)?)?;
    let (completed, failed) = writing.write(&path, &mut answers, &mut errors)?;
    let keep = |results: Results, file: &String, kind: &str| {
        let Some(bytes) = results.finish()? else { return Ok(None) };
        let name = format!("{id}_{kind}.jsonl");
        let file = FileObject::new(file.clone(), name, "batch_output", bytes, now());
        batches.keep_file(FileRecord { file, owner: record.owner.clone() }).map(|file| Some(file.id))
    };
    let output = keep(answers, &record.output, "output")?;
    let error = keep(errors, &record.errors, "error")?;
    batches.change(id, |record| {
        let total = record.batch.request_counts.total;
        record.batch.request_counts = RequestCounts { total, completed, failed };
        (record.batch.output_file_id, record.batch.error_file_id) = (output, error);
    })?;
    Ok(())
}

/// A journal whose rows are counted, and written to the audit log.
struct Recorded<'run> {
    journal: Journal,
    state: &'run State,
    record: &'run BatchRecord,
    question: &'run Question,
}

impl Sink for Recorded<'_> {
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        let written = Sink::put(&mut self.journal, entry, raw, rows)?;
        let key = self.record.owner.as_deref();
        let request = audit::Request { id: &self.record.batch.id, key, route: "/v1/batches", trace: None };
        for (served, row) in self.question.policies.iter().zip(rows) {
            self.state.metrics.row(served.metric_name(), row);
            self.state.audit.write(request, served, row, raw.len(), None);
        }
        Ok(written)
    }
}
