//! The output formats of `policy lint`: text for people, and three for programs.

use magistrate::policy::lint::{Finding, Level, explain};
use serde_json::{Value, json};

use crate::cli::terminal::error::with_flags;
use crate::cli::terminal::output;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LintFormat {
    Text,
    Json,
    Github,
    Sarif,
}

impl LintFormat {
    /// Prints the findings of files in this format.
    pub fn print(self, linted: &[(String, Vec<Finding>)]) -> Result<(), anyhow::Error> {
        match self {
            Self::Text => output::report(
                &text(linted),
                &[("error", "1;31"), ("warning", "1;33"), ("note", "1;34"), ("hint:", "1;36"), ("= help:", "1;36")],
            ),
            Self::Json => output::data(&format!(
                "{}\n",
                all(linted).map(|(name, finding)| object(name, finding)).collect::<Value>()
            )),
            Self::Github => output::data(&all(linted).map(|(name, finding)| github(name, finding)).collect::<String>()),
            Self::Sarif => output::data(&format!("{:#}\n", sarif(linted))),
        }
    }
}

fn all(files: &[(String, Vec<Finding>)]) -> impl Iterator<Item = (&str, &Finding)> {
    files.iter().flat_map(|(name, findings)| findings.iter().map(move |finding| (name.as_str(), finding)))
}

fn text(files: &[(String, Vec<Finding>)]) -> String {
    let mut text: String = all(files).map(|(_, finding)| format!("{}\n\n", finding.report(with_flags))).collect();
    let count = |level| all(files).filter(|(_, finding)| finding.level() == level).count();
    let parts: Vec<String> = [Level::Error, Level::Warning, Level::Note]
        .into_iter()
        .map(|level| match count(level) {
            1 => format!("1 {level}"),
            count => format!("{count} {level}s"),
        })
        .collect();
    let mechanical: usize = all(files).map(|(_, finding)| finding.mends()).sum();
    let fix = if mechanical > 0 { format!("; --fix mends {mechanical}") } else { String::new() };
    let noun = if files.len() == 1 { "policy" } else { "policies" };
    text.push_str(&format!("{} {noun}: {}{fix}\n", files.len(), parts.join(", ")));
    text
}

fn object(name: &str, finding: &Finding) -> Value {
    json!({
        "file": name,
        "line": finding.line(),
        "column": finding.column(),
        "level": finding.level(),
        "rule": finding.rule(),
        "message": finding.message(),
        "hint": finding.hint().map(with_flags),
        "mechanical": finding.is_mechanical(),
    })
}

/// A workflow command of GitHub's (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
fn github(name: &str, finding: &Finding) -> String {
    let level = match finding.level() {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    let place = match (finding.line(), finding.column()) {
        (Some(line), Some(column)) => format!(",line={line},col={column}"),
        _ => String::new(),
    };
    let hint = finding.hint().map_or(String::new(), |hint| format!("\n{}", with_flags(hint)));
    let message = escaped(&format!("{}{hint}", finding.message()));
    format!("::{level} file={}{place},title={}::{message}\n", property(name), finding.rule())
}

/// SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).
fn sarif(files: &[(String, Vec<Finding>)]) -> Value {
    let mut rules: Vec<&str> = all(files).map(|(_, finding)| finding.rule()).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = all(files)
        .map(|(name, finding)| {
            let hint = finding.hint().map_or(String::new(), |hint| format!(". {}", with_flags(hint)));
            let mut place = json!({ "artifactLocation": { "uri": name } });
            if let (Some(line), Some(column)) = (finding.line(), finding.column()) {
                place["region"] = json!({ "startLine": line, "startColumn": column });
            }
            json!({
                "ruleId": finding.rule(),
                "level": finding.level(),
                "message": { "text": format!("{}{hint}", finding.message()) },
                "locations": [{ "physicalLocation": place }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "magistrate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.into_iter().map(described).collect::<Vec<_>>(),
            } },
            "results": results,
        }],
    })
}

/// Describes a rule as SARIF does.
fn described(rule: &str) -> Value {
    let mut described = json!({ "id": rule });
    if let Ok(explanation) = explain(rule) {
        described["shortDescription"] = json!({ "text": explanation.summary });
        described["help"] = json!({ "text": explanation.details });
    }
    described
}
