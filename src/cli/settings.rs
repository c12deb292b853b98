//! Settings beside the command line: the user's file, the project's file and environment variables.
//!
//! The one idea: a setting becomes the default of its flag. So a flag on the command line comes first, a setting is checked
//! as a flag is, and a run's terms contain it like a flag.

mod file;
pub mod keys;
pub mod places;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, FromArgMatches};

use self::file::Entry;
use self::keys::{KEYS, Key, Kind};
use super::terminal::error::{bail_hint, hinted};

/// All settings of this process.
#[derive(Debug, Default)]
pub struct Settings {
    /// The files that were read: the user's, then the project's.
    pub files: Vec<PathBuf>,
    /// The settings, the weakest first.
    pub all: Vec<Setting>,
}

/// A setting and its origin.
#[derive(Clone, Debug)]
pub struct Setting {
    pub key: &'static Key,
    /// The verb to which it applies. `None` for all verbs.
    pub verb: Option<String>,
    pub words: Vec<OsString>,
    pub origin: Origin,
}

/// The origin of a setting.
#[derive(Clone, Debug)]
pub enum Origin {
    Variable(&'static str),
    File { path: PathBuf, line: usize, column: usize },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => out.write_str(name),
            Self::File { path, line, .. } => write!(out, "{}:{line}", path.display()),
        }
    }
}

impl Settings {
    /// Reads the files and the variables. `verbs` are the names of tables in a file.
    pub fn read(verbs: &[String]) -> Result<Self, anyhow::Error> {
        let mut settings = Self::default();
        if !is_set("MAGISTRATE_NO_CONFIG") {
            let home = std::env::home_dir();
            let project = std::env::current_dir().ok().and_then(|here| places::of_project(&here, home.as_deref()));
            let user = places::of_user().filter(|file| file.is_file());
            for (path, is_project) in user.map(|path| (path, false)).into_iter().chain(project.map(|path| (path, true)))
            {
                settings.read_file(path, is_project, verbs)?;
            }
        }
        for key in KEYS {
            if let Some(value) = std::env::var_os(key.variable).filter(|value| !value.is_empty()) {
                let words = of_variable(key, value)?;
                settings.all.push(Setting { key, verb: None, words, origin: Origin::Variable(key.variable) });
            }
        }
        Ok(settings)
    }

    fn read_file(&mut self, path: PathBuf, is_project: bool, verbs: &[String]) -> Result<(), anyhow::Error> {
        /// Far more than all keys take.
        const LARGEST: u64 = 1 << 20;
        let too_large = std::fs::metadata(&path).is_ok_and(|about| about.len() > LARGEST);
        anyhow::ensure!(!too_large, "{}: larger than 1 MiB, which is no settings file", path.display());
        let Ok(text) = std::fs::read_to_string(&path) else {
            bail_hint!(
                ("{} cannot be read as UTF-8", path.display()),
                "MAGISTRATE_NO_CONFIG=1 reads no settings files"
            );
        };
        for Entry { key, verb, words, line, column } in file::read(&path, &text, is_project, verbs)? {
            let words = words.into_iter().map(OsString::from).collect();
            self.all.push(Setting { key, verb, words, origin: Origin::File { path: path.clone(), line, column } });
        }
        // Within a file a verb's own table comes after the keys for all verbs, and so wins.
        self.files.push(path);
        Ok(())
    }

    /// Returns the strongest setting of each key for a verb.
    pub fn for_verb(&self, verb: &str) -> Vec<&Setting> {
        let strongest = |key: &&Key| {
            self.all
                .iter()
                .rev()
                .find(|setting| setting.key == *key && setting.verb.as_deref().is_none_or(|of| of == verb))
        };
        KEYS.iter().filter_map(|key| strongest(&key)).collect()
    }
}

