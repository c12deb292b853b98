//! `policy list`: the shipped policies.

use std::process::ExitCode;

use magistrate::gguf::TRAINED_FOR;
use magistrate::policy::{Body, PolicyLibrary};

use crate::cli::terminal::{exit, output};

pub fn run() -> Result<ExitCode, anyhow::Error> {
    output::print(&list())?;
    output::summary("* the built-in model was trained for it; the others need a real model (--model)");
    Ok(ExitCode::from(exit::DONE))
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
