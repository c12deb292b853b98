//! `policy`: what policies there are, what they say, and how one comes about.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
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
        /// Where the YAML goes; stdout without it
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
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
            Verb::List => list(),
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
            Verb::Import { file, output } => return import_from(&file, output.as_deref()),
            Verb::Lint(lint) => return lint.run(),
            Verb::Diff { before, after } => return compare(&before, &after),
            Verb::Schema => format!("{:#}\n", policy::schema()),
        };
        output::print(&text)?;
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
            format!("{:width$}  {summary}\n", policy.id)
        })
        .collect()
}

/// Writes a new file, or to stdout.
pub fn put(yaml: &str, path: Option<&Path>) -> Result<(), anyhow::Error> {
    let Some(path) = path else { return output::print(yaml) };
    let mut file = std::fs::File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
    std::io::Write::write_all(&mut file, yaml.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn import_from(file: &Path, output: Option<&Path>) -> Result<ExitCode, anyhow::Error> {
    let name = file.display().to_string();
    let text = Manuscript::open(&name)?.text;
    let short = file.file_name().unwrap_or_default().to_string_lossy();
    let Imported { draft, unplaced, notes } =
        import(&short, &text).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    put(&draft.yaml(), output)?;
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
