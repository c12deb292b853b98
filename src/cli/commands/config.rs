//! `config`: shows the settings that hold and their origin, and writes a first settings file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command, Subcommand};
use magistrate::{cache, files};
use serde_json::{Value, json};

use crate::cli::settings::keys::{KEYS, Key, Kind, Place};
use crate::cli::settings::{Origin, Setting, Settings, places, verbs};
use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Config {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Print JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the settings that hold, and their origin
    Show {
        /// Print JSON
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Print the path of your own settings file
    Path,
    /// Write a settings file with every key as a comment: magistrate.toml in this folder
    Init {
        /// Write your own settings file instead, the one of `config path`
        #[arg(long, help_heading = "Output")]
        user: bool,
    },
}

impl Config {
    pub fn run(self, command: &Command) -> Result<ExitCode, anyhow::Error> {
        match self.verb {
            None => show(command, self.json)?,
            Some(Verb::Show { json }) => show(command, json)?,
            Some(Verb::Path) => output::data(&format!("{}\n", of_user()?.display()))?,
            Some(Verb::Init { user }) => init(user)?,
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

fn of_user() -> Result<PathBuf, anyhow::Error> {
    places::of_user().context("there is no home folder, and so no place for a settings file")
}

fn show(command: &Command, json: bool) -> Result<(), anyhow::Error> {
    let settings = Settings::read(&verbs(command))?;
    // Weaker settings of the same key and verb do not hold.
    let later = |place: usize, setting: &Setting| {
        settings.all[place + 1..].iter().any(|other| other.key == setting.key && other.verb == setting.verb)
    };
    let holding: Vec<&Setting> = settings
        .all
        .iter()
        .enumerate()
        .filter(|(place, setting)| !later(*place, setting))
        .map(|(_, setting)| setting)
        .collect();
    if json {
        let all: Vec<Value> = holding.iter().map(|setting| object(setting)).collect();
        let files: Vec<String> = settings.files.iter().map(|path| path.display().to_string()).collect();
        return output::data(&format!("{}\n", json!({ "settings": all, "files": files })));
    }
    let rows: Vec<[String; 2]> = holding.iter().map(|setting| [line(setting), origin(&setting.origin)]).collect();
    let width = rows.iter().map(|[line, _]| line.chars().count()).max().unwrap_or(0);
    output::print(&rows.iter().map(|[line, origin]| format!("{line:width$}   {origin}\n")).collect::<String>())?;
    if rows.is_empty() {
        output::note("nothing is set, so the defaults hold");
    }
    if settings.files.is_empty() {
        output::hint("magistrate config init writes a first settings file");
    }
    Ok(())
}

/// Returns a path for output: relative to the current folder, where that is possible.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    relative.unwrap_or(path).display().to_string()
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::File { path, line, .. } => format!("{}:{line}", shown(path)),
        Origin::Variable(name) => (*name).to_owned(),
    }
}

/// Returns a setting as a file would have it.
fn line(setting: &Setting) -> String {
    let verb = setting.verb.as_ref().map_or(String::new(), |verb| format!("{verb}."));
    format!("{verb}{} = {}", setting.key.name, value(setting.key, &values(setting)))
}

fn values(setting: &Setting) -> Vec<String> {
    setting.values.iter().map(|value| value.to_string_lossy().into_owned()).collect()
}

/// Returns the value of a key as TOML writes it.
fn value(key: &Key, values: &[String]) -> String {
    let quoted = |value: &String| Value::from(value.as_str()).to_string();
    match (key.kind, values) {
        (Kind::Number | Kind::Count | Kind::Switch, values) => values.join(","),
        (_, [value]) => quoted(value),
        (_, values) => format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", ")),
    }
}

fn object(setting: &Setting) -> Value {
    let (file, line, variable) = match &setting.origin {
        Origin::File { path, line, .. } => (Some(path.display().to_string()), Some(*line), None),
        Origin::Variable(name) => (None, None, Some(*name)),
    };
    let values = values(setting);
    let value = match (setting.key.kind, values.as_slice()) {
        (Kind::List | Kind::Policies, values) => json!(values),
        (Kind::Number | Kind::Count | Kind::Switch, [value]) => serde_json::from_str(value).unwrap_or(json!(value)),
        (_, values) => json!(values.join(",")),
    };
    json!({
        "key": setting.key.name,
        "verb": setting.verb,
        "value": value,
        "file": file,
        "line": line,
        "variable": variable,
    })
}

/// Writes a settings file in which every key is a comment.
fn init(user: bool) -> Result<(), anyhow::Error> {
    let path = if user { of_user()? } else { PathBuf::from(places::PROJECT) };
    ensure_hint!(
        std::fs::symlink_metadata(&path).is_err(),
        ("{} already exists", path.display()),
        "edit it; magistrate config shows the settings that hold"
    );
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        cache::make(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    if let Err(error) = files::create(&path, template(user).as_bytes()) {
        bail_hint!(("{} cannot be written: {}", path.display(), error.kind()), "check the permissions of the folder");
    }
    output::summary(&format!("{} is written. Remove the # before a key to set it.", path.display()));
    Ok(())
}

fn template(user: bool) -> String {
    let mut text = "# Settings of magistrate. A flag comes first, then a variable such as MAGISTRATE_THRESHOLD, then \
        magistrate.toml\n# in this folder or above it, then your own file. `magistrate config` shows the settings that \
        hold.\n\n"
        .to_owned();
    for key in KEYS.iter().filter(|key| user || key.place == Place::Anywhere) {
        text.push_str(&format!("# {} = {}\n", key.name, key.example));
    }
    text.push_str("\n# Settings of one verb:\n# [label]\n# parallel = 16\n");
    text
}
