//! `policy diff`: the changes from one policy to another.

use std::process::ExitCode;

use clap::Args;
use magistrate::policy::diff::{Change, diff};
use magistrate::policy::{Policy, load};
use serde_json::json;

use crate::cli::length::length;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Diff {
    /// Earlier policy: the id of a shipped policy, or a file
    before: String,

    /// Later policy
    after: String,

    /// Print the changes as JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Exits 0 if the policies are equal and 1 if they differ, as diff does.
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let (old, new) = (load(&self.before, None)?, load(&self.after, None)?);
        let changes = diff(&old, &new);
        let tokens = |policy: &Policy| length(policy, None, usize::MAX).map_or(0, |length| length.tokens);
        let (was, is) = (tokens(&old), tokens(&new));
        if self.json {
            let tokens = json!({ "before": was, "after": is });
            let object = json!({ "equal": changes.is_empty(), "changes": changes, "tokens": tokens });
            output::data(&format!("{object:#}\n"))?;
        } else if changes.is_empty() {
            output::print("no differences\n")?;
        } else {
            let mut text = shown(&changes);
            text.push(format!("about {was} tokens before, {is} after\n"));
            output::print_text(&text)?;
        }
        Ok(ExitCode::from(if changes.is_empty() { exit::DONE } else { exit::DIFFERENT }))
    }
}

/// Returns the changes, with the old wording in red and the new one in green.
fn shown(changes: &[Change]) -> output::Text {
    let mut text = output::Text::default();
    for line in changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").lines() {
        let line_end = format!("{line}\n");
        match line.get(..4) {
            Some("  - ") => text.push_styled(line_end, "31"),
            Some("  + ") => text.push_styled(line_end, "32"),
            _ => text.push(line_end),
        }
    }
    text
}
