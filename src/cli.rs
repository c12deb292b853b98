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
pub mod waiting;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, ColorChoice, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::args::global::GlobalArgs;
use self::commands::{
    bench, cache, calibrate, check, completions, config, dev, doctor, eval, label, man, merge, model, policy, prompt,
    verify,
};
use self::settings::Settings;
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
    /// Keep a model in memory for check --daemon
    #[cfg(unix)]
    Daemon(commands::daemon::Daemon),
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
            | Self::Doctor(_) => 200,
            #[cfg(unix)]
            Self::Daemon(_) => 200,
            Self::Merge(_)
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
    let (arguments, words): (Vec<OsString>, _) = (std::env::args_os().collect(), words());
    let command = command().color(clap_color(&words));
    let parsed = command.clone().try_get_matches_from_mut(&arguments).and_then(|matches| {
        manner::set_json(prints_json(&matches));
        let cli = Cli::from_arg_matches(&matches)?;
        // Help for the settings must not depend on them.
        if !cli.verb.takes_settings() {
            return Ok(Ok(cli));
        }
        let with_settings = Settings::read(&settings::verbs(&command))
            .and_then(|settings| settings::apply(settings::keep(settings), command.clone(), &arguments, &matches));
        match with_settings {
            Ok(matches) => matches.and_then(|matches| Cli::from_arg_matches(&matches)).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    });
    match parsed {
        Ok(Ok(cli)) => {
            manner::set(cli.global.resolve());
            Ok(cli)
        }
        Ok(Err(error)) => Err(report(&error)),
        Err(error) => {
            // Only a built command has the global flags in every verb.
            let mut built = command;
            built.build();
            Err(ended(&suggested(error, &built, &words), &words))
        }
    }
}

/// Returns the command line as clap reads it, with its help.
pub fn command() -> Command {
    help::dressed(Cli::command())
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
    let text = suggestions::in_words(&error.render().to_string());
    output::message(text.trim_end());
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && words.is_empty() {
        output::message(first_steps());
    }
    if words.iter().any(|word| word == "--json") {
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        print_json("usage", message, &[]);
    }
    ExitCode::from(exit::ERROR)
}

/// Returns the first commands for a machine without a model, else the way to its models.
fn first_steps() -> &'static str {
    if models::places().find().is_empty() {
        "\nFirst steps:\n  magistrate doctor                   checks this machine\n  \
         magistrate check -p spam 'Buy now'  tries the small built-in model\n  \
         magistrate model pull 20b           fetches a model for real use (12 GB)"
    } else {
        "\nFirst steps:\n  magistrate doctor      checks this machine\n  \
         magistrate model list  lists its models, for --model"
    }
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

    /// Returns all visible verbs, with their names behind `magistrate`.
    fn all(command: &Command, name: &str) -> Vec<(String, Command)> {
        let mut verbs = vec![(name.to_owned(), command.clone())];
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
            verbs.extend(all(verb, format!("{name} {}", verb.get_name()).trim_start()));
        }
        verbs
    }

    fn verbs() -> Vec<(String, Command)> {
        let mut command = command();
        command.build();
        all(&command, "")
    }

    #[test]
    fn every_verb_and_every_flag_has_a_line_of_help_in_a_group() {
        const GROUPS: [&str; 7] = ["Input", "Output", "Policy", "Model", "Judging", "Engine", "Global"];
        for (name, verb) in verbs() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.contains('\n'), "`{name}` has no line of help");
            for flag in verb.get_arguments().filter(|flag| !flag.is_hide_set()) {
                let id = flag.get_id();
                assert!(flag.get_help().is_some(), "`{name}` has no help for `{id}`");
                let grouped = flag.get_help_heading().is_some_and(|group| GROUPS.contains(&group));
                assert!(grouped || flag.is_positional(), "`{name}`: `{id}` is in no group");
            }
        }
    }

    #[test]
    fn the_short_help_of_every_verb_fits_a_screen() {
        const LINES: usize = 40;
        for (name, mut verb) in verbs() {
            let help = verb.render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= LINES, "`magistrate {name} -h` has {lines} lines:\n{help}");
        }
    }

    /// Returns the words of a command as a shell passes them, with the part of a pipe that is ours.
    fn shell_words(command: &str) -> Vec<String> {
        let ours = command.split(['|', '(']).map(str::trim).find(|part| part.starts_with("magistrate")).unwrap();
        let ours = ours.split([')', '>']).next().unwrap().trim();
        let (mut words, mut quoted) = (vec![String::new()], false);
        for letter in ours.chars() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                other => words.last_mut().unwrap().push(other),
            }
        }
        words
    }

    #[test]
    fn every_long_help_ends_with_examples_that_parse_and_with_exit_codes() {
        for (name, mut verb) in verbs() {
            let help = verb.render_long_help().to_string();
            let (_, end) =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("`magistrate {name}` has no example"));
            assert!(end.contains("Exit codes:\n"), "{help}");
            let examples: Vec<&str> = end.lines().take_while(|line| line.starts_with("  ")).collect();
            for (place, line) in examples.iter().enumerate() {
                assert!(line.chars().count() <= 100, "{line}");
                let about = line.trim().strip_prefix("# ");
                assert_eq!(about.is_some(), place % 2 == 0, "{line}");
                if about.is_none() {
                    let words = shell_words(line);
                    let parsed = command().try_get_matches_from(&words);
                    parsed.unwrap_or_else(|error| panic!("`{}`: {error}", line.trim()));
                    let path = name.split(' ').filter(|part| !part.is_empty());
                    assert!(path.into_iter().all(|part| words.contains(&part.to_owned())) || name.is_empty(), "{line}");
                }
            }
        }
    }

    #[test]
    fn every_variable_that_the_program_reads_is_in_a_help() {
        let helps: String = verbs().into_iter().map(|(_, mut verb)| verb.render_long_help().to_string()).collect();
        let mut count = 0;
        for variable in read_variables() {
            count += 1;
            assert!(helps.contains(&variable), "{variable} is in no help");
        }
        assert!(count > 35, "the variables were not found");
    }

    /// Returns the names of environment variables in the source: words in quotes with these beginnings.
    fn read_variables() -> std::collections::BTreeSet<String> {
        const BEGINNINGS: [&str; 10] = [
            "MAGISTRATE_",
            "HF_",
            "HUGGINGFACE_",
            "OLLAMA_",
            "LLAMA_",
            "XDG_",
            "NO_COLOR",
            "CLICOLOR",
            "OMP_",
            "GOMP_",
        ];
        // Set by the program for itself.
        const OWN: [&str; 2] = ["MAGISTRATE_SPINCOUNT_CHOSEN", "MAGISTRATE_BUILT_BACKENDS"];
        let mut names = std::collections::BTreeSet::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                    continue;
                }
                let source = std::fs::read_to_string(&entry).unwrap_or_default();
                for word in source.split('"') {
                    let is_name = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                    let begins = BEGINNINGS.iter().any(|beginning| word.starts_with(beginning) && word != *beginning);
                    if is_name && (begins || BEGINNINGS.contains(&word) && !word.ends_with('_')) && !OWN.contains(&word)
                    {
                        names.insert(word.to_owned());
                    }
                }
            }
        }
        names
    }

    #[test]
    fn color_of_help_is_read_from_the_words() {
        let color = |words: &[&str]| clap_color(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(color(&["check", "--color", "never"]), ColorChoice::Never);
        assert_eq!(color(&["--color=always", "check"]), ColorChoice::Always);
        assert_eq!(color(&["check", "never"]), ColorChoice::Auto);
    }
}
