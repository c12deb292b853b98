//! Settings as the defaults of flags: a command line that is parsed with them, and the error of a value that its flag
//! refuses.

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use super::{Origin, Setting, Settings, takes};
use crate::cli::terminal::error::hinted;

/// Parses a command line with settings as the defaults of its flags. `given` is the result without them.
pub fn apply(
    settings: &Settings,
    command: Command,
    words: &[OsString],
    given: &ArgMatches,
) -> Result<ArgMatches, anyhow::Error> {
    let path = path(given);
    apply_to(settings, command, &path, path.first().copied().unwrap_or_default(), words, given)
}

/// Parses the words of a verb alone with the settings of this process. `command` is the verb.
#[cfg(unix)]
pub fn parse_verb<T: clap::FromArgMatches>(
    command: &Command,
    verb: &str,
    words: &[String],
) -> Result<T, anyhow::Error> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let given = command.clone().try_get_matches_from(&words)?;
    let settings = CURRENT.get_or_init(Settings::default);
    Ok(T::from_arg_matches(&apply_to(settings, command.clone(), &[], verb, &words, &given)?)?)
}

/// The settings of this process, which `daemon` applies to the check that it is to answer as.
static CURRENT: OnceLock<Settings> = OnceLock::new();

/// Keeps the settings of this process.
pub fn keep(settings: Settings) -> &'static Settings {
    CURRENT.get_or_init(|| settings)
}

/// Parses words with settings as the defaults of a verb, to which `path` leads.
fn apply_to(
    settings: &Settings,
    command: Command,
    path: &[&str],
    verb: &str,
    words: &[OsString],
    given: &ArgMatches,
) -> Result<ArgMatches, anyhow::Error> {
    let raw = innermost(given).try_get_raw("decode").ok().flatten();
    let free = raw.is_some_and(|mut values| values.any(|value| value == "free"));
    // Free decoding gives no probability, and a setting for all runs does not forbid it.
    let fits = |setting: &&Setting| !(free && ["threshold", "min-mass", "certificate"].contains(&setting.key.name));
    let settings: Vec<&Setting> = settings.for_verb(verb).into_iter().filter(fits).collect();
    with_defaults(command, path, &settings).try_get_matches_from(words).map_err(|error| match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => refusal(error, &settings),
        _ => error.into(),
    })
}

/// Returns the error for a value that its flag does not take, with the place of the setting.
fn refusal(error: clap::Error, settings: &[&Setting]) -> anyhow::Error {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.clone(),
        _ => String::new(),
    };
    let name = flag.trim_start_matches('-').split([' ', '[', '=']).next().unwrap_or_default();
    let Some(setting) = settings.iter().find(|setting| setting.key.name == name) else { return error.into() };
    let value: Vec<String> = setting.values.iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let place = match &setting.origin {
        Origin::File { path, line, column } => format!("{}:{line}:{column}", path.display()),
        Origin::Variable(name) => (*name).to_owned(),
    };
    // The reason is behind the flag in clap's sentence, or missing where only a few values are possible.
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    let reason = line.split_once("': ").map_or(String::new(), |(_, reason)| format!(": {reason}"));
    let error = anyhow::anyhow!("{place}: `{}` cannot be `{}`{reason}", setting.key.name, value.join(","));
    match text.lines().find_map(|line| line.trim().strip_prefix("[possible values: ")) {
        Some(values) => hinted(error, format!("possible values: {}", values.trim_end_matches(']'))),
        None => error,
    }
}

/// Returns the command with the settings as defaults. `path` has the names of the verbs.
fn with_defaults(command: Command, path: &[&str], settings: &[&Setting]) -> Command {
    let mut command = command;
    let taken: Vec<&Setting> = settings.iter().copied().filter(|setting| takes(&command, setting.key)).collect();
    for setting in taken {
        // clap keeps defaults for the whole process.
        let values: Vec<&'static OsStr> =
            setting.values.iter().map(|value| &*Box::leak(value.clone().into_boxed_os_str())).collect();
        command = command.mut_arg(setting.key.id, |flag| flag.default_values(values).hide_default_value(true));
    }
    match path.split_first() {
        Some((name, rest)) => command.mut_subcommand(*name, |verb| with_defaults(verb, rest, settings)),
        None => command,
    }
}

fn path(matches: &ArgMatches) -> Vec<&str> {
    matches.subcommand().map_or_else(Vec::new, |(name, inner)| [vec![name], path(inner)].concat())
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}
