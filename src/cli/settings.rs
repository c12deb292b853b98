//! Settings beside the command line: the user's file, the project's file and environment variables.
//!
//! The one idea: a setting becomes the default of its flag. So a flag on the command line comes first, a setting is checked
//! as a flag is, and a run's terms contain it like a flag.

pub mod defaults;
mod file;
pub mod keys;
pub mod places;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;

use self::file::Entry;
use self::keys::{KEYS, Key, Kind};
use super::terminal::error::bail_hint;

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
    /// The values that its flag gets.
    pub values: Vec<OsString>,
    pub origin: Origin,
}

/// The origin of a setting.
#[derive(Clone, Debug)]
pub enum Origin {
    Variable(&'static str),
    File { path: PathBuf, line: usize, column: usize },
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
        for key in KEYS.iter().filter(|key| !key.variable.is_empty()) {
            if let Some(value) = std::env::var_os(key.variable).filter(|value| !value.is_empty()) {
                let values = of_variable(key, value)?;
                settings.all.push(Setting { key, verb: None, values, origin: Origin::Variable(key.variable) });
            }
        }
        Ok(settings)
    }

    fn read_file(&mut self, path: PathBuf, is_project: bool, verbs: &[String]) -> Result<(), anyhow::Error> {
        /// Far more than all keys take.
        const LARGEST: u64 = 1 << 20;
        let too_large = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LARGEST);
        anyhow::ensure!(!too_large, "{}: larger than 1 MiB, which is no settings file", path.display());
        let Ok(text) = std::fs::read_to_string(&path) else {
            bail_hint!(
                ("{} cannot be read as UTF-8", path.display()),
                "MAGISTRATE_NO_CONFIG=1 reads no settings files"
            );
        };
        for Entry { key, verb, values, line, column } in file::read(&path, &text, is_project, verbs)? {
            let values = values.into_iter().map(OsString::from).collect();
            self.all.push(Setting { key, verb, values, origin: Origin::File { path: path.clone(), line, column } });
        }
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

/// Returns the values of a variable, as a flag would get them.
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
