//! `policy lint --list` and `policy lint --explain`: the rules, for people who look one up.

use std::process::ExitCode;

use clap::Args;
use magistrate::policy::lint::{Explanation, explain, explanations};
use serde_json::{Value, json};

use super::format::LintFormat;
use crate::cli::terminal::error::hinted;
use crate::cli::terminal::{exit, output};

/// The flags that look up rules, and lint nothing.
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// List all rules, with a line each
    #[arg(long)]
    list: bool,

    /// Explain a rule: the reason for it, an example and the remedy
    #[arg(long, value_name = "RULE")]
    explain: Option<String>,
}

impl RuleArgs {
    /// Prints the rules that are asked for. Returns `None` if no rule is.
    pub fn print(&self, format: LintFormat) -> Result<Option<ExitCode>, anyhow::Error> {
        match &self.explain {
            Some(name) => one(name, format).map(Some),
            None if self.list => list(format).map(Some),
            None => Ok(None),
        }
    }
}

/// Prints all rules, a line each.
fn list(format: LintFormat) -> Result<ExitCode, anyhow::Error> {
    let rules = explanations();
    if format == LintFormat::Json {
        output::data(&format!("{:#}\n", rules.iter().map(object).collect::<Value>()))?;
    } else {
        let width = rules.iter().map(|rule| rule.rule.len()).max().unwrap_or(0);
        let line = |Explanation { rule, level, summary, .. }: &Explanation| {
            format!("{rule:width$}  {:7}  {}\n", level.to_lowercase(), capitalized(summary))
        };
        output::print(&rules.iter().map(line).collect::<String>())?;
    }
    Ok(ExitCode::from(exit::DONE))
}

/// Prints a rule with its reason, an example and the remedy.
fn one(name: &str, format: LintFormat) -> Result<ExitCode, anyhow::Error> {
    let rule = explain(name).map_err(|error| hinted(error.into(), "policy lint --list prints all rules"))?;
    if format == LintFormat::Json {
        output::data(&format!("{:#}\n", object(&rule)))?;
    } else {
        let Explanation { rule, level, summary, details, is_fault } = rule;
        let off = if is_fault {
            "Such a policy cannot be used, so this rule cannot be turned off.".to_owned()
        } else {
            format!("Turn it off with a comment, # lint: allow({rule}), or with --ignore {rule}.")
        };
        let details: String = details.lines().map(|line| format!("{}\n", line.trim_start_matches("- "))).collect();
        output::print(&format!("{rule} ({})\n{}\n\n{details}\n{off}\n", level.to_lowercase(), capitalized(summary)))?;
    }
    Ok(ExitCode::from(exit::DONE))
}

fn object(rule: &Explanation) -> Value {
    let detail = |name: &str| {
        let start = format!("- {name}: ");
        rule.details.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
    };
    json!({
        "rule": rule.rule,
        "level": rule.level.to_lowercase(),
        "summary": capitalized(rule.summary),
        "why": detail("Why"),
        "example": detail("Example"),
        "remedy": detail("Remedy"),
    })
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
