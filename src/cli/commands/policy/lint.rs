//! `policy lint`: prints findings for people and for programs.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::files;
use magistrate::gguf;
use magistrate::policy::lint::{Finding, Level, fixed, lint};
use magistrate::policy::{PolicyLibrary, PolicySource};
use magistrate::tokenizer::Tokenizer;
use serde_json::{Value, json};

use crate::cli::length::length;
use crate::cli::models;
use crate::cli::terminal::error::with_flags;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Lint {
    /// Ids of shipped policies, or files [default: all shipped policies]
    #[arg(value_name = "POLICY")]
    policies: Vec<String>,

    /// Fix mechanical faults in the files
    #[arg(long)]
    fix: bool,

    /// Output format: text, json, github (annotations of a workflow) or sarif
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: LintFormat,

    /// Exit 1 on warnings, too
    #[arg(long)]
    strict: bool,

    /// Count tokens with this model's vocabulary, rather than estimate them
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,

    /// Size of the context in tokens, in which the policy must leave room
    #[arg(long, value_name = "TOKENS", default_value_t = 8192)]
    context: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LintFormat {
    Text,
    Json,
    Github,
    Sarif,
}

/// The byte order mark that some editors write before UTF-8. It is kept, but is not part of the text.
const MARK: &str = "\u{feff}";

impl Lint {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let library = PolicyLibrary::shipped();
        let specs = match self.policies.as_slice() {
            [] => library.iter().map(|policy| policy.id.clone()).collect(),
            named => named.to_vec(),
        };
        let tokenizer = self.model.as_deref().map(tokenizer).transpose()?;
        let mut linted = Vec::new();
        for spec in specs {
            let PolicySource { name, text: source, .. } = PolicySource::open(&spec)?;
            let mut findings = self.lint(&name, &source, tokenizer.as_ref());
            // A file of the user's may have the name of a shipped policy.
            if let Some(path) = PolicySource::path(&spec).filter(|path| self.fix && path.is_file()) {
                let (text, count) = fixed(&source, &findings);
                if count > 0 {
                    let marked = std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()));
                    let mark = if marked { MARK } else { "" };
                    let [read, mended] = [&source, &text].map(|text| format!("{mark}{text}"));
                    files::replace(path, read.as_bytes(), mended.as_bytes())
                        .with_context(|| format!("{name} cannot be written"))?;
                    output::summary(&format!("{name}: {count} mended"));
                    findings = self.lint(&name, &text, tokenizer.as_ref());
                }
            }
            linted.push((name, findings));
        }
        match self.format {
            LintFormat::Text => output::print(&text(&linted)),
            LintFormat::Json => output::data(&format!(
                "{}\n",
                all(&linted).map(|(name, finding)| object(name, finding)).collect::<Value>()
            )),
            LintFormat::Github => {
                output::data(&all(&linted).map(|(name, finding)| github(name, finding)).collect::<String>())
            }
            LintFormat::Sarif => output::data(&format!("{:#}\n", sarif(&linted))),
        }?;
        // Levels are ordered from the worst on.
        let worst = all(&linted).map(|(_, finding)| finding.level()).min();
        let fails = worst == Some(Level::Error) || (self.strict && worst == Some(Level::Warning));
        Ok(ExitCode::from(if fails { exit::FINDING } else { exit::DONE }))
    }

    fn lint(&self, name: &str, source: &str, tokenizer: Option<&Tokenizer>) -> Vec<Finding> {
        lint(name, source, |policy| length(policy, tokenizer, self.context))
    }
}

fn tokenizer(model: &str) -> Result<Tokenizer, anyhow::Error> {
    Ok(gguf::inspect(&models::path(model)?)?.tokenizer()?)
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
                "rules": rules.into_iter().map(|rule| json!({ "id": rule })).collect::<Vec<_>>(),
            } },
            "results": results,
        }],
    })
}
