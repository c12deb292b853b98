//! The command line: the verbs, and the parsing of their flags.

mod args;
mod case;
mod commands;
#[cfg(unix)]
mod daemon;
mod devices;
mod fitting;
mod length;
mod loading;
mod models;
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
    /// Judge a stream of texts, one row each
    Label(label::Label),
    /// Join the journals of several machines, or write another output from one
    Merge(merge::Merge),
    /// Judge some rows of a finished run again, and report differences
    Verify(verify::Verify),
    /// Measure a policy on texts with known answers
    Eval(eval::Eval),
    /// Calibrate probabilities, and certify the verdicts that may be acted on
    Calibrate(calibrate::Calibrate),
    /// Measure how fast this machine judges, and where the time goes
    Bench(bench::Bench),
    /// Keep a model in memory for check --daemon
    #[cfg(unix)]
    Daemon(commands::daemon::Daemon),
    /// Print the exact prompt of a text and a policy
    Prompt(prompt::Prompt),
    /// List, show, write, lint and compare policies
    Policy(policy::PolicyVerb),
    /// List, inspect, verify and convert models
    Model(model::ModelVerb),
    /// Check the machine, the build and the model; exit 1 on a problem
    Doctor(doctor::Doctor),
    /// Show or clear the cache folder
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

/// Reads the command line. Returns the exit code if nothing is left to do: for help, or a wrong flag.
///
/// A word that clap cannot place may be a piece of the text, which no error repeats. So only what looks like a flag or
/// a verb is named.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let error = discreet(error);
        if error.use_stderr() {
            // An error repeats words of the user, which `message` makes harmless for the terminal.
            output::message(error.render().to_string().trim_end());
            ExitCode::from(exit::ERROR)
        } else {
            // The help contains no text of the user. A closed stdout is no error here.
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
        // clap's own tip repeats the word, so another takes its place.
        error.insert(kind, ContextValue::String("(not shown: it may be a part of the text)".to_owned()));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn is_name(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};
    use insta::assert_snapshot;

    use super::*;

    /// Checks a verb and the verbs in it, and appends their help.
    fn check_help(command: &mut Command, name: &str, text: &mut String) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.contains('\n'), "`{name}` has no line of help");
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            assert!(flag.get_help().is_some(), "`{name}` has no help for `{}`", flag.get_id());
        }
        text.push_str(&format!("$ {name} --help\n{}\n", command.render_long_help()));
        for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
            let name = format!("{name} {}", verb.get_name());
            check_help(verb, &name, text);
        }
    }

    #[test]
    fn every_verb_has_help() {
        let mut command = Cli::command();
        command.build();
        let mut text = String::new();
        check_help(&mut command, "magistrate", &mut text);
        assert_snapshot!(text);
    }
}
