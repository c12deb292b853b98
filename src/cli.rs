//! The command line: one file a verb. Flags are validated and resolved into the library's values here.

mod args;
mod case;
mod commands;
#[cfg(unix)]
mod daemon;
mod devices;
mod fitting;
mod loading;
mod models;
mod naming;
mod terminal;
mod tuned;
pub mod waiting;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use self::commands::{bench, cache, calibrate, check, doctor, eval, label, merge, model, policy, prompt, verify};
pub use self::terminal::ending;
pub use self::terminal::error::report;
use self::terminal::{exit, output};

/// Classify text against a written policy, on this machine, with gpt-oss-safeguard GGUF models.
#[derive(Debug, Parser)]
#[command(name = "magistrate", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Judge one text by one or more policies
    Check(check::Check),
    /// Judge a stream of texts, a row for each
    Label(label::Label),
    /// Put the journals of several machines together, or make another output of one
    Merge(merge::Merge),
    /// Judge some rows of a finished run again, and tell where the verdicts differ
    Verify(verify::Verify),
    /// Tell how well a policy does on texts whose answer is known
    Eval(eval::Eval),
    /// Find out how far probabilities can be believed, and which verdicts may be acted on
    Calibrate(calibrate::Calibrate),
    /// Measure how fast this machine judges, and where the time goes
    Bench(bench::Bench),
    /// Keep a model in memory for check --daemon
    #[cfg(unix)]
    Daemon(commands::daemon::Daemon),
    /// Print the exact prompt that a text and a policy make
    Prompt(prompt::Prompt),
    /// List, show, write, lint and compare policies
    Policy(policy::PolicyVerb),
    /// List, inspect, verify and convert models
    Model(model::ModelVerb),
    /// Tell whether machine, build and model are as they should be; exit 1 if not
    Doctor(doctor::Doctor),
    /// Show or clear what is kept in the cache folder
    Cache(cache::CacheVerb),
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
            | Self::Calibrate(_)
            | Self::Bench(_)
            | Self::Doctor(_) => 200,
            #[cfg(unix)]
            Self::Daemon(_) => 200,
            Self::Merge(_) | Self::Prompt(_) | Self::Policy(_) | Self::Model(_) | Self::Cache(_) => return None,
        };
        Some(Duration::from_millis(milliseconds))
    }
}

/// Reads the command line. Returns the exit code if nothing else is to be done: help was asked for, or a flag is wrong.
///
/// A word that clap cannot place may be a piece of the text, which no error repeats. So only what looks like a flag or
/// a verb is named.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let error = discreet(error);
        if error.use_stderr() {
            output::say(error.render().to_string().trim_end());
            ExitCode::from(exit::ERROR)
        } else {
            // Each word of the help is our own. A closed stdout is no error here.
            let _ = error.print();
            ExitCode::from(exit::DONE)
        }
    })
}

fn discreet(mut error: clap::Error) -> clap::Error {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return error,
    };
    let harmless = match error.get(kind) {
        Some(ContextValue::String(word)) => match kind {
            ContextKind::InvalidArg => word.starts_with('-') && is_name(word.trim_start_matches('-')),
            _ => is_name(word),
        },
        _ => true,
    };
    if !harmless {
        let tip = match kind {
            ContextKind::InvalidArg => {
                "put a text of several words in quotes, and one that begins with a dash behind --"
            }
            _ => "to judge a text: magistrate check -p POLICY TEXT",
        };
        error.insert(kind, ContextValue::String("(not shown: it may be a part of the text)".to_owned()));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn is_name(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
}
