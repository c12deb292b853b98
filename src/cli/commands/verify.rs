//! `verify`: judges some rows of a finished run again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use magistrate::calibration::terms::Terms;
use magistrate::label::config::COLUMNS_TO_JUDGE;
use magistrate::label::journal::Past;
use magistrate::label::memo::{Archive, Memo};
use magistrate::label::run::{EarlierVerdicts, Event, Run, Settings, run};
use magistrate::label::summary::Summary;
use magistrate::label::verify::{Agreement, Comparison, Sample};

use crate::cli::args::golden::KeepArgs;
use crate::cli::args::input::InputArgs;
use crate::cli::args::journal::journal;
use crate::cli::args::judging::JudgingArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::progress::{self, Total};
use crate::cli::terminal::stop::{self, SAVED};
use crate::cli::terminal::{exit, output};
use crate::cli::{devices, loading};

#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    input: InputArgs,

    /// Output whose rows are judged again, or its journal
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Number of rows, chosen at random
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Input")]
    sample: usize,

    /// Seed of the random choice
    #[arg(long, value_name = "N", default_value_t = 0)]
    sample_seed: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    keep: KeepArgs,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl Verify {
    /// Exits 0 if all verdicts are equal, else 1.
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.judging.lists_devices() {
            return devices::list();
        }
        let policies = self.policy.load()?;
        let mut config = self.judging.resolve(&policies)?;
        config.composition = self.input.composition();
        let journal = journal(&self.output);
        let sample = Sample::of(&journal, self.sample, self.sample_seed)?;
        same_policies(&journal, &sample.terms.strings("policies"), &config.policy_terms(&policies))?;
        let source = self.input.open()?;
        let planned = loading::plan_for(&config, &policies, SEVERAL)?;
        let mut terms = planned.terms(&config, &policies);
        terms.0.insert(COLUMNS_TO_JUDGE.to_owned(), source.reading());
        for (name, then, now) in other_settings(&sample.terms, &terms) {
            output::message(&format!("note: judged again with another {name} ({then} then, {now} now)"));
        }
        let stop = stop::on_signal(self.keep.keeps())?;
        // A second check of the same rows must judge them again, so the verdicts are kept until the first is done.
        let archive = self.keep.archive(&format!("verify {} {}", self.sample, self.sample_seed), &terms);
        let kept = archive.as_ref().map(|archive| archive.path().to_owned());
        let before = archive.as_ref().map_or(0, Archive::texts);
        let engine = loading::load_planned(&config, planned)?;
        let judges = loading::judges(&config, &engine, &policies)?;
        let settings = Settings::default()
            .with_chunking(config.chunking)
            .with_unordered(true)
            .with_stop(Arc::clone(&stop.flag))
            .with_at_work(Arc::clone(&stop.at_work));
        let numbers: BTreeSet<u64> = sample.numbers().collect();
        let wanted = numbers.len() as u64;
        let last = numbers.last().copied().unwrap_or(0);
        // The records behind the last row of the sample need not be read.
        let source = source
            .take_while(move |placed| placed.as_ref().map_or(true, |placed| placed.number <= last))
            .filter(move |placed| placed.as_ref().map_or(true, |placed| numbers.contains(&placed.number)));
        let mut comparison = Comparison { sample, agreement: Agreement::default() };
        let memo = archive.map_or_else(Memo::off, |archive| Memo::in_memory().with_archive(archive));
        let earlier = EarlierVerdicts { past: Past::none(), memo };
        let mut bar = progress::Rows::new(Total::Rows(wanted), stop, false);
        let run_of = Run { engine: &engine, judges: &judges, settings: &settings, earlier };
        let summary = run(run_of, source, &mut comparison, &mut |event| {
            if let Event::Done(summary) = event {
                bar.show(summary);
            }
        });
        bar.clear();
        let summary = summary.with_context(|| journal.display().to_string())?;
        if summary.ended.is_some() {
            return Ok(stopped(&summary, wanted, kept.is_some()));
        }
        finish(&summary, wanted, before, kept.as_deref())?;
        report(&comparison.agreement, self.json)?;
        Ok(ExitCode::from(if comparison.agreement.flipped.is_empty() { exit::DONE } else { exit::DIFFERENT }))
    }
}

/// Reports a run that a signal stopped. Returns its exit code.
fn stopped(summary: &Summary, wanted: u64, kept: bool) -> ExitCode {
    output::message(&format!("stopped after {} of {wanted} rows", summary.rows()));
    if kept {
        output::message(SAVED);
    }
    ExitCode::from(exit::STOPPED)
}

/// Removes the verdicts that were kept for this run. Refuses inputs that lack rows of the sample.
fn finish(summary: &Summary, wanted: u64, before: u64, kept: Option<&Path>) -> Result<(), anyhow::Error> {
    if before > 0 {
        output::message(&format!("resumed {before} rows already judged"));
    }
    if let Some(kept) = kept {
        let _ = std::fs::remove_file(kept);
    }
    ensure_hint!(
        summary.rows() == wanted,
        ("{} of {wanted} rows are not in the input", wanted - summary.rows()),
        "name the same inputs as when they were judged"
    );
    Ok(())
}

/// Refuses policies other than those of the run. Verdicts by others would be another run's, and no flips.
fn same_policies(journal: &Path, before: &[String], now: &[String]) -> Result<(), anyhow::Error> {
    let others = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|policy| !those.contains(policy)).map(|policy| short(policy)).collect()
    };
    let list = |policies: Vec<String>| if policies.is_empty() { "none".to_owned() } else { policies.join(", ") };
    let (then, now_differs) = (list(others(before, now)), list(others(now, before)));
    ensure_hint!(
        before == now,
        ("{} was made with other policies ({then}, and now {now_differs})", journal.display()),
        "give the -p and --effort of the run, or judge by the others with magistrate label"
    );
    Ok(())
}

/// Returns the settings of a verdict that differ from those of the run: the name, the value then, and the value now.
///
/// Other settings are allowed: whether they flip verdicts is a question that `verify` answers.
fn other_settings(run: &Terms, now: &Terms) -> Vec<(String, String, String)> {
    /// Terms that change no verdict, and the policies, which must be equal.
    const OTHERS: [&str; 4] = ["policies", "--reasoning", "rationale", "certificate"];
    let mut differences = run.differences(now);
    differences.retain(|(name, ..)| now.0.contains_key(name) && !OTHERS.contains(&name.as_str()));
    differences
}

/// Shortens the digest of a policy to its beginning.
fn short(policy: &str) -> String {
    const DIGEST: usize = 64;
    let parts = policy.split(' ').map(|part| if part.len() == DIGEST { &part[..12] } else { part });
    parts.collect::<Vec<_>>().join(" ")
}

fn report(agreement: &Agreement, json: bool) -> Result<(), anyhow::Error> {
    let Agreement { same, near, flipped, drift } = agreement;
    if json {
        return output::data(&format!("{}\n", serde_json::to_string(agreement)?));
    }
    let mut text = format!(
        "{} verdicts judged again: {same} the same, {near} with another label or category, {} flipped; \
         probabilities differ by {drift:.2e} at most\n",
        agreement.all(),
        flipped.len()
    );
    for flip in flipped {
        let probability = |probability: Option<f64>| probability.map_or(String::new(), |p| format!(" {p:.3}"));
        let [before, now] = &flip.verdicts;
        let [p, q] = flip.probabilities;
        text.push_str(&format!(
            "{}: record {}: {}: {before}{}, now {now}{}\n",
            flip.input,
            flip.row,
            flip.policy,
            probability(p),
            probability(q)
        ));
    }
    output::print(&text)
}
