//! `daemon`: keeps a model in memory, so that each `check` answers in milliseconds.

mod serve;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::cli::args::check::CheckArgs;
use crate::cli::args::global::GlobalArgs;
use crate::cli::case::Case;
use crate::cli::daemon::client;
use crate::cli::settings::defaults::parse_verb;
use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::exit;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Daemon {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Seconds without requests after which it exits
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    idle: u64,

    /// Check to answer as: check -p POLICY, and flags for model, engine and templates
    #[arg(value_name = "CHECK", last = true)]
    like: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the daemons that run: model, age, number of answers and idle time
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop all daemons
    Stop,
    /// Serve with the settings on stdin, for check --daemon
    #[command(hide = true)]
    Serve,
}

impl Daemon {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Some(Verb::Status { json }) => client::status(json),
            Some(Verb::Stop) => {
                client::stop()?;
                Ok(ExitCode::from(exit::DONE))
            }
            Some(Verb::Serve) => serve::serve(
                serde_json::from_reader(std::io::stdin().lock()).context("stdin holds no start of a daemon")?,
            ),
            None => serve::serve(client::start(&case(&self.like)?, self.idle)),
        }
    }
}

/// The words of a check, behind `magistrate check`.
#[derive(Debug, Parser)]
#[command(name = "check", bin_name = "magistrate check", no_binary_name = true)]
struct Words {
    #[command(flatten)]
    check: CheckArgs,

    /// Taken for the words' sake: a daemon prints nothing, and each check brings its own.
    #[command(flatten)]
    _global: GlobalArgs,
}

/// Parses a command line, and prepares the check that it asks for.
fn case(arguments: &[String]) -> anyhow::Result<Case> {
    let Some((verb, words)) = arguments.split_first() else {
        bail_hint!(
            "a daemon needs the check that it is to answer as",
            "magistrate daemon -- check -p POLICY, and flags; or magistrate daemon status"
        );
    };
    ensure_hint!(
        verb == "check",
        "a daemon answers as check alone",
        "magistrate daemon -- check -p POLICY, and flags; or magistrate daemon status"
    );
    let words: Words = parse_verb(&Words::command(), verb, words).context("this is not a magistrate command")?;
    words.check.prepare()
}
