//! `eval`: measures a policy on a golden set.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::eval::comparison::Comparison;
use magistrate::eval::gate::{Fall, Floor, Gate};
use magistrate::eval::{Evaluation, report};
use magistrate::files::{self, Files};

use crate::cli::args::golden::{GoldenArgs, read, without_verdicts};
use crate::cli::devices;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Eval {
    /// Print JSON with every row
    #[arg(long)]
    json: bool,

    /// Write a report: a self-contained page (.html), Markdown for a pull request (.md), or JSON
    #[arg(long, value_name = "FILE", value_parser = Report::of_name)]
    report: Vec<Report>,

    /// Exit 1 if a figure is lower: f1=0.90,recall=0.85. Undecided rows count as wrong
    #[arg(long, value_name = "FIGURE=VALUE,...")]
    fail_under: Option<Floor>,

    /// JSON of an earlier evaluation, with which each row is compared
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Exit 1 if a figure is lower than the baseline's by more than this, on the texts that both have
    #[arg(long, value_name = "DROP", requires = "baseline", allow_negative_numbers = true)]
    max_drop: Option<Fall>,

    #[command(flatten)]
    golden: GoldenArgs,
}

impl Eval {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.golden.lists_devices() {
            return devices::list();
        }
        let mut files = Files::new();
        self.report.iter().try_for_each(|report| files.write("a report", "--report", &report.path))?;
        self.baseline.iter().try_for_each(|path| files.read("the baseline", path))?;
        let baseline = self.baseline.as_deref().map(|path| read(path).map(|before| (path, before))).transpose()?;
        let prepared = self.golden.prepare(&mut files)?;
        ensure_hint!(
            prepared.policies.len() == 1 || self.report.is_empty(),
            "a report is of one policy",
            "give one -p with --report"
        );
        // These checks need the set alone, so they come before the model is loaded.
        if self.fail_under.is_some() || self.max_drop.is_some() {
            prepared.holds("a gate")?;
        }
        if let Some((path, before)) = &baseline {
            prepared.shares(before, path, self.max_drop.is_some())?;
        }
        let Some(mut evaluations) = prepared.evaluate()? else { return Ok(ExitCode::from(exit::STOPPED)) };
        let (first, others) = evaluations.split_first_mut().context("there is no policy")?;
        if let Some((path, before)) = &baseline {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            first.comparison = Some(Comparison::of([&name, "now"], before, first));
        }
        let held = baseline.as_ref().map(|(_, before)| before).zip(self.max_drop);
        first.gate = Gate::check(first, self.fail_under.as_ref(), held)?;
        self.report.iter().try_for_each(|report| report.write(first))?;
        if self.json {
            let json =
                if others.is_empty() { serde_json::to_string(first)? } else { serde_json::to_string(&evaluations)? };
            output::data(&format!("{json}\n"))?;
        } else {
            let mut text: String = std::iter::once(&*first).chain(&*others).map(report::text).collect();
            for other in &*others {
                let names = [&*first, other].map(|evaluation| evaluation.about.policy[0].as_str());
                text.push_str(&report::comparison(&Comparison::of(names, first, other)));
            }
            if let Some(comparison) = &first.comparison {
                text.push_str(&report::comparison(comparison));
            }
            output::print(&text)?;
        }
        let gate = evaluations.first().and_then(|first| first.gate.as_ref());
        gate.into_iter().flat_map(report::gate).for_each(|line| output::message(&line));
        let empty: Vec<String> = evaluations.iter().filter_map(without_verdicts).collect();
        if !empty.is_empty() {
            for why in empty {
                output::message(&format!("error: {why}"));
            }
            return Ok(ExitCode::from(exit::UNDECIDED));
        }
        Ok(ExitCode::from(if gate.is_none_or(|gate| gate.passed) { exit::DONE } else { exit::FINDING }))
    }
}

/// A report's kind and file.
#[derive(Clone, Debug)]
struct Report {
    kind: Kind,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Page,
    Markdown,
    Json,
}

impl Report {
    fn of_name(name: &str) -> Result<Self, String> {
        let path = PathBuf::from(name);
        let kind = match path.extension().and_then(|ending| ending.to_str()) {
            Some("html" | "htm") => Kind::Page,
            Some("md") => Kind::Markdown,
            Some("json") => Kind::Json,
            _ => return Err("report files end in .html, .md or .json; --json prints to stdout".to_owned()),
        };
        Ok(Self { kind, path })
    }

    fn write(&self, evaluation: &Evaluation) -> Result<(), anyhow::Error> {
        let text = match self.kind {
            Kind::Page => report::html(evaluation)?,
            Kind::Markdown => report::markdown(evaluation),
            Kind::Json => serde_json::to_string(evaluation)?,
        };
        files::write(&self.path, text.as_bytes()).with_context(|| format!("{} cannot be written", self.path.display()))
    }
}
