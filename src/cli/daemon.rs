//! `daemon`: a model that stays in memory, so that one `check` after the other answers in milliseconds.
//!
//! The one idea: a check sends resolved values, and gets back the output that it would have written. So nothing can
//! differ but the time. A check that gets no answer judges by itself. A daemon serves one model, loaded in one way, and
//! both name its socket.

pub mod client;
mod peer;
mod place;
mod protocol;

use std::io::Result;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use magistrate::content::Content;
use magistrate::engine::SessionOptions;
use magistrate::prompt::Templates;

use self::place::Place;
use self::protocol::{Answer, Question, Reply, Request, SIGN, Start, Status, receive, send, sign};
use super::check::{Case, Clock, Sessions};
use super::judging::{self, Judging};
use super::output::Ears;
use super::{Cli, exit};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Daemon {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Stop when nobody has asked for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    idle: u64,

    /// The check that it is to answer as: check -p POLICY, and flags for model, engine and templates
    #[arg(value_name = "CHECK", last = true)]
    like: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell which daemons run: their model, since when, how much they have answered and when they stop
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop all of them
    Stop,
    /// Serve as JSON on stdin says, for check --daemon
    #[command(hide = true)]
    Serve,
}

/// Policies that stay decoded.
const POLICIES: usize = 16;

/// The most clients at once. Any more are sent away, and judge by themselves.
const CLIENTS: usize = 64;

impl Daemon {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Some(Verb::Status { json }) => client::status(json),
            Some(Verb::Stop) => {
                client::stop()?;
                Ok(ExitCode::from(exit::DONE))
            }
            Some(Verb::Serve) => {
                serve(serde_json::from_reader(std::io::stdin().lock()).context("stdin holds no start of a daemon")?)
            }
            None => serve(start(&case(&self.like)?, self.idle)),
        }
    }
}

/// Parses a command line, and prepares the check that it asks for.
fn case(arguments: &[String]) -> anyhow::Result<Case> {
    const HINT: &str = "hint: magistrate daemon -- check -p POLICY, and flags; or magistrate daemon status";
    anyhow::ensure!(!arguments.is_empty(), "a daemon needs the check that it is to answer as\n{HINT}");
    let line = ["magistrate"].into_iter().chain(arguments.iter().map(String::as_str));
    match Cli::try_parse_from(line).context("this is no command line of magistrate")?.verb {
        super::Verb::Check(check) => check.prepare(),
        _ => anyhow::bail!("a daemon answers as check alone\n{HINT}"),
    }
}

/// Returns the values that a daemon for this case starts with.
fn start(case: &Case, idle: u64) -> Start {
    let Judging { wishes, templates, .. } = &case.judging;
    let mut wishes = wishes.clone();
    // The daemon may run in another folder. An error in the path is reported where the model is opened.
    if let Ok(model) = std::fs::canonicalize(&wishes.base.model) {
        wishes.base.model = model;
    }
    Start {
        idle,
        wishes,
        templates: templates.id().to_owned(),
        sources: templates.sources(),
        policies: case.policies.clone(),
        parallel: case.parallel(),
    }
}

/// A question, and the way back for its answer.
struct Job {
    question: Question,
    reply: Sender<Answer>,
    /// Set once nobody waits for the answer.
    abandoned: Arc<AtomicBool>,
}

/// The state that all threads of a daemon share.
struct Office {
    place: Place,
    begun: Instant,
    start: Start,
    ready: AtomicBool,
    answered: AtomicU64,
    clients: AtomicUsize,
}

/// Listens, loads the model, and answers until no question has come for a while.
fn serve(start: Start) -> anyhow::Result<ExitCode> {
    let templates = Templates::from_sources(&start.templates, &start.sources)?;
    let place = Place::of(&start.wishes, &templates).context("there is no place for a socket")?;
    let Some((listener, _lock)) = place.listen().context("a socket cannot be listened on")? else {
        // Another daemon has the place.
        return Ok(ExitCode::from(exit::DONE));
    };
    let office = Arc::new(Office {
        place,
        begun: Instant::now(),
        start,
        ready: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        clients: AtomicUsize::new(0),
    });
    let (jobs, work) = sync_channel(CLIENTS);
    let accepting = thread::Builder::new().spawn({
        let office = Arc::clone(&office);
        move || accept(&listener, &office, &jobs)
    });
    let done = accepting.context("a thread cannot be started").and_then(|_| answer_all(&office, templates, &work));
    // A client that still waits judges by itself.
    office.place.leave();
    done.map(|()| ExitCode::from(exit::DONE))
}

