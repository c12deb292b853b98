//! `policy`: what policies there are, what they say, and how one comes about.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use magistrate::files::{self, Files};
use magistrate::gguf::TRAINED_FOR;
use magistrate::policy::diff::diff;
use magistrate::policy::import::{Imported, import};
use magistrate::policy::{self, Body, Manuscript, PolicyLibrary};
use magistrate::prompt::{Templates, policy_text};

use super::lint::{Lint, length};
use super::new::New;
use super::{exit, output};

#[derive(Debug, Args)]
pub struct PolicyVerb {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the shipped policies
    List,
    /// Print a policy: as YAML to save and own, or as the model reads it
    Show {
        /// A shipped policy's id, or a file
        policy: String,
        /// Print the instructions that the model reads
        #[arg(long)]
        rendered: bool,
    },
    /// Write a new policy, from flags or by asking
    New(Box<New>),
    /// Turn a policy in prose or Markdown into YAML
    Import {
        /// A .md or .txt file
        file: PathBuf,
        #[command(flatten)]
        output: NewFile,
    },
    /// Find what weakens a policy or breaks the replies to it
    Lint(Lint),
    /// Tell what changed from one policy to another
    Diff {
        /// The earlier one: a shipped policy's id, or a file
        before: String,
        /// The later one
        after: String,
    },
    /// Print the JSON Schema of a policy's YAML
    Schema,
}

impl PolicyVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let text = match self.verb {
            Verb::List => {
                output::print(&list())?;
                output::say("* the built-in model was trained for it; the others need a real model (--model)");
                return Ok(ExitCode::SUCCESS);
            }
            Verb::Show { policy, rendered: true } => {
                let policy = policy::load(&policy, None)?;
                format!("{}\n", policy_text(&Templates::shipped(), &policy)?)
            }
            Verb::Show { policy, rendered: false } => {
                let manuscript = Manuscript::open(&policy)?;
                // It is printed once it is known to be a policy.
                manuscript.policy(None)?;
                manuscript.text
            }
            Verb::New(new) => return new.run(),
            Verb::Import { file, output } => return import_from(&file, &output),
            Verb::Lint(lint) => return lint.run(),
            Verb::Diff { before, after } => return compare(&before, &after),
            Verb::Schema => format!("{:#}\n", policy::schema()),
        };
        output::data(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list() -> String {
    let policies: Vec<_> = PolicyLibrary::shipped().iter().collect();
    let width = policies.iter().map(|policy| policy.id.len()).max().unwrap_or(0);
    policies
        .iter()
        .map(|policy| {
            let summary = match &policy.body {
                Body::Structured(rules) => rules.summary.trim(),
                Body::Verbatim(_) => &policy.title,
            };
            let known = if TRAINED_FOR.contains(&policy.id.as_str()) { "*" } else { " " };
            format!("{:width$} {known} {summary}\n", policy.id)
        })
        .collect()
}

/// A new file. Without a name, or for `-`, it is stdout.
#[derive(Debug, Default, Args)]
pub struct NewFile {
    /// Where the YAML goes; stdout without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl NewFile {
    /// Returns the file's path. Refuses one that exists already or cannot be made.
    pub fn path(&self) -> Result<Option<&Path>, anyhow::Error> {
        let path = self.output.as_deref().filter(|path| path.as_os_str() != "-");
        if let Some(path) = path.filter(|path| !files::is_stream(path)) {
            let there = std::fs::symlink_metadata(path).is_ok();
            anyhow::ensure!(!there, "{} is there already\nhint: name another file with -o", path.display());
            Files::new().write("the policy", "-o", path)?;
        }
        Ok(path)
    }

    /// Writes the YAML. Returns the file's path, if it has one.
    pub fn put(&self, yaml: &str) -> Result<Option<&Path>, anyhow::Error> {
        let path = self.path()?;
        let Some(place) = path else { return output::data(yaml).map(|()| None) };
        let write = if files::is_stream(place) { files::write } else { files::create };
        write(place, yaml.as_bytes()).with_context(|| format!("{} cannot be written", place.display()))?;
        Ok(path)
    }
}

fn import_from(file: &Path, output: &NewFile) -> Result<ExitCode, anyhow::Error> {
    output.path()?;
    let name = file.display().to_string();
    let text = Manuscript::open(&name)?.text;
    let short = file.file_name().unwrap_or_default().to_string_lossy();
    let Imported { draft, unplaced, notes } =
        import(&short, &text).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    output.put(&draft.yaml())?;
    for note in notes {
        output::say(&format!("note: {note}"));
    }
    if !unplaced.is_empty() {
        let lines: Vec<String> = unplaced.iter().map(ToString::to_string).collect();
        let noun = if unplaced.len() == 1 { "line" } else { "lines" };
        output::say(&format!(
            "note: {} {noun} of {name} found no place and are kept as comments: {}",
            unplaced.len(),
            lines.join(", ")
        ));
    }
    Ok(ExitCode::from(exit::DONE))
}

/// As diff would: 0 if they say the same, 1 if not.
fn compare(before: &str, after: &str) -> Result<ExitCode, anyhow::Error> {
    let (old, new) = (policy::load(before, None)?, policy::load(after, None)?);
    let changes = diff(&old, &new);
    let mut text: String = changes.iter().map(|change| format!("{change}\n")).collect();
    let tokens = |policy| length(policy, None, usize::MAX).map_or(0, |length| length.tokens);
    let (was, is) = (tokens(&old), tokens(&new));
    if !changes.is_empty() {
        text.push_str(&format!("about {was} tokens before, {is} after\n"));
    }
    output::print(&text)?;
    Ok(ExitCode::from(if changes.is_empty() { exit::DONE } else { exit::DIFFERENT }))
}
