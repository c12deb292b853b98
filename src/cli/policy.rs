//! `policy`: what policies there are, and what they say.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use magistrate::policy::{self, Body, PolicyLibrary};
use magistrate::prompt::{Templates, policy_text};

use super::output;

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
            Verb::Show { policy, rendered: false } => match PolicyLibrary::shipped().source(&policy) {
                Ok(source) => source.to_owned(),
                Err(_) => {
                    // Not shipped: a file, which is printed once it is known to be a policy.
                    policy::load(&policy, None)?;
                    std::fs::read_to_string(&policy)?
                }
            },
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
