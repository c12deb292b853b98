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
mod suggestions;
mod terminal;
mod tuned;
pub mod waiting;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::args::global::GlobalArgs;
use self::commands::{bench, cache, calibrate, check, doctor, eval, label, merge, model, policy, prompt, verify};
use self::suggestions::suggested;
pub use self::terminal::ending;
use self::terminal::error::print_json;
pub use self::terminal::error::report;
use self::terminal::{exit, manner, output};

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
            | Self::Calibrate(_)
            | Self::Bench(_)
            | Self::Doctor(_) => 200,
            #[cfg(unix)]
            Self::Daemon(_) => 200,
            Self::Merge(_) | Self::Prompt(_) | Self::Policy(_) | Self::Model(_) | Self::Cache(_) | Self::Version => {
                return None;
            }
        };
        Some(Duration::from_millis(milliseconds))
    }
}

/// Reads the command line, and sets the manner of output. Returns the exit code if nothing is left to do: for help, or a
/// wrong flag.
pub fn parse() -> Result<Cli, ExitCode> {
    let words = words();
    let mut command = Cli::command().color(clap_color(&words));
    let parsed = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        manner::set(cli.global.resolve(prints_json(&matches)));
        Ok(cli)
    });
    parsed.map_err(|error| ended(&suggested(error, &command, &words), &words))
}

/// Prints help, the version or an error of clap. Returns the exit code.
fn ended(error: &clap::Error, words: &[String]) -> ExitCode {
    if error.kind() == ErrorKind::DisplayVersion {
        return version().unwrap_or_else(|error| report(&error));
    }
    if !error.use_stderr() {
        // The help contains no text of the user. A closed stdout is no error here.
        let _ = error.print();
        return ExitCode::from(exit::DONE);
    }
    // An error repeats words of the user, which `message` makes harmless for the terminal.
    let text = error.render().to_string();
    output::message(text.trim_end());
    if words.iter().any(|word| word == "--json") {
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        print_json("usage", message, &[]);
    }
    ExitCode::from(exit::ERROR)
}

/// Prints the version of the program, which is the version of each verb.
pub fn version() -> Result<ExitCode, anyhow::Error> {
    output::print(&format!("magistrate {}\n", env!("CARGO_PKG_VERSION")))?;
    Ok(ExitCode::from(exit::DONE))
}

/// Returns the words of the command line that may be flags: those before `--`.
fn words() -> Vec<String> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.take_while(|word| word != "--").collect()
}

/// Returns the colors of help and of clap's errors. Both come before the flags are known, so `--color` is searched.
fn clap_color(words: &[String]) -> ColorChoice {
    let after = words.iter().zip(words.iter().skip(1)).find_map(|(flag, value)| (flag == "--color").then_some(value));
    let inside = words.iter().find_map(|word| word.strip_prefix("--color="));
    match inside.or(after.map(String::as_str)) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// Reports whether the verb was asked for JSON.
fn prints_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, inner)) => prints_json(inner),
        None => matches!(matches.try_get_one::<bool>("json"), Ok(Some(true))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    /// Checks the help of a verb, and of the verbs in it.
    fn check_help(command: &Command, name: &str) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.contains('\n'), "`{name}` has no line of help");
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            assert!(flag.get_help().is_some(), "`{name}` has no help for `{}`", flag.get_id());
        }
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
            check_help(verb, &format!("{name} {}", verb.get_name()));
        }
    }

    #[test]
    fn every_verb_has_help() {
        let mut command = Cli::command();
        command.build();
        check_help(&command, "magistrate");
    }

    #[test]
    fn color_of_help_is_read_from_the_words() {
        let color = |words: &[&str]| clap_color(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(color(&["check", "--color", "never"]), ColorChoice::Never);
        assert_eq!(color(&["--color=always", "check"]), ColorChoice::Always);
        assert_eq!(color(&["check", "never"]), ColorChoice::Auto);
    }
}
