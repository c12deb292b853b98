//! `eval`: measures a policy on a golden set.

mod report_file;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use magistrate::eval::comparison::Comparison;
use magistrate::eval::gate::{Fall, Floor, Gate};
use magistrate::eval::{Evaluation, report};
use magistrate::files::Files;

use self::report_file::{ReportFile, json_of};
use crate::cli::args::golden::{Decisions, GoldenArgs, Prepared, Rows, read, without_verdicts};
use crate::cli::devices;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Eval {
    /// Print JSON with every row; with several policies a list
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Write a report: a self-contained page (.html), Markdown for a pull request (.md), or JSON
    #[arg(long, value_name = "FILE", value_parser = ReportFile::of_name, help_heading = "Output")]
    report: Vec<ReportFile>,

    /// Print at most N mistakes, the surest first; 0 prints none [default: 10; several policies: 0]
    #[arg(long, value_name = "N", help_heading = "Output")]
    errors: Option<usize>,

    /// Exit 1 if a figure is lower: f1=0.90,recall=0.85. Undecided rows count as wrong
    #[arg(long, value_name = "FIGURE=VALUE,...", help_heading = "Output")]
    fail_under: Option<Floor>,

    /// JSON of an earlier evaluation, with which each row is compared
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    baseline: Option<PathBuf>,

    /// Exit 1 if a figure is lower than the baseline's by more than this, on the texts that both have
    #[arg(long, value_name = "DROP", requires = "baseline", allow_negative_numbers = true, help_heading = "Output")]
    max_drop: Option<Fall>,

    /// Judge at every effort, and report quality, changed verdicts and tokens of each, and of reasoning that ends early
    #[arg(long, help_heading = "Output", conflicts_with = "from")]
    ladder: bool,

    #[command(flatten)]
    golden: GoldenArgs,
}

/// The mistakes that are printed by default.
const MISTAKES: usize = 10;

/// An earlier evaluation, and its file.
type Baseline = (PathBuf, Vec<Evaluation>);

impl Eval {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.golden.lists_devices() {
            return devices::list();
        }
        let Self { json, report, errors, fail_under, baseline, max_drop, ladder, golden } = self;
        let mut files = Files::new();
        report.iter().try_for_each(|report| files.write("a report", "--report", &report.path))?;
        baseline.iter().try_for_each(|path| files.read("the baseline", path))?;
        let baseline = baseline.map(|path| read(&path).map(|before| (path, before))).transpose()?;
        let evaluations = match golden.open(Decisions::All, &mut files)? {
            Rows::Judged(evaluations) => Some(evaluations),
            Rows::ToJudge(prepared) => {
                // These checks need the set alone, so they come before the model is loaded.
                check(&prepared, fail_under.is_some() || max_drop.is_some(), baseline.as_ref(), max_drop.is_some())?;
                if ladder { prepared.climb()?.map(|evaluation| vec![evaluation]) } else { prepared.evaluate()? }
            }
        };
        let Some(mut evaluations) = evaluations else { return Ok(ExitCode::from(exit::STOPPED)) };
        for (at, evaluation) in evaluations.iter_mut().enumerate() {
            hold(evaluation, at == 0, fail_under.as_ref(), baseline.as_ref(), max_drop)?;
        }
        report.iter().try_for_each(|report| report.write(&evaluations))?;
        if json {
            output::data(&format!("{}\n", json_of(&evaluations)?))?;
        } else {
            output::report(&text(&evaluations, errors), &[("row ", "1;31")])?;
        }
        Ok(finish(&evaluations))
    }
}

/// Refuses a set that cannot carry a gate, and a baseline of other texts.
fn check(prepared: &Prepared, gated: bool, baseline: Option<&Baseline>, held: bool) -> Result<(), anyhow::Error> {
    if gated {
        prepared.holds("a gate")?;
    }
    let Some((path, before)) = baseline else { return Ok(()) };
    let compared =
        prepared.policies.iter().enumerate().filter_map(|(at, policy)| of_policy(before, &policy.id, at == 0));
    compared.take(1).try_for_each(|before| prepared.shares(before, path, held))
}

/// Returns the baseline of a policy: the evaluation of its id, or the only one for the first policy.
fn of_policy<'before>(before: &'before [Evaluation], id: &str, first: bool) -> Option<&'before Evaluation> {
    let same = before.iter().find(|before| before.about.policy[0] == id);
    same.or_else(|| before.first().filter(|_| first && before.len() == 1))
}

/// Compares an evaluation with its baseline, and checks it against the gate.
fn hold(
    evaluation: &mut Evaluation,
    first: bool,
    floor: Option<&Floor>,
    baseline: Option<&Baseline>,
    most: Option<Fall>,
) -> Result<(), anyhow::Error> {
    let id = evaluation.about.policy[0].clone();
    let before = baseline.and_then(|(path, before)| Some((path, of_policy(before, &id, first)?)));
    if let Some((path, before)) = before {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let comparison = Comparison::of([&name, "now"], before, evaluation);
        // A set that is judged was checked before.
        ensure_hint!(
            comparison.rows > 0,
            ("{} has none of the texts of {}", path.display(), evaluation.about.golden),
            "make one with eval --json on this set"
        );
        evaluation.comparison = Some(comparison);
    }
    let held = before.map(|(_, before)| before).zip(most);
    evaluation.gate = Gate::check(evaluation, floor, held)?;
    Ok(())
}

/// Returns the evaluations as text: figures, mistakes, and the rows that differ.
fn text(evaluations: &[Evaluation], errors: Option<usize>) -> String {
    let mut text = match evaluations {
        [only] => report::text(only),
        several => report::side_by_side(several),
    };
    let most = errors.unwrap_or(if evaluations.len() == 1 { MISTAKES } else { 0 });
    text.extend(evaluations.iter().map(|evaluation| report::mistakes(evaluation, most)));
    if let [first, others @ ..] = evaluations {
        for other in others {
            text.push_str(&report::comparison(&Comparison::of_policies(first, other)));
        }
    }
    text.extend(evaluations.iter().filter_map(|evaluation| evaluation.comparison.as_ref()).map(report::comparison));
    text
}

/// Prints the outcome of the gates, and returns the exit code.
fn finish(evaluations: &[Evaluation]) -> ExitCode {
    let mut passed = true;
    for evaluation in evaluations {
        let Some(gate) = &evaluation.gate else { continue };
        passed &= gate.passed;
        for line in report::gate(gate) {
            let of = if evaluations.len() == 1 { String::new() } else { format!("{}: ", evaluation.about.policy[0]) };
            output::message(&line.replacen(": ", &format!(": {of}"), 1));
        }
    }
    let empty: Vec<String> = evaluations.iter().filter_map(without_verdicts).collect();
    for why in &empty {
        output::message(&format!("error: {why}"));
    }
    ExitCode::from(match (empty.is_empty(), passed) {
        (false, _) => exit::UNDECIDED,
        (true, true) => exit::DONE,
        (true, false) => exit::FINDING,
    })
}
