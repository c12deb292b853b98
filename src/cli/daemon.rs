//! `daemon`: a model that stays in memory, so that one `check` after the other answers in milliseconds.
//!
//! The one idea: what `check` would do is done in another process, with the same words. The command line is sent as it
//! stands, with the text; what comes back is what goes to stdout and to stderr, and the exit code. So nothing can differ but
//! the time. A daemon serves one model with one set of flags; its socket is named by these.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Parser};
use magistrate::cache;
use magistrate::content::Content;
use serde::{Deserialize, Serialize};

use super::check::{Clock, Sessions};
use super::judging::{self, Judging};
use super::output::Ears;
use super::{Cli, Verb, ending, exit, output, with_causes};

#[derive(Debug, Args)]
pub struct Daemon {
    /// Stop when nobody has asked for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    idle: u64,

    /// The check that it is to answer as: check -p POLICY, and flags for model, engine and templates. Without one, it is read
    /// from stdin, as JSON: no text is to stand among a process's arguments for long
    #[arg(value_name = "CHECK", last = true)]
    like: Vec<String>,
}

/// Policies that stay decoded.
const POLICIES: usize = 16;

/// What a `check` sends, on one line.
#[derive(Serialize, Deserialize)]
struct Question {
    arguments: Vec<String>,
    /// Where relative paths begin.
    folder: PathBuf,
    text: String,
    coloured: bool,
}

/// What it is told.
#[derive(Serialize, Deserialize)]
struct Answer {
    stdout: String,
    stderr: String,
    code: u8,
}

/// Asks the daemon of these flags. `None` if there is none: one is started for the next time, which stops when nobody has asked
/// for `idle` seconds.
pub fn ask(judging: &Judging, content: &Content, idle: u64) -> Result<Option<ExitCode>, anyhow::Error> {
    // What is no UTF-8 cannot be sent as JSON.
    let (Ok(path), Some(arguments)) = (socket(judging), super::arguments()) else { return Ok(None) };
    let folder = std::env::current_dir().context("the current folder cannot be had")?;
    let Ok(mut stream) = UnixStream::connect(&path) else {
        start(&arguments, idle);
        return Ok(None);
    };
    let question = Question { arguments, folder, text: content.text().to_owned(), coloured: output::coloured() };
    let mut answer = String::new();
    // In one piece: each piece that is sent wakes the other side.
    let answered = serde_json::to_string(&question)
        .map_err(std::io::Error::from)
        .and_then(|line| stream.write_all(format!("{line}\n").as_bytes()))
        .and_then(|()| stream.read_to_string(&mut answer));
    // Whatever it is that went wrong there, it may go right here.
    let Some(Answer { stdout, stderr, code }) = answered.ok().and_then(|_| serde_json::from_str(&answer).ok()) else {
        return Ok(None);
    };
    if !stderr.is_empty() {
        output::say(stderr.trim_end_matches('\n'));
    }
    output::print(&stdout)?;
    Ok(Some(ExitCode::from(code)))
}

