//! `policy`: lists, shows, writes, imports, lints and compares policies.

mod diff;
mod import;
mod lint;
mod list;
mod new;
mod object;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use magistrate::policy;

use self::diff::Diff;
use self::import::Import;
use self::lint::Lint;
use self::list::List;
use self::new::New;
use self::show::Show;
use crate::cli::terminal::output;

#[derive(Debug, Args)]
pub struct PolicyVerb {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the shipped policies
    List(List),
    /// Print a policy: as YAML to own, as JSON, as the model reads it; or its golden set
    Show(Show),
    /// Write a new policy, from flags or from answers
    New(Box<New>),
    /// Convert a policy in prose or Markdown to YAML
    Import(Import),
    /// Find faults that weaken a policy or break the replies to it
    Lint(Lint),
    /// Print the changes from one policy to another; exit 1 if they differ
    Diff(Diff),
    /// Print the JSON Schema of a policy's YAML
    Schema,
}

impl PolicyVerb {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        match self.verb.unwrap_or(Verb::List(List::default())) {
            Verb::List(list) => list.run(),
            Verb::Show(show) => show.run(),
            Verb::New(new) => new.run(),
            Verb::Import(import) => import.run(),
            Verb::Lint(lint) => lint.run(),
            Verb::Diff(diff) => diff.run(),
            Verb::Schema => {
                output::data(&format!("{:#}\n", policy::schema()))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
