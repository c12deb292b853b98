//! `policy show`: a policy as YAML, as JSON, or as the model reads it, and its golden set.

use std::process::ExitCode;

use clap::Args;
use magistrate::policy::{Policy, PolicySource};
use magistrate::prompt::{Templates, policy_text};

use super::object;
use crate::cli::args::golden::golden_text;
use crate::cli::terminal::error::bail_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Show {
    /// Id of a shipped policy, or a file
    policy: String,

    /// Print the instructions that the model reads
    #[arg(long)]
    rendered: bool,

    /// Print the golden set, as YAML that eval reads
    #[arg(long, conflicts_with = "rendered")]
    golden: bool,

    /// Print the parts of the policy as JSON: codes, titles, severities and so on
    #[arg(long, conflicts_with_all = ["rendered", "golden"])]
    json: bool,
}

impl Show {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let source = PolicySource::open(&self.policy)?;
        // Printed only after it was read as a policy.
        let policy = source.parse(None)?;
        let text = if self.rendered {
            format!("{}\n", policy_text(&Templates::shipped(), &policy)?)
        } else if self.golden {
            golden(policy, &self.policy)?
        } else if self.json {
            format!("{:#}\n", object::whole(&policy))
        } else {
            source.text
        };
        output::data(&text)?;
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Returns the golden set of a policy as a file of its own. `spec` names the policy.
fn golden(policy: Policy, spec: &str) -> Result<String, anyhow::Error> {
    let id = policy.id.clone();
    let Some(yaml) = golden_text(policy, spec)? else {
        bail_hint!(
            "the policy {id} has no golden set",
            "add `golden:` to it, or print that of a shipped policy: magistrate policy show spam --golden"
        );
    };
    Ok(yaml)
}