/// Answers one question after the other.
fn answer_all(office: &Office, templates: Templates, work: &Receiver<Job>) -> anyhow::Result<()> {
    let Start { wishes, policies, parallel, idle, .. } = &office.start;
    let own = Judging { templates, ..Judging::new(wishes.clone(), SessionOptions::default()) };
    let engine = own.load(policies, *parallel)?;
    office.ready.store(true, Ordering::Relaxed);
    let mut sessions = Sessions::new(&engine, POLICIES);
    let idle = Duration::from_secs(*idle);
    let mut last = Instant::now();
    loop {
        match work.recv_timeout(idle.saturating_sub(last.elapsed())) {
            Ok(job) if job.abandoned.load(Ordering::Relaxed) => {}
            Ok(job) => {
                // Without an answer the client judges by itself. A model that has failed is of no more use.
                let answer = judge(job.question, &own, &mut sessions)?;
                office.answered.fetch_add(1, Ordering::Relaxed);
                let _ = job.reply.send(answer);
                last = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("nobody can be listened to any more"),
        }
    }
}

/// Judges a text as a check would.
///
/// # Errors
///
/// When the engine fails.
fn judge(question: Question, own: &Judging, sessions: &mut Sessions<'_>) -> anyhow::Result<Answer> {
    let Question { policies, options, chunking, reasoning, fields, certificate, json, verbose, coloured, text } =
        question;
    let judging = Judging {
        options,
        chunking,
        reasoning,
        fields: fields.map(Arc::new),
        text: own.text.clone(),
        certificate: certificate.map(|(path, certificate)| (path, Arc::new(certificate))),
        templates: own.templates.clone(),
        folder: None,
        wishes: own.wishes.clone(),
    };
    let case = Case { policies, judging, json, verbose };
    let mut ears = Ears::Kept { stdout: String::new(), stderr: String::new(), coloured };
    if let Some(note) = judging::note(sessions.engine.model(), &case.policies) {
        ears.say(&note);
    }
    let judged = Content::of(text)
        .map_err(anyhow::Error::from)
        .and_then(|content| case.judge(&content, sessions, &mut Clock::new(verbose), &mut ears));
    let code = match judged {
        Ok(rows) => {
            let broken = |code: &str| matches!(code, "engine" | "fault");
            let failed = rows.iter().filter_map(|row| row.error.as_ref()).any(|error| broken(error.code));
            anyhow::ensure!(!failed, "the engine has failed");
            exit::of_rows(&rows)
        }
        Err(error) => {
            ears.say(&super::with_causes(&error));
            exit::ERROR
        }
    };
    let Ears::Kept { stdout, stderr, .. } = ears else { unreachable!("they were made so") };
    Ok(Answer { stdout, stderr, code })
}

/// Listens to each client in a thread of its own, so that none holds up the others.
fn accept(listener: &UnixListener, office: &Arc<Office>, jobs: &SyncSender<Job>) {
    for stream in listener.incoming().flatten() {
        if office.clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            office.clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (of_client, jobs) = (Arc::clone(office), jobs.clone());
        let attending = thread::Builder::new().spawn(move || {
            // A client that hangs up or stays silent wants no answer.
            let _ = attend(&stream, &of_client, &jobs);
            of_client.clients.fetch_sub(1, Ordering::Relaxed);
        });
        if attending.is_err() {
            office.clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Reads one client's request, and replies to it.
fn attend(stream: &UnixStream, office: &Office, jobs: &SyncSender<Job>) -> Result<()> {
    /// The longest that a client may take to send its request.
    const LONGEST: Duration = Duration::from_secs(10);
    peer::ours(stream)?;
    match receive(stream, LONGEST)? {
        Request::Judge(question) => {
            let (reply, answer) = channel();
            let abandoned = Arc::new(AtomicBool::new(false));
            let job = Job { question: *question, reply, abandoned: Arc::clone(&abandoned) };
            if jobs.try_send(job).is_err() {
                return send(stream, Reply::Busy);
            }
            loop {
                sign(stream).inspect_err(|_| abandoned.store(true, Ordering::Relaxed))?;
                match answer.recv_timeout(SIGN) {
                    Ok(answer) => return send(stream, Reply::Answer(answer)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return send(stream, Reply::Busy),
                }
            }
        }
        Request::Status => send(stream, Reply::Status(office.status())),
        Request::Stop => {
            office.place.leave();
            let _ = send(stream, Reply::Stopping);
            // At once, even in the middle of an answer: the client judges by itself.
            signal_hook::low_level::exit(exit::DONE.into())
        }
    }
}

impl Office {
    fn status(&self) -> Status {
        Status {
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.start.wishes.base.model.clone(),
            ready: self.ready.load(Ordering::Relaxed),
            seconds: self.begun.elapsed().as_secs(),
            answered: self.answered.load(Ordering::Relaxed),
            idle: self.start.idle,
        }
    }
}
