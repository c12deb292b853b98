//! `calibrate`: calibrates probabilities, and issues a certificate of the verdicts that may be acted on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::calibration::certificate::{Certificate, possible};
use magistrate::calibration::map::FitMethod;
use magistrate::calibration::setup::EvaluationSetup;
use magistrate::eval::Evaluation;
use magistrate::files::{self, Files};
use magistrate::policy::Policy;
use magistrate::random::Random;

use crate::cli::args::golden::{GoldenArgs, read, without_verdicts};
use crate::cli::devices;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Calibrate {
    /// JSON of an evaluation with the same -p, whose rows are used instead of judging
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// File for the certificate; - is stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Calibration method. temperature: two numbers, for few rows. isotonic: steps, for many
    #[arg(long, value_name = "HOW", default_value = "temperature")]
    method: MethodArg,

    /// Share of errors that is accepted on each side among automatic decisions
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share, allow_negative_numbers = true)]
    alpha: f64,

    /// Chance that a side has more errors than that after all
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, allow_negative_numbers = true)]
    delta: f64,

    /// Seed of the split into rows that fit and rows that test
    #[arg(long, value_name = "N", default_value_t = 0)]
    split: u64,

    /// Also issue N certificates, each on half of the rows, and report how many of them the other half breaks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    trials: Option<u64>,

    #[command(flatten)]
    golden: GoldenArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MethodArg {
    Temperature,
    Isotonic,
}

impl Calibrate {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.golden.lists_devices() {
            return devices::list();
        }
        let method = match self.method {
            MethodArg::Temperature => FitMethod::Temperature,
            MethodArg::Isotonic => FitMethod::Isotonic,
        };
        let mut files = Files::new();
        let to_stdout = self.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
        if let Some(path) = self.output.as_ref().filter(|_| !to_stdout) {
            files.write("the certificate", "-o", path)?;
        }
        let Self { golden, from, alpha, delta, split, .. } = self;
        let evaluation = match &from {
            Some(path) => {
                files.read("the evaluation", path)?;
                golden.policy.reads(&mut files)?;
                earlier(path, &golden)?
            }
            None => {
                let prepared = golden.prepare(&mut files)?;
                ensure_hint!(prepared.policies.len() == 1, "a certificate is of one policy", "give one -p");
                prepared.gives_probabilities("a certificate")?;
                prepared.holds("a certificate")?;
                // A set too small for any certificate is refused before the model is loaded.
                possible(prepared.golden.classes(0), alpha, delta)?;
                let Some(mut evaluations) = prepared.evaluate()? else { return Ok(ExitCode::from(exit::STOPPED)) };
                evaluations.remove(0)
            }
        };
        if let Some(why) = without_verdicts(&evaluation) {
            output::message(&format!("error: {why}"));
            return Ok(ExitCode::from(exit::UNDECIDED));
        }
        let (rows, repeated) = evaluation.distinct()?;
        if repeated > 0 {
            output::message(&format!("note: {repeated} rows repeat an earlier text, and are left out"));
        }
        let certificate = Certificate::issue(evaluation.about, &rows, method, alpha, delta, split)?;
        let mut text = table(&certificate);
        if let Some(trials) = self.trials {
            text.push_str(&tried(&rows, method, [alpha, delta], trials));
        }
        let json = format!("{}\n", serde_json::to_string_pretty(&certificate)?);
        if to_stdout {
            // stdout carries the certificate alone then.
            output::message(text.trim_end());
            output::data(&json)?;
            return Ok(ExitCode::from(exit::DONE));
        }
        output::print(&text)?;
        if let Some(path) = &self.output {
            files::write(path, json.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Reads an evaluation, and refuses one that is not of the named policy.
fn earlier(path: &Path, golden: &GoldenArgs) -> Result<Evaluation, anyhow::Error> {
    let (evaluation, name) = (read(path)?, path.display());
    let policies = golden.policy.load()?;
    let of = |policy: &Policy| policy.digest() == evaluation.about.policy[1];
    ensure_hint!(
        policies.len() == 1 && policies.iter().all(of),
        ("{name} is an evaluation of another policy ({})", evaluation.about.policy[0]),
        "name with -p the policy that it was made with"
    );
    ensure_hint!(
        !evaluation.about.terms.0.is_empty(),
        "{name} is of an earlier version, which does not say under which terms it holds",
        "evaluate again"
    );
    Ok(evaluation)
}

/// Parses a share of errors, or of doubt: between 0 and 0.5.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 0.5);
    share.ok_or_else(|| "not a number between 0 and 0.5".to_owned())
}

/// Returns a certificate for people.
fn table(certificate: &Certificate) -> String {
    let Certificate { alpha, delta, low, high, rows, automatic, calibration: [before, after], .. } = certificate;
    let [violations, others] = certificate.classes;
    let [(called, false_alarms), (passed, missed)] = certificate.sides;
    let high = high.map_or("never automatic".to_owned(), |high| {
        format!(
            "automatic from {high:.4} on: {called} testing rows, {false_alarms} of them no violations ({false_alarms} of the {others} there are)"
        )
    });
    let low = low.map_or("never automatic".to_owned(), |low| {
        format!(
            "automatic up to {low:.4}: {passed} testing rows, {missed} of them violations ({missed} of the {violations} there are)"
        )
    });
    format!(
        "rows       {} to fit, {} to test\n\
         ECE        {:.4}, calibrated {:.4}\n\
         Brier      {:.4}, calibrated {:.4}\n\
         violation  {high}\n\
         safe       {low}\n\
         automatic  {:.1} % of the rows; the others go to a person\n\
         promise    at most {:.1} % errors on each side, with {:.1} % confidence\n",
        rows[0],
        rows[1],
        before.ece,
        after.ece,
        before.brier,
        after.brier,
        100.0 * automatic,
        100.0 * alpha,
        100.0 * (1.0 - delta),
    )
}

/// Issues certificates on one half of the rows, again and again, and counts how many the other half breaks.
fn tried(rows: &[(bool, f64)], method: FitMethod, [alpha, delta]: [f64; 2], trials: u64) -> String {
    let (mut issued, mut broken) = (0_u32, 0_u32);
    let mut ece = [0.0; 2];
    for trial in 0..trials {
        let mut mixed = rows.to_vec();
        Random::new(trial).shuffle(&mut mixed);
        let (ours, theirs) = mixed.split_at(mixed.len() / 2);
        let Ok(certificate) = Certificate::issue(EvaluationSetup::default(), ours, method, alpha, delta, trial) else {
            continue;
        };
        issued += 1;
        #[allow(clippy::cast_precision_loss, reason = "rows of an evaluation")]
        let breaks = certificate.errors(theirs).iter().any(|(all, wrong)| *wrong as f64 > alpha * *all as f64);
        broken += u32::from(breaks);
        ece = [ece[0] + certificate.calibration[0].ece, ece[1] + certificate.calibration[1].ece];
    }
    let share = f64::from(broken) / f64::from(issued.max(1));
    let most = delta + 2.0 * (delta * (1.0 - delta) / f64::from(issued.max(1))).sqrt();
    format!(
        "trials     {issued} of {trials} certificates issued, {broken} broken by rows that they had not seen ({share:.3}; {most:.3} is what chance allows); \
         mean ECE {:.4}, calibrated {:.4}\n",
        ece[0] / f64::from(issued.max(1)),
        ece[1] / f64::from(issued.max(1)),
    )
}
