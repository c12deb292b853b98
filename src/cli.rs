//! The command line: the verbs, and the parsing of their flags.

mod args;
mod case;
mod commands;
#[cfg(unix)]
mod daemon;
mod daily;
mod devices;
mod fitting;
mod help;
mod length;
mod loading;
mod models;
mod settings;
mod suggestions;
mod terminal;
mod tuned;
mod usage;
pub mod waiting;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::args::global::GlobalArgs;
use self::commands::{
    bench, cache, calibrate, check, completions, config, dev, doctor, eval, label, man, merge, model, policy, prompt,
    review, verify, warm, worker,
};
use self::settings::{Settings, defaults};
use self::suggestions::suggested;
pub use self::terminal::ending;
pub use self::terminal::error::report;
use self::terminal::manner;
pub use self::usage::version;

/// Classify text against a written policy, on this machine, with gpt-oss-safeguard GGUF models.
#[derive(Debug, Parser)]
#[command(name = "magistrate", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Judge one text by one or more policies
    Check(check::Check),
    /// Label a file of texts, one result row per text
    Label(label::Label),
    /// Merge shards, or export a run again in another form
    Merge(merge::Merge),
    /// Judge some rows of a finished run again, and report differences
    Verify(verify::Verify),
    /// Evaluate a policy on labeled texts
    Eval(eval::Eval),
    /// Judge a golden set again after each change of a policy, and show the difference
    Dev(dev::Dev),
    /// Calibrate probabilities, and certify automatic decisions
    Calibrate(calibrate::Calibrate),
    /// Measure how fast this machine judges, and where the time goes
    Bench(bench::Bench),
    /// Judge lines of JSON on stdin, for programs that send batches of texts
    Worker(worker::Worker),
    /// Serve policies over HTTP, to programs that can be pointed at an address
    #[cfg(feature = "serve")]
    Serve(Box<commands::serve::Serve>),
    /// Export the decisions of a server's review queue
    Review(review::ReviewVerb),
    /// Keep a model in memory for check --daemon
    #[cfg(unix)]
    Daemon(commands::daemon::Daemon),
    /// Read policies ahead, so that later runs begin at once
    Warm(warm::Warm),
    /// Print the exact prompt of a text and a policy
    Prompt(prompt::Prompt),
    /// List, show, write, import, lint and compare policies
    Policy(policy::PolicyVerb),
    /// List, fetch, fit, inspect and convert models
    Model(model::ModelVerb),
    /// Check the machine, the build and the model
    Doctor(doctor::Doctor),
    /// Show or clear the cache folder
    Cache(cache::CacheVerb),
    /// Show the settings that hold, and their origin
    Config(config::Config),
    /// Print a script that completes commands in a shell
    Completions(completions::Completions),
    /// Print the manual page of a verb, or write all pages into a folder
    Man(man::Man),
    /// Print the version
    #[command(hide = true)]
    Version,
}

impl Verb {
    /// Returns how long the verb may look at the machine before it loads a model. The time is short where one text
    /// waits for its verdict. `None` for a verb that loads no model.
    pub fn patience(&self) -> Option<Duration> {
        let milliseconds = match self {
            Self::Check(_) => 20,
            Self::Label(_)
            | Self::Verify(_)
            | Self::Eval(_)
            | Self::Dev(_)
            | Self::Calibrate(_)
            | Self::Bench(_)
            | Self::Warm(_)
            | Self::Worker(_)
            | Self::Doctor(_) => 200,
            #[cfg(unix)]
            Self::Daemon(_) => 200,
            #[cfg(feature = "serve")]
            Self::Serve(_) => 200,
            Self::Merge(_)
            | Self::Review(_)
            | Self::Prompt(_)
            | Self::Policy(_)
            | Self::Model(_)
            | Self::Cache(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Version => return None,
        };
        Some(Duration::from_millis(milliseconds))
    }

    /// Reports whether settings apply to the verb. `config` shows them, and reads them by itself.
    fn takes_settings(&self) -> bool {
        !matches!(self, Self::Config(_) | Self::Completions(_) | Self::Man(_) | Self::Version)
    }
}

/// Reads the command line and the settings, and sets the manner of output. Returns the exit code if nothing is left to
/// do: for help, or a wrong flag.
pub fn parse() -> Result<Cli, ExitCode> {
    let words = usage::words();
    let mut command = command().color(usage::color(&words));
    read(&command).map_err(|error| match error.downcast() {
        Ok(error) => {
            // Only a built command has the global flags in every verb.
            command.build();
            usage::ended(&suggested(error, &command, &words), &words)
        }
        Err(error) => report(&error),
    })
}

/// Reads the command line, and once more with the settings as defaults. An error may be clap's.
fn read(command: &Command) -> Result<Cli, anyhow::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = command.clone().try_get_matches_from(&arguments)?;
    // Before the settings: an error in one of them is JSON, too.
    manner::set_json(usage::is_for_json(&matches));
    let mut cli = Cli::from_arg_matches(&matches)?;
    // Help for the settings must not depend on them.
    if cli.verb.takes_settings() {
        let settings = defaults::keep(Settings::read(&settings::verbs(command))?);
        cli = Cli::from_arg_matches(&defaults::apply(settings, command.clone(), &arguments, &matches)?)?;
    }
    manner::set(cli.global.resolve());
    Ok(cli)
}

/// Returns the command line as clap reads it, with its help.
pub fn command() -> Command {
    help::dressed(Cli::command())
}
