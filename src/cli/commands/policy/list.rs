//! `policy list`: the shipped policies.

use std::process::ExitCode;

use clap::Args;
use magistrate::gguf::TRAINED_FOR;
use magistrate::policy::{Body, PolicyLibrary};
use serde_json::Value;

use super::object;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Default, Args)]
pub struct List {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(&self) -> Result<ExitCode, anyhow::Error> {
        if self.json {
            let policies: Value = PolicyLibrary::shipped().iter().map(object::entry).collect();
            output::data(&format!("{policies:#}\n"))?;
        } else {
            output::print(&table())?;
            output::summary("* the built-in model was trained for it; the others need a real model (--model)");
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Returns a line for each policy: its id, a star if the built-in model was trained for it, and its summary.
fn table() -> String {
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
