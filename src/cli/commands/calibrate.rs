//! `calibrate`: calibrates probabilities, and issues a certificate of the verdicts that may be acted on.

mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::calibration::certificate::{Certificate, possible};
use magistrate::calibration::map::FitMethod;
use magistrate::calibration::setup::EvaluationSetup;
use magistrate::calibration::stop::{self, NoStop, StopCertificate};
use magistrate::eval::Evaluation;
use magistrate::files::{self, Files};
use magistrate::random::Random;
use serde::Serialize;

use self::table::{early_end, table, warnings};
use crate::cli::args::golden::{Decisions, GoldenArgs, Rows, without_verdicts};
use crate::cli::devices;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};

#[derive(Debug, Args)]
pub struct Calibrate {
    /// File for the certificate; - is stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Print the certificate as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Calibration method. temperature: two numbers, for few rows. isotonic: steps, for many
    #[arg(long, value_name = "HOW", default_value = "temperature", help_heading = "Output")]
    method: MethodArg,

    /// Share of errors that is accepted on each side among automatic decisions
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share, allow_negative_numbers = true, help_heading = "Output")]
    alpha: f64,

    /// Chance that a side has more errors than that after all
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, allow_negative_numbers = true, help_heading = "Output")]
    delta: f64,

    /// Seed of the split into rows that fit and rows that test
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Output")]
    split: u64,

    /// Also issue N certificates, each on half of the rows, and report how many of them the other half breaks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    trials: Option<u64>,

    /// Certify how sure a verdict must be to end the reasoning early, on texts without labels. --alpha is then the share of
    /// texts whose verdict may change
    #[arg(long, help_heading = "Input")]
    stop: bool,

    /// Number of texts that are judged twice more with --stop, at temperature 1, to see how often the model agrees with
    /// itself; 0 skips that
    #[arg(long, value_name = "N", default_value_t = 50, requires = "stop", help_heading = "Input")]
    agreement: usize,

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
        if self.stop {
            return self.early_end();
        }
        let method = match self.method {
            MethodArg::Temperature => FitMethod::Temperature,
            MethodArg::Isotonic => FitMethod::Isotonic,
        };
        let mut files = Files::new();
        let Self { golden, output: file, json: as_json, alpha, delta, split, trials, .. } = self;
        let place = Place::new(file, as_json, &mut files)?;
        let evaluation = match golden.open(Decisions::Sampled, &mut files)? {
            Rows::Judged(evaluations) => earlier(evaluations)?,
            Rows::ToJudge(prepared) => {
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
        if let Some(trials) = trials {
            text.push_str(&tried(&rows, method, [alpha, delta], trials));
        }
        place.write(&text, &certificate)?;
        for warning in warnings(&certificate) {
            output::message(&warning);
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

impl Calibrate {
    /// Certifies how sure a verdict must be to end the reasoning.
    fn early_end(self) -> Result<ExitCode, anyhow::Error> {
        let Self { golden, output: file, json: as_json, alpha, delta, agreement, .. } = self;
        let mut files = Files::new();
        let place = Place::new(file, as_json, &mut files)?;
        let prepared = golden.texts(&mut files)?;
        let (have, need) = (prepared.golden.records.len() as u64, stop::least(alpha, delta));
        if have < need {
            // Known before the model is loaded.
            return Err(NoStop::TooFew { have, need }.into());
        }
        let Some(traced) = prepared.trace(agreement)? else { return Ok(ExitCode::from(exit::STOPPED)) };
        let mut certificate = StopCertificate::issue(traced.about, &traced.texts, alpha, delta)?;
        certificate.agreement = traced.agreement;
        place.write(&early_end(&certificate), &certificate)?;
        Ok(ExitCode::from(exit::DONE))
    }
}

/// The place of a certificate.
struct Place {
    file: Option<PathBuf>,
    to_stdout: bool,
}

impl Place {
    fn new(file: Option<PathBuf>, as_json: bool, files: &mut Files) -> Result<Self, anyhow::Error> {
        let to_stdout = as_json || file.as_deref().is_some_and(|path| path.as_os_str() == "-");
        let file = file.filter(|path| path.as_os_str() != "-");
        file.iter().try_for_each(|path| files.write("the certificate", "-o", path))?;
        Ok(Self { file, to_stdout })
    }

    /// Writes a certificate to its file, and its text or JSON to stdout.
    fn write(&self, text: &str, certificate: &impl Serialize) -> Result<(), anyhow::Error> {
        let json = format!("{}\n", serde_json::to_string_pretty(certificate)?);
        if let Some(path) = &self.file {
            files::write(path, json.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        if self.to_stdout {
            // stdout carries the certificate alone then.
            output::message(text.trim_end());
            output::data(&json)?;
        } else {
            output::print(text)?;
        }
        Ok(())
    }
}

/// Returns the only evaluation, and refuses one without terms.
fn earlier(mut evaluations: Vec<Evaluation>) -> Result<Evaluation, anyhow::Error> {
    let policies: Vec<&str> = evaluations.iter().map(|evaluation| evaluation.about.policy[0].as_str()).collect();
    ensure_hint!(
        evaluations.len() == 1,
        ("a certificate is of one policy, and --from has {}", policies.join(", ")),
        "name one of them with -p"
    );
    let evaluation = evaluations.remove(0);
    ensure_hint!(
        !evaluation.about.terms.0.is_empty(),
        "the evaluation is of an earlier version, which does not state under which terms it holds",
        "evaluate again"
    );
    Ok(evaluation)
}

/// Parses a share of errors, or of doubt: between 0 and 0.5.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 0.5);
    share.ok_or_else(|| "not a number between 0 and 0.5".to_owned())
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
