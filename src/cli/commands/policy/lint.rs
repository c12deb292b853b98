//! `policy lint`: prints findings for people and for programs.

mod explain;
mod format;
mod targets;

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::files;
use magistrate::gguf;
use magistrate::policy::lint::{Finding, Level, fixed, ignorable, lint};
use magistrate::policy::{Label, PolicySource};
use magistrate::tokenizer::Tokenizer;

use self::explain::RuleArgs;
use self::format::LintFormat;
use self::targets::{Target, Targets};
use crate::cli::args::labels::{LabelsArgs, id_for_labels};
use crate::cli::length::{CONTEXT, length};
use crate::cli::models;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Lint {
    /// Files, folders, or ids of shipped policies [default: the policies in the current folder and below]
    #[arg(value_name = "POLICY")]
    policies: Vec<String>,

    /// Lint the shipped policies
    #[arg(long)]
    shipped: bool,

    #[command(flatten)]
    labels: LabelsArgs,

    /// Rules to leave out. A comment `# lint: allow(RULE)` in a policy, or `<!-- lint: allow(RULE) -->` in a text, does
    /// so for one file or line
    #[arg(long, value_name = "RULE,...", value_delimiter = ',', value_parser = rule)]
    ignore: Vec<&'static str>,

    /// Exit 1 on warnings, too
    #[arg(long)]
    strict: bool,

    /// Fix mechanical faults in the files
    #[arg(long)]
    fix: bool,

    /// Output format: text, json, github (annotations of a workflow) or sarif
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: LintFormat,

    #[command(flatten)]
    rules: RuleArgs,

    /// Count tokens with this model's vocabulary, rather than estimate them
    #[arg(short, long, value_name = "MODEL", help_heading = "Model")]
    model: Option<String>,

    /// Size of the context in tokens, in which the policy must leave room
    #[arg(long, value_name = "TOKENS", default_value_t = CONTEXT, help_heading = "Model")]
    context: usize,
}

fn rule(name: &str) -> Result<&'static str, String> {
    ignorable(name.trim()).map_err(|error| format!("{error} (`policy lint --list` prints all rules)"))
}

/// The byte order mark that some editors write before UTF-8. It is kept, but is not part of the text.
const MARK: &str = "\u{feff}";

impl Lint {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if let Some(code) = self.rules.print(self.format)? {
            return Ok(code);
        }
        let targets = Targets::find(&self.policies, self.shipped)?;
        let labels = self.labels(&targets)?;
        let tokenizer = self.model.as_deref().map(tokenizer).transpose()?;
        let mut linted = Vec::new();
        for (target, labels) in targets.found.iter().zip(labels) {
            let source = &target.source;
            let mut findings = self.lint(source, &source.text, labels.as_deref(), tokenizer.as_ref());
            if let Some(text) = self.mended(target, &findings)? {
                findings = self.lint(source, &text, labels.as_deref(), tokenizer.as_ref());
            }
            linted.push((source.name.clone(), findings));
        }
        targets.print_notes();
        self.format.print(&linted)?;
        // Levels are ordered from the worst on.
        let worst = linted.iter().flat_map(|(_, findings)| findings).map(Finding::level).min();
        let fails = worst == Some(Level::Error) || (self.strict && worst == Some(Level::Warning));
        Ok(ExitCode::from(if fails { exit::FINDING } else { exit::DONE }))
    }

    fn lint(
        &self,
        source: &PolicySource,
        text: &str,
        labels: Option<&[Label]>,
        tokenizer: Option<&Tokenizer>,
    ) -> Vec<Finding> {
        let mut findings = lint(&source.name, text, labels, |policy| length(policy, tokenizer, self.context));
        findings.retain(|finding| !self.ignore.contains(&finding.rule()));
        findings
    }

    /// Returns the labels for each target.
    fn labels(&self, targets: &Targets) -> Result<Vec<Option<Vec<Label>>>, anyhow::Error> {
        let sources: Vec<&PolicySource> = targets.found.iter().map(|target| &target.source).collect();
        let ids: Vec<String> = sources.iter().map(|source| id_for_labels(source)).collect();
        self.labels.given(&sources, &ids)
    }

    /// Makes the mechanical changes in the file, if they are wanted. Returns the new text.
    fn mended(&self, target: &Target, findings: &[Finding]) -> Result<Option<String>, anyhow::Error> {
        let Some(path) = target.path.as_deref().filter(|path| self.fix && path.is_file()) else { return Ok(None) };
        let (text, count) = fixed(&target.source.text, findings);
        if count == 0 {
            return Ok(None);
        }
        let name = &target.source.name;
        let marked = std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()));
        let mark = if marked { MARK } else { "" };
        let [read, mended] = [&target.source.text, &text].map(|text| format!("{mark}{text}"));
        files::replace(path, read.as_bytes(), mended.as_bytes())
            .with_context(|| format!("{name} cannot be written"))?;
        output::summary(&format!("{name}: {count} mended"));
        Ok(Some(text))
    }
}

fn tokenizer(model: &str) -> Result<Tokenizer, anyhow::Error> {
    Ok(gguf::inspect(&models::path(model)?)?.tokenizer()?)
}