/// Returns the words of a variable, as a flag would get them.
fn of_variable(key: &Key, value: OsString) -> Result<Vec<OsString>, anyhow::Error> {
    match key.kind {
        Kind::Switch => {
            let on = match value.to_string_lossy().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => "true",
                "0" | "false" | "no" | "off" => "false",
                // Every other value turns the variables of Hugging Face's programs on.
                _ if key.variable.starts_with("HF_") => "true",
                _ => anyhow::bail!("{} must be 1 or 0", key.variable),
            };
            Ok(vec![on.into()])
        }
        Kind::List | Kind::Policies => match value.to_str() {
            Some(text) => Ok(text.split(',').map(|word| word.trim().into()).collect()),
            None => Ok(vec![value]),
        },
        _ => Ok(vec![value]),
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Returns the verbs that a settings file may have a table for.
pub fn verbs(command: &Command) -> Vec<String> {
    let takes = |verb: &&Command| KEYS.iter().any(|key| key.group != "GlobalArgs" && takes(verb, key));
    command.get_subcommands().filter(takes).map(|verb| verb.get_name().to_owned()).collect()
}

/// Reports whether a verb has the flag of a key.
pub fn takes(verb: &Command, key: &Key) -> bool {
    verb.get_groups().any(|group| group.get_id() == key.group)
        && verb.get_arguments().any(|flag| flag.get_id() == key.id)
}

/// Parses a command line with settings as the defaults of its flags. `given` is the result without them.
pub fn apply(
    settings: &Settings,
    command: Command,
    words: &[OsString],
    given: &ArgMatches,
) -> Result<Result<ArgMatches, clap::Error>, anyhow::Error> {
    let path = path(given);
    settings.apply_to(command, &path, path.first().copied().unwrap_or_default(), words, given)
}

/// Parses the words of a verb alone with the settings of this process. `command` is the verb.
#[cfg(unix)]
pub fn parse_verb<T: FromArgMatches>(command: &Command, verb: &str, words: &[String]) -> Result<T, anyhow::Error> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let given = command.clone().try_get_matches_from(&words)?;
    let settings = CURRENT.get_or_init(Settings::default);
    Ok(T::from_arg_matches(&settings.apply_to(command.clone(), &[], verb, &words, &given)??)?)
}

/// The settings of this process, which `daemon` applies to the check that it is to answer as.
static CURRENT: OnceLock<Settings> = OnceLock::new();

/// Keeps the settings of this process.
pub fn keep(settings: Settings) -> &'static Settings {
    CURRENT.get_or_init(|| settings)
}

impl Settings {
    /// Parses words with settings as the defaults of a verb, to which `path` leads.
    fn apply_to(
        &self,
        command: Command,
        path: &[&str],
        verb: &str,
        words: &[OsString],
        given: &ArgMatches,
    ) -> Result<Result<ArgMatches, clap::Error>, anyhow::Error> {
        let raw = innermost(given).try_get_raw("decode").ok().flatten();
        let free = raw.is_some_and(|mut values| values.any(|value| value == "free"));
        // Free decoding gives no probability, and a setting for all runs does not forbid it.
        let fits = |setting: &&Setting| !(free && ["threshold", "min-mass", "certificate"].contains(&setting.key.name));
        let settings: Vec<&Setting> = self.for_verb(verb).into_iter().filter(fits).collect();
        match with_defaults(command, path, &settings).try_get_matches_from(words) {
            Err(error) if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) => {
                Err(refusal(error, &settings))
            }
            parsed => Ok(parsed),
        }
    }
}

/// Returns the error for a value that its flag does not take, with the place of the setting.
fn refusal(error: clap::Error, settings: &[&Setting]) -> anyhow::Error {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.clone(),
        _ => String::new(),
    };
    let name = flag.trim_start_matches('-').split([' ', '[', '=']).next().unwrap_or_default();
    let Some(setting) = settings.iter().find(|setting| setting.key.name == name) else { return error.into() };
    let value: Vec<String> = setting.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
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
        let words: Vec<&'static OsStr> =
            setting.words.iter().map(|word| &*Box::leak(word.clone().into_boxed_os_str())).collect();
        command = command.mut_arg(setting.key.id, |flag| flag.default_values(words).hide_default_value(true));
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

/// Returns a path for output: relative to the current folder, where that is possible.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    relative.unwrap_or(path).display().to_string()
}
