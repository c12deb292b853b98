//! `policy show`: a policy as YAML, or as the model reads it.

use std::process::ExitCode;

use clap::Args;
use magistrate::policy::{self, PolicySource};
use magistrate::prompt::{Templates, policy_text};

use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Show {
    /// Id of a shipped policy, or a file
    policy: String,

    /// Print the instructions that the model reads
    #[arg(long)]
    rendered: bool,
}

impl Show {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let text = if self.rendered {
            let policy = policy::load(&self.policy, None)?;
            format!("{}\n", policy_text(&Templates::shipped(), &policy)?)
        } else {
            let source = PolicySource::open(&self.policy)?;
            // Printed only after it was read as a policy.
            source.parse(None)?;
            source.text
        };
        output::data(&text)?;
        Ok(ExitCode::from(exit::DONE))
    }
}
