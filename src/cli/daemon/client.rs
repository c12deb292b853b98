//! The client's side of a daemon: `check --daemon`, `daemon status` and `daemon stop`.
//!
//! The one idea: anything but an answer means that the text is judged here.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use magistrate::content::Content;
use magistrate::label::config::RunConfig;

use super::peer;
use super::protocol::{Answer, LONGEST, Question, Reply, Request, SILENCE, Start, Status, receive, send};
use super::socket::Socket;
use crate::cli::case::Case;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};
use crate::cli::waiting;

/// Asks the daemon of this model. Returns `None` if there is no answer, so the text must be judged here. If there is no
/// daemon, one is started for the next time. It stops when no question has come for `idle` seconds.
pub fn ask(case: &Case, content: &Content, idle: u64) -> anyhow::Result<Option<ExitCode>> {
    let socket = match Socket::of(&case.config.load_options, &case.config.templates) {
        Ok(socket) => socket,
        Err(error) => return Ok(unanswered(&error.to_string())),
    };
    let stream = match socket.connect() {
        Ok(Some(stream)) => stream,
        Ok(None) => {
            launch(&start(case, idle));
            return Ok(None);
        }
        Err(error) => return Ok(unanswered(&error.to_string())),
    };
    let asked = send(&stream, Request::Judge(Box::new(question(case, content))));
    match asked.and_then(|()| receive(&stream, LONGEST)) {
        Ok(Reply::Answer(Answer { stdout, stderr, code })) => {
            output::repeat(&stdout, &stderr, case.json)?;
            Ok(Some(ExitCode::from(code)))
        }
        // It ends soon, or is too busy.
        Ok(_) => Ok(None),
        // It has ended meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(_) => {
            let unanswered = unanswered("it is silent");
            output::hint("magistrate daemon stop ends it");
            Ok(unanswered)
        }
    }
}

/// Returns the values that a daemon for this case starts with.
pub fn start(case: &Case, idle: u64) -> Start {
    let RunConfig { load_options, templates, .. } = &case.config;
    let mut load_options = load_options.clone();
    // The daemon may run in another folder. An error in the path is reported where the model is opened.
    if let Ok(model) = std::fs::canonicalize(&load_options.base.model) {
        load_options.base.model = model;
    }
    Start {
        idle,
        load_options,
        templates: templates.id().to_owned(),
        sources: templates.sources(),
        policies: case.policies.clone(),
        parallel: case.parallel(),
    }
}

fn unanswered(why: &str) -> Option<ExitCode> {
    output::message(&format!("note: no daemon answers, so the text is judged here: {why}"));
    None
}

fn question(case: &Case, content: &Content) -> Question {
    let RunConfig { options, chunking, reasoning, fields, certificate, .. } = &case.config;
    Question {
        policies: case.policies.clone(),
        options: options.clone(),
        chunking: *chunking,
        reasoning: *reasoning,
        fields: fields.as_deref().cloned(),
        certificate: certificate.as_ref().map(|(path, certificate)| (path.clone(), (**certificate).clone())),
        json: case.json,
        by_policy: case.by_policy,
        verbose: case.verbose,
        coloured: output::coloured(),
        text: content.text().to_owned(),
    }
}

/// Starts a daemon that outlives this process. A failure only costs time.
fn launch(start: &Start) {
    let (Ok(program), Ok(start)) = (std::env::current_exe(), serde_json::to_vec(start)) else { return };
    let mut daemon = Command::new(program);
    waiting::leave_to(&mut daemon);
    let started = daemon
        .args(["daemon", "serve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in this terminal must not reach it.
        .process_group(0)
        .spawn();
    if let Some(mut stdin) = started.ok().and_then(|mut daemon| daemon.stdin.take()) {
        let _ = std::io::Write::write_all(&mut stdin, &start);
    }
}

/// Lists the daemons that run.
pub fn status(json: bool) -> anyhow::Result<ExitCode> {
    let mut all = Vec::new();
    let mut silent = 0;
    for socket in Socket::all()? {
        match socket.connect() {
            Ok(Some(stream)) => match send(&stream, Request::Status).and_then(|()| receive(&stream, SILENCE)) {
                Ok(Reply::Status(status)) => all.push(status),
                _ => silent += 1,
            },
            Ok(None) => {}
            Err(_) => silent += 1,
        }
    }
    if json {
        output::data(&format!("{}\n", serde_json::to_string(&all)?))?;
    } else {
        for status in &all {
            output::print(&describe(status))?;
        }
        if all.is_empty() && silent == 0 {
            output::message("no daemon runs");
        }
    }
    if silent > 0 {
        output::message(&format!("{silent} more: silent, or of another user"));
        output::hint("magistrate daemon stop");
    }
    Ok(ExitCode::from(exit::DONE))
}

fn describe(status: &Status) -> String {
    let Status { process, version, model, ready, seconds, answered, idle } = status;
    let state = if *ready { "ready" } else { "loading the model" };
    format!(
        "process {process}: {}\n  {state}; started {seconds} s ago; {answered} answered; stops {idle} s after the last \
         question; version {version}\n",
        model.display()
    )
}

/// Stops all daemons, and reports each. A silent one is killed.
pub fn stop() -> anyhow::Result<()> {
    for socket in Socket::all()? {
        let Ok(Some(stream)) = socket.connect() else { continue };
        let asked = send(&stream, Request::Stop).and_then(|()| receive(&stream, SILENCE));
        let message = match asked {
            Ok(Reply::Stopping) => "a daemon was stopped",
            _ => {
                peer::end(&stream)?;
                "a daemon that was silent was killed"
            }
        };
        ensure_hint!(gone(&socket), "a daemon does not end", "look for it with ps, and end its process");
        output::summary(message);
    }
    Ok(())
}

/// Waits until nobody listens at the socket. Returns false if that takes too long.
fn gone(socket: &Socket) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        if matches!(socket.connect(), Ok(None)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
