//! The thread between requests and the engine: it opens a session for each policy, and sends texts to it.
//!
//! Sessions borrow the engine, so they stay on the stack of this thread. Requests reach it through a channel, and each
//! result goes back through a channel of its own. A policy is decoded on a thread beside it, so that texts of other
//! policies do not wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};

use tokio::sync::oneshot;

use super::policies::Served;
use super::queue::Place;
use crate::calibration::certificate::Certificate;
use crate::content::Content;
use crate::engine::{Abandoned, Engine, EngineError, Plan, Session, SessionOptions};
use crate::label::config::RunConfig;
use crate::label::judge::{Chunking, Judged, Submission};
use crate::label::records::Defect;
use crate::label::row::Provenance;
use crate::policy::Effort;
use crate::prompt::named_effort;

/// The settings by which a text is judged, apart from the policy.
#[derive(Clone, Debug)]
pub struct JudgeOptions {
    /// The options of the session.
    pub session: SessionOptions,
    /// The pieces of a long text. `None`: it is refused.
    pub chunking: Option<Chunking>,
    /// A certificate, and its file.
    pub certificate: Option<(PathBuf, Arc<Certificate>)>,
}

/// A text that is to be judged by one policy.
#[derive(Debug)]
pub struct Job {
    /// The policy.
    pub served: Arc<Served>,
    /// The settings.
    pub options: Arc<JudgeOptions>,
    /// The text, or its defect.
    pub content: Result<Content, Defect>,
    /// Set once nobody waits for the answer.
    pub abandoned: Abandoned,
    /// The way back.
    pub reply: oneshot::Sender<Answer>,
    /// The text's place in the queue.
    pub place: Place,
}

/// The answer to a job.
#[derive(Debug)]
pub enum Answer {
    /// The text was judged, or the engine refused it.
    Judged(Arc<Provenance>, Box<Judged>),
    /// There was no text.
    Defect(Arc<Provenance>, Defect),
    /// The settings cannot be used with this policy.
    Refused(String),
}

/// Work that borrows the engine, on a thread of its own.
pub struct Loan(Box<dyn FnOnce(&Engine) + Send>);

impl Loan {
    /// Returns a loan for some work.
    pub fn new(work: impl FnOnce(&Engine) + Send + 'static) -> Self {
        Self(Box::new(work))
    }
}

impl std::fmt::Debug for Loan {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Loan")
    }
}

/// A message to the thread.
#[derive(Debug)]
pub enum Message {
    /// Judges a text.
    Job(Box<Job>),
    /// Decodes a policy, so that its first text need not wait. The sender is dropped once that is done.
    Open(Arc<Served>, Arc<JudgeOptions>, oneshot::Sender<()>),
    /// Lends the engine to some work. The work is dropped if no thread can be started for it.
    Lend(Loan),
    /// A session was opened.
    Opened,
    /// Ends the thread, after the jobs before it.
    End,
}

/// The most policies that stay open.
const MOST_OPEN: usize = 64;

/// The most settings of one policy that are kept ready.
const MOST_WAYS: usize = 16;

/// The part of the settings that the prefix depends on.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    digest: String,
    id: String,
    effort: Effort,
    date: Option<String>,
}

/// A policy, and its session or the jobs that wait for it.
struct Entry<'engine> {
    key: Key,
    served: Arc<Served>,
    state: State<'engine>,
    /// Jobs in flight hold a clone, so the session is not closed under them.
    in_use: Arc<()>,
    /// The settings that were used with it, the last used first.
    ways: Vec<Way>,
}

enum State<'engine> {
    Opening { waiting: Vec<Job>, told: Vec<oneshot::Sender<()>> },
    Open(Result<Session<'engine>, Arc<EngineError>>),
}

/// Settings, prepared for a policy.
struct Way {
    options: Arc<JudgeOptions>,
    plan: Option<Plan>,
    provenance: Result<Arc<Provenance>, String>,
}