/// Starts a daemon that outlives this process. If that fails there is none, which is only slower.
fn start(arguments: &[String], idle: u64) {
    let Ok(program) = std::env::current_exe() else { return };
    let started = Command::new(program)
        .args(["daemon", "--idle", &idle.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not this terminal's: Ctrl-C is for others.
        .process_group(0)
        .spawn();
    if let Some(stdin) = started.ok().and_then(|mut daemon| daemon.stdin.take()) {
        let _ = serde_json::to_writer(stdin, arguments);
    }
}

/// The socket of a daemon for these flags: of this model file as it is now.
fn socket(judging: &Judging) -> std::io::Result<PathBuf> {
    let file = std::fs::canonicalize(&judging.wishes.base.model)?;
    let about = file.metadata()?;
    let (version, digest) = (env!("CARGO_PKG_VERSION"), judging.templates.digest());
    let key =
        format!("{version} {digest} {:?} {} {:?} {}", judging.wishes, about.len(), about.modified()?, file.display());
    // Short: the path of a socket may have some hundred bytes.
    Ok(cache::folder()?.join("daemons").join(super::name_of(&key, 8)))
}

impl Daemon {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let like = match self.like {
            like if like.is_empty() => {
                serde_json::from_reader(std::io::stdin().lock()).context("stdin holds no command line as JSON")?
            }
            like => like,
        };
        let case = case(&like)?;
        let judging = &case.judging;
        let path = socket(judging).context("there is no place for a socket")?;
        if UnixStream::connect(&path).is_ok() {
            // Somebody was quicker.
            return Ok(ExitCode::from(exit::DONE));
        }
        let engine = case.load()?;
        path.parent().map_or(Ok(()), cache::make)?;
        let _ = std::fs::remove_file(&path);
        let listener =
            UnixListener::bind(&path).with_context(|| format!("{} cannot be listened on", path.display()))?;
        let watch = Watch::new(Duration::from_secs(self.idle), path);

        let mut sessions = Sessions::new(&engine, POLICIES);
        for stream in listener.incoming() {
            watch.begin();
            // Whoever hangs up has lost interest; there are others.
            let _ = stream.map(|stream| serve(&stream, judging, &mut sessions));
            watch.end();
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

/// The check that a command line asks for.
fn case(arguments: &[String]) -> Result<super::check::Case, anyhow::Error> {
    let line = ["magistrate"].into_iter().chain(arguments.iter().map(String::as_str));
    match Cli::try_parse_from(line).context("this is no command line of magistrate")?.verb {
        Verb::Check(check) => check.prepare(),
        _ => anyhow::bail!("a daemon answers as check alone\nhint: magistrate daemon -- check -p POLICY and flags"),
    }
}

fn serve(mut stream: &UnixStream, own: &Judging, sessions: &mut Sessions<'_>) -> Result<(), anyhow::Error> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let question: Question = serde_json::from_str(&line)?;
    std::env::set_current_dir(&question.folder)?;
    let mut ears = Ears::Kept { stdout: String::new(), stderr: String::new(), coloured: question.coloured };
    let code = judge(&question, own, sessions, &mut ears).unwrap_or_else(|error| {
        ears.say(&with_causes(&error));
        exit::ERROR
    });
    if let Ears::Kept { stdout, stderr, .. } = ears {
        stream.write_all(&serde_json::to_vec(&Answer { stdout, stderr, code })?)?;
    }
    Ok(())
}

fn judge(
    question: &Question,
    own: &Judging,
    sessions: &mut Sessions<'_>,
    ears: &mut Ears,
) -> Result<u8, anyhow::Error> {
    let case = case(&question.arguments)?;
    let same = case.judging.wishes == own.wishes && case.judging.templates.digest() == own.templates.digest();
    anyhow::ensure!(same, "the daemon has another model or other flags");
    if let Some(note) = judging::note(sessions.engine) {
        ears.say(&note);
    }
    case.judge(&Content::of(question.text.as_str())?, sessions, &mut Clock::new(case.verbose), ears)
}

/// Ends the process when nobody has asked for a while.
struct Watch {
    since: Instant,
    /// When the last one was answered, in milliseconds; for ever in the future while one is.
    last: Arc<AtomicU64>,
}

impl Watch {
    fn new(idle: Duration, path: PathBuf) -> Self {
        let watch = Self { since: Instant::now(), last: Arc::default() };
        let (since, last) = (watch.since, Arc::clone(&watch.last));
        let watching = std::thread::Builder::new().spawn(move || {
            loop {
                std::thread::sleep(idle.clamp(Duration::from_millis(10), Duration::from_secs(1)));
                if since.elapsed().saturating_sub(Duration::from_millis(last.load(Ordering::Relaxed))) >= idle {
                    let _ = std::fs::remove_file(&path);
                    ending::exit(exit::DONE);
                }
            }
        });
        drop(watching);
        watch
    }

    fn begin(&self) {
        self.last.store(u64::MAX, Ordering::Relaxed);
    }

    fn end(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }
}
