//! A daemon that serves: it loads one model, and answers one question after the other.

use std::io::Result;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use magistrate::content::Content;
use magistrate::engine::SessionOptions;
use magistrate::label::config::RunConfig;
use magistrate::prompt::Templates;

use crate::cli::case::{Case, Clock, Sessions};
use crate::cli::daemon::peer;
use crate::cli::daemon::protocol::{Answer, Question, Reply, Request, SIGN, Start, Status, receive, send, sign};
use crate::cli::daemon::socket::Socket;
use crate::cli::daily;
use crate::cli::loading::{self, Often};
use crate::cli::terminal::error::{render, with_flags};
use crate::cli::terminal::exit;
use crate::cli::terminal::output::Output;

/// Policies that stay decoded.
const POLICIES: usize = 16;

/// The most clients at once. Any more are sent away, and judge by themselves.
const CLIENTS: usize = 64;

/// A question, and the way back for its answer.
struct Job {
    question: Question,
    reply: Sender<Answer>,
    /// Set once nobody waits for the answer.
    abandoned: Arc<AtomicBool>,
}

/// The state that all threads of a daemon share.
struct Shared {
    socket: Socket,
    begun: Instant,
    start: Start,
    ready: AtomicBool,
    answered: AtomicU64,
    clients: AtomicUsize,
}

/// Listens, loads the model, and answers until no question has come for a while.
pub fn serve(start: Start) -> anyhow::Result<ExitCode> {
    let templates = Templates::from_sources(&start.templates, &start.sources)?;
    let socket = Socket::of(&start.load_options, &templates).context("there is no place for a socket")?;
    let Some((listener, _lock)) = socket.listen().context("a socket cannot be listened on")? else {
        // Another daemon has the place.
        return Ok(ExitCode::from(exit::DONE));
    };
    let shared = Arc::new(Shared {
        socket,
        begun: Instant::now(),
        start,
        ready: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        clients: AtomicUsize::new(0),
    });
    let (jobs, work) = sync_channel(CLIENTS);
    // Clients connect before the model is loaded: they can ask for the state, or stop the daemon.
    let accepting = thread::Builder::new().spawn({
        let shared = Arc::clone(&shared);
        move || accept(&listener, &shared, &jobs)
    });
    let done = accepting.context("a thread cannot be started").and_then(|_| answer_all(&shared, templates, &work));
    // A client that still waits judges by itself.
    shared.socket.leave();
    done.map(|()| ExitCode::from(exit::DONE))
}

/// Answers one question after the other.
fn answer_all(shared: &Shared, templates: Templates, work: &Receiver<Job>) -> anyhow::Result<()> {
    let Start { load_options, policies, parallel, idle, .. } = &shared.start;
    let mut own = RunConfig::new(load_options.clone(), SessionOptions::default());
    own.templates = templates;
    // Rows name settings as a check's own rows do.
    own.hint = with_flags;
    let engine = loading::load(&own, policies, *parallel)?;
    shared.ready.store(true, Ordering::Relaxed);
    let mut sessions = Sessions::new(&engine, POLICIES);
    let idle = Duration::from_secs(*idle);
    let mut last = Instant::now();
    loop {
        match work.recv_timeout(idle.saturating_sub(last.elapsed())) {
            Ok(job) if job.abandoned.load(Ordering::Relaxed) => {}
            Ok(job) => {
                // Without an answer the client judges by itself. A model that has failed is of no more use.
                let answer = judge(job.question, &own, &mut sessions)?;
                shared.answered.fetch_add(1, Ordering::Relaxed);
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
fn judge(question: Question, own: &RunConfig, sessions: &mut Sessions<'_>) -> anyhow::Result<Answer> {
    let Question {
        policies,
        options,
        chunking,
        reasoning,
        fields,
        certificate,
        json,
        by_policy,
        verbose,
        coloured,
        text,
    } = question;
    let mut config = own.clone();
    config.options = options;
    config.chunking = chunking;
    config.reasoning = reasoning;
    config.fields = fields.map(Arc::new);
    config.certificate = certificate.map(|(path, certificate)| (path, Arc::new(certificate)));
    let case = Case { policies, config, json, by_policy, verbose };
    let mut output = Output::Kept { stdout: String::new(), stderr: String::new(), coloured };
    // A check prints these notes when it loads the model.
    let model = sessions.engine.model();
    match loading::demonstration_note(model) {
        Some((note, Often::Always)) => output.message(&note),
        Some((note, Often::Daily)) if daily::is_due(&note) => output.message(&note),
        _ => {}
    }
    if let Some(note) = loading::untrained_note(model, &case.policies) {
        output.message(&note);
    }
    let judged = Content::of(text)
        .map_err(anyhow::Error::from)
        .and_then(|content| case.judge(&content, sessions, &mut Clock::new(verbose), &mut output));
    let code = match judged {
        Ok(rows) => {
            let broken = |code: &str| matches!(code, "engine" | "fault");
            let failed = rows.iter().filter_map(|row| row.error.as_ref()).any(|error| broken(&error.code));
            anyhow::ensure!(!failed, "the engine has failed");
            exit::of_rows(&rows)
        }
        Err(error) => {
            output.message(&render(&error));
            exit::ERROR
        }
    };
    let Output::Kept { stdout, stderr, .. } = output else { unreachable!("they were made so") };
    Ok(Answer { stdout, stderr, code })
}

/// Listens to each client in a thread of its own, so that none holds up the others.
fn accept(listener: &UnixListener, shared: &Arc<Shared>, jobs: &SyncSender<Job>) {
    for stream in listener.incoming().flatten() {
        // A client counts before its thread starts, so a burst of clients cannot pass the limit.
        if shared.clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            shared.clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (of_client, jobs) = (Arc::clone(shared), jobs.clone());
        let attending = thread::Builder::new().spawn(move || {
            // A client that hangs up or stays silent wants no answer.
            let _ = attend(&stream, &of_client, &jobs);
            of_client.clients.fetch_sub(1, Ordering::Relaxed);
        });
        if attending.is_err() {
            shared.clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Reads one client's request, and replies to it.
fn attend(stream: &UnixStream, shared: &Shared, jobs: &SyncSender<Job>) -> Result<()> {
    /// The longest that a client may take to send its request.
    const LONGEST: Duration = Duration::from_secs(10);
    peer::ours(stream)?;
    match receive(stream, LONGEST)? {
        Request::Judge(question) => {
            let (reply, answer) = channel();
            let abandoned = Arc::new(AtomicBool::new(false));
            let job = Job { question: *question, reply, abandoned: Arc::clone(&abandoned) };
            // The queue has room for a question of each client. An error means that no question is answered any more.
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
        Request::Status => send(stream, Reply::Status(shared.status())),
        Request::Stop => {
            // The client that stops a daemon waits until nobody listens.
            shared.socket.leave();
            let _ = send(stream, Reply::Stopping);
            // At once, even in the middle of an answer: the client judges by itself.
            signal_hook::low_level::exit(exit::DONE.into())
        }
    }
}

impl Shared {
    fn status(&self) -> Status {
        Status {
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.start.load_options.base.model.clone(),
            ready: self.ready.load(Ordering::Relaxed),
            seconds: self.begun.elapsed().as_secs(),
            answered: self.answered.load(Ordering::Relaxed),
            idle: self.start.idle,
        }
    }
}