type Opened<'engine> = Mutex<Vec<(Key, Result<Session<'engine>, EngineError>)>>;

/// The state of the thread.
struct Judges<'scope, 'engine> {
    engine: &'engine Engine,
    config: &'engine RunConfig,
    scope: &'scope Scope<'scope, 'engine>,
    entries: Vec<Entry<'engine>>,
    opened: Arc<Opened<'engine>>,
    messages: Sender<Message>,
}

/// Returns a channel to the thread.
#[must_use]
pub fn messages() -> (Sender<Message>, Receiver<Message>) {
    channel()
}

/// Judges texts until [`Message::End`] comes.
pub fn run(engine: &Engine, config: &RunConfig, messages: &Sender<Message>, inbox: &Receiver<Message>) {
    std::thread::scope(|scope| {
        let opened = Arc::new(Mutex::new(Vec::new()));
        let messages = messages.clone();
        let mut judges = Judges { engine, config, scope, entries: Vec::new(), opened, messages };
        for message in inbox {
            match message {
                Message::Job(job) => judges.judge(*job),
                Message::Open(served, options, done) => {
                    let at = judges.entry(&served, &options);
                    if let State::Opening { told, .. } = &mut judges.entries[at].state {
                        told.push(done);
                    }
                }
                Message::Lend(loan) => judges.lend(loan),
                Message::Opened => judges.take_opened(),
                Message::End => break,
            }
        }
    });
}

impl Judges<'_, '_> {
    fn judge(&mut self, job: Job) {
        if job.reply.is_closed() {
            return;
        }
        let at = self.entry(&job.served, &job.options);
        let entry = &mut self.entries[at];
        match &mut entry.state {
            State::Opening { waiting, .. } => waiting.push(job),
            State::Open(_) => entry.send(self.engine, self.config, job),
        }
    }

    /// Returns the place of a policy's entry. Begins to decode the policy if it has none.
    fn entry(&mut self, served: &Arc<Served>, options: &JudgeOptions) -> usize {
        let SessionOptions { effort, date, .. } = &options.session;
        let key = Key {
            digest: served.digest.clone(),
            // A plain text has the same digest under each id.
            id: served.policy.id.clone(),
            effort: named_effort(&served.policy, effort.unwrap_or(served.policy.effort)),
            date: date.clone(),
        };
        if let Some(at) = self.entries.iter().position(|entry| entry.key == key) {
            // The last used entry is at the end.
            let entry = self.entries.remove(at);
            self.entries.push(entry);
            return self.entries.len() - 1;
        }
        self.make_room();
        let state = State::Opening { waiting: Vec::new(), told: Vec::new() };
        let served = Arc::clone(served);
        self.open(key.clone(), Arc::clone(&served), options.session.clone());
        self.entries.push(Entry { key, served, state, in_use: Arc::default(), ways: Vec::new() });
        self.entries.len() - 1
    }

    /// Closes the session that was used longest ago, if there are too many and it has no text in flight.
    fn make_room(&mut self) {
        let idle = |entry: &Entry<'_>| matches!(entry.state, State::Open(_)) && Arc::strong_count(&entry.in_use) == 1;
        while self.entries.len() >= MOST_OPEN {
            let Some(at) = self.entries.iter().position(idle) else { return };
            self.entries.remove(at);
        }
    }

    fn open(&self, key: Key, served: Arc<Served>, options: SessionOptions) {
        let (engine, opened, messages) = (self.engine, Arc::clone(&self.opened), self.messages.clone());
        let put = move |key, result| {
            opened.lock().unwrap_or_else(PoisonError::into_inner).push((key, result));
            let _ = messages.send(Message::Opened);
        };
        let again = (key.clone(), put.clone());
        let opening = Builder::new().name("opener".to_owned()).spawn_scoped(self.scope, move || {
            put(key, engine.session_with(&served.policy, &options, &mut |_, _| ()));
        });
        if let Err(error) = opening {
            let (key, put) = again;
            put(key, Err(EngineError::Start(error.to_string())));
        }
    }

