//! `policy diff`: the changes from one policy to another.

use std::process::ExitCode;

use clap::Args;
use magistrate::policy::diff::diff;
use magistrate::policy::load;

use crate::cli::length::length;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Diff {
    /// Earlier policy: the id of a shipped policy, or a file
    before: String,

    /// Later policy
    after: String,
}

impl Diff {
    /// Exits 0 if the policies are equal and 1 if they differ, as diff does.
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let (old, new) = (load(&self.before, None)?, load(&self.after, None)?);
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
}
