//! The work of a run: the library's own run, on a thread that borrows the engine.

use std::fs::File;
use std::sync::{Arc, PoisonError};

use super::file;
use super::index::Index;
use super::live::Live;
use super::record::{Order, RunRecord, RunState};
use super::recorder::Recorder;
use super::shown::RunNow;
use super::{Runs, SharedIndex};
use crate::engine::Engine;
use crate::label::config::RunConfig;
use crate::label::journal::{Existing, Journal};
use crate::label::memo::Memo;
use crate::label::run::{EarlierVerdicts, Limit, Run, RunError, Settings, run};
use crate::label::run_terms::run_terms;
use crate::label::source::Source;
use crate::label::summary::Summary;
use crate::policy::Policy;
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedEffort, AskedOptions};
use crate::serve::judges::{Loan, Message};
use crate::serve::policies::Served;
use crate::serve::state::State;

/// Starts a run, or lets it go on. Nothing happens if it is at work or done.
///
/// # Errors
///
/// Status 400 for an order that cannot be carried out, 404 or 409 if the run cannot begin.
pub fn start(state: &Arc<State>, id: &str, order: Order) -> Result<RunNow, ApiError> {
    state.takes_requests()?;
    let runs = runs(state)?;
    let record = runs.get(id)?.record;
    config(state, &order)?;
    runs.source(&record, &order)?;
    if let Some((record, live, index)) = runs.begin_work(id, order)? {
        let work = Work { state: Arc::clone(state), record, live, index, end: None };
        // Work that nobody takes is dropped, and then notes that it has ended.
        let _ = state.messages.send(Message::Lend(Loan::new(move |engine| work.run(engine))));
    }
    runs.get(id)
}

/// Lets the runs go on that an earlier server left at work.
pub fn resume(state: &Arc<State>) {
    let Some(runs) = &state.runs else { return };
    for id in runs.left() {
        let order = runs.get(&id).ok().and_then(|now| now.record.order);
        let started = order.ok_or_else(broken_off).and_then(|order| start(state, &id, order));
        if let Err(error) = started {
            runs.end_work(&id, |record| fail(record, error.message));
        }
    }
}

/// Returns the runs of a server that keeps some.
///
/// # Errors
///
/// Status 404.
pub fn runs(state: &State) -> Result<&Runs, ApiError> {
    state.runs.as_ref().ok_or_else(|| {
        let message = "this server labels no files: it was started without a workspace";
        ApiError::new(axum::http::StatusCode::NOT_FOUND, "not_found", message)
    })
}

fn broken_off() -> ApiError {
    ApiError::invalid("fault", "the run broke off by a fault of the server; start it again")
}

/// Returns the settings of a run.
fn config(state: &State, order: &Order) -> Result<RunConfig, ApiError> {
    let asked = AskedOptions {
        effort: order.effort.map(AskedEffort::from),
        threshold: order.threshold,
        ..AskedOptions::default()
    };
    let served = order.policies.iter().cloned().map(Served::named).map(Arc::new).collect();
    let question = asked.question(state, served)?;
    let mut config = state.config.clone();
    config.options = question.options.session.clone();
    config.chunking = question.options.chunking;
    config.certificate.clone_from(&question.options.certificate);
    Ok(config)
}

impl Runs {
    /// Opens the file of a run to carry out an order.
    fn source(&self, record: &RunRecord, order: &Order) -> Result<Source, ApiError> {
        let path = self.folder.path(&record.id, &record.name.stored);
        file::open(&path, &record.name.shown, order.text_column.as_deref())
    }
}

/// A run on its way to the engine. Dropping it notes the end.
struct Work {
    state: Arc<State>,
    record: RunRecord,
    live: Arc<Live>,
    index: SharedIndex,
    /// The result. `None` if the work broke off.
    end: Option<Result<Summary, String>>,
}

impl Work {
    fn run(mut self, engine: &Engine) {
        self.end = Some(self.label(engine));
    }

    /// Labels the file.
    fn label(&self, engine: &Engine) -> Result<Summary, String> {
        let (state, record) = (&self.state, &self.record);
        let runs = runs(state).map_err(|error| error.message)?;
        let order = record.order.as_ref().ok_or_else(|| broken_off().message)?;
        let policies = &order.policies;
        let config = config(state, order).map_err(|error| error.message)?;
        let source = runs.source(record, order).map_err(|error| error.message)?;
        let terms = config.terms(engine.model(), engine.config(), policies);
        let conditions = |policy: &Policy| config.conditions(engine.model(), engine.config(), policy);
        let terms = run_terms(&terms, &source, None, policies, conditions);
        let path = runs.folder.journal(&record.id);
        let (journal, past) = Journal::open(&path, &terms, Existing::Resume).map_err(|error| told(&error))?;
        let index = Index::of(&path).map_err(|error| told(&error))?;
        self.live.begin(index.counts());
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(index);
        let memo = Memo::in_journal(File::open(&path).map_err(|error| told(&error))?);
        let judges = policies.iter().map(|policy| config.judge(engine, policy, &mut |_, _| ()));
        let judges = judges.collect::<Result<Vec<_>, _>>().map_err(|error| told(&error))?;
        let settings = Settings::default()
            .with_chunking(config.chunking)
            .with_reasoning(config.reasoning)
            .with_unordered(true)
            .with_stop(self.live.flag())
            .with_limit(Some(self.limit(policies.len())));
        let served: Vec<Arc<Served>> = policies.iter().cloned().map(Served::named).map(Arc::new).collect();
        let (id, index, live) = (&record.id, &self.index, &self.live);
        let mut sink = Recorder { state, id, served: &served, journal, index, live };
        let work = Run { engine, judges: &judges, settings: &settings, earlier: EarlierVerdicts { past, memo } };
        let summary = run(work, source, &mut sink, &mut |_| ()).map_err(|error| {
            if matches!(error, RunError::Engine(..)) {
                state.engine_has_ended();
            }
            told(&error)
        })?;
        if let Some(end) = summary.end {
            sink.journal.finish(end).map_err(|error| told(&error))?;
        }
        Ok(summary)
    }

    /// Returns the limit by which the run gives way to requests, and shares its places with other runs.
    fn limit(&self, policies: usize) -> Limit {
        let state = Arc::clone(&self.state);
        Limit::new(move || {
            let runs = state.runs.as_ref().map_or(1, Runs::at_work);
            state.queue.background() / (runs * policies).max(1)
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let Some(runs) = &self.state.runs else { return };
        let (progress, is_ending) = (self.live.progress(), runs.is_ending());
        runs.end_work(&self.record.id, |record| {
            record.counts = progress.counts.unwrap_or(record.counts);
            record.rate = progress.rate.or(record.rate);
            match self.end.take() {
                Some(Ok(summary)) if summary.end.is_some() => {
                    record.state = RunState::Done;
                    record.file.rows = Some(record.counts.done);
                }
                // The next server takes it up.
                Some(Ok(_)) | None if is_ending => {}
                Some(Ok(_)) => record.state = RunState::Stopped,
                Some(Err(message)) => fail(record, message),
                None => fail(record, broken_off().message),
            }
        });
    }
}

fn fail(record: &mut RunRecord, message: String) {
    (record.state, record.error) = (RunState::Failed, Some(message));
}

/// Returns an error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = error.source();
    }
    message
}