    fn lend(&self, Loan(work): Loan) {
        let engine = self.engine;
        let _ = Builder::new().name("work".to_owned()).spawn_scoped(self.scope, move || {
            // A panic would end the server, and the work notes it when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| work(engine)));
        });
    }

    fn take_opened(&mut self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, result) in opened {
            let Some(at) = self.entries.iter().position(|entry| entry.key == key) else { continue };
            let failed = result.is_err();
            let state = State::Open(result.map_err(Arc::new));
            let entry = &mut self.entries[at];
            if let State::Opening { waiting, .. } = std::mem::replace(&mut entry.state, state) {
                for job in waiting {
                    entry.send(self.engine, self.config, job);
                }
            }
            if failed {
                // The next text tries once more.
                self.entries.remove(at);
            }
        }
    }
}

impl Entry<'_> {
    /// Sends a text to the engine. Waits for room in the engine's queue.
    fn send(&mut self, engine: &Engine, config: &RunConfig, job: Job) {
        let Job { content, abandoned, reply, place, options, .. } = job;
        let State::Open(session) = &self.state else { return };
        let way = way(&mut self.ways, &self.served, engine, config, session.as_ref().ok(), options);
        let provenance = match &way.provenance {
            Ok(provenance) => Arc::clone(provenance),
            Err(refused) => return drop(reply.send(Answer::Refused(refused.clone()))),
        };
        let content = match content {
            Ok(content) => content,
            Err(defect) => return drop(reply.send(Answer::Defect(provenance, defect))),
        };
        let (Ok(session), Some(plan)) = (session, &way.plan) else {
            let error = session.as_ref().err().map_or(EngineError::Stopped, |error| again(error));
            let judged = Box::new(Judged::whole(Err(error)));
            return drop(reply.send(Answer::Judged(provenance, judged)));
        };
        let in_use = Arc::clone(&self.in_use);
        let submission = Submission { engine, session, content: &content, chunking: way.options.chunking };
        submission.submit_with(plan, &abandoned, move |judged| {
            let _ = reply.send(Answer::Judged(provenance, Box::new(judged)));
            drop((in_use, place));
        });
    }
}

/// Returns settings prepared for a policy: the same as before, if equal settings were used with it.
fn way<'ways>(
    ways: &'ways mut Vec<Way>,
    served: &Served,
    engine: &Engine,
    config: &RunConfig,
    session: Option<&Session<'_>>,
    options: Arc<JudgeOptions>,
) -> &'ways Way {
    if let Some(at) = ways.iter().position(|way| way.options.is(&options)) {
        ways[..=at].rotate_right(1);
    } else {
        let plan = session.map(|session| session.plan(&served.policy, &options.session));
        let mut config = config.clone();
        config.options = options.session.clone();
        config.chunking = options.chunking;
        config.certificate.clone_from(&options.certificate);
        let provenance = config.provenance(engine, &served.policy);
        let provenance = provenance.map(Arc::new).map_err(|error| error.to_string());
        ways.truncate(MOST_WAYS - 1);
        ways.insert(0, Way { options, plan, provenance });
    }
    &ways[0]
}

/// Returns an equal error, for a further text.
fn again(error: &EngineError) -> EngineError {
    match error {
        EngineError::TooLong { what, tokens, room, needed, most } => {
            EngineError::TooLong { what, tokens: *tokens, room: *room, needed: *needed, most: *most }
        }
        EngineError::Stopped => EngineError::Stopped,
        other => EngineError::Load(other.to_string()),
    }
}

impl JudgeOptions {
    fn is(&self, other: &Self) -> bool {
        let certificate = |options: &Self| options.certificate.as_ref().map(|(_, one)| Arc::as_ptr(one));
        self.session == other.session && self.chunking == other.chunking && certificate(self) == certificate(other)
    }
}
