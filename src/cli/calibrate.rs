//! `calibrate`: how far probabilities can be believed, and a certificate of which verdicts may be acted on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use magistrate::eval::calibration::Method;
use magistrate::eval::certificate::Certificate;
use magistrate::eval::interval::Random;
use magistrate::eval::{About, probabilities};
use magistrate::files::{self, Files};

use super::eval::{GoldenArgs, read};
use super::{exit, output};

#[derive(Debug, Args)]
pub struct Calibrate {
    #[command(flatten)]
    golden: GoldenArgs,

    /// Take the rows of an evaluation's JSON, and judge nothing; -p is then of no account
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Where the certificate goes; - is stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// temperature: two numbers, for few rows. isotonic: steps, for many
    #[arg(long, value_name = "HOW", default_value = "temperature")]
    method: MethodArg,

    /// The share of errors that is accepted on each side among what is decided automatically
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    alpha: f64,

    /// The chance that a side has more errors than that after all
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    delta: f64,

    /// Which rows fit and which test
    #[arg(long, value_name = "N", default_value_t = 0)]
    split: u64,

    /// Also issue so many certificates, each on half of the rows, and tell how many of them the other half breaks
    #[arg(long, value_name = "N")]
    trials: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MethodArg {
    Temperature,
    Isotonic,
}

impl Calibrate {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let inside = |share: f64| share > 0.0 && share < 0.5;
        anyhow::ensure!(inside(self.alpha) && inside(self.delta), "--alpha and --delta are shares between 0 and 0.5");
        let method = match self.method {
            MethodArg::Temperature => Method::Temperature,
            MethodArg::Isotonic => Method::Isotonic,
        };
        let mut files = Files::new();
        let dash = self.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
        if let Some(path) = self.output.as_ref().filter(|_| !dash) {
            files.write("the certificate", "-o", path)?;
        }
        let evaluation = match &self.from {
            Some(path) => {
                files.read("the evaluation", path)?;
                read(path)?
            }
            None => {
                let Some(mut evaluations) = self.golden.evaluate(&mut files)? else {
                    return Ok(ExitCode::from(exit::STOPPED));
                };
                anyhow::ensure!(evaluations.len() == 1, "a certificate is of one policy\nhint: give one -p");
                evaluations.remove(0)
            }
        };
        let rows = probabilities(&evaluation.rows);
        let certificate = Certificate::issue(evaluation.about, &rows, method, self.alpha, self.delta, self.split)?;
        let mut text = told(&certificate);
        if let Some(trials) = self.trials {
            text.push_str(&tried(&rows, method, [self.alpha, self.delta], trials));
        }
        let json = format!("{}\n", serde_json::to_string_pretty(&certificate)?);
        if dash {
            // Only the certificate is data then.
            output::say(text.trim_end());
            output::print(&json)?;
            return Ok(ExitCode::from(exit::DONE));
        }
        output::print(&text)?;
        if let Some(path) = &self.output {
            files::write(path, json.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

fn told(certificate: &Certificate) -> String {
    let Certificate { alpha, delta, low, high, rows, automatic, calibration: [before, after], .. } = certificate;
    let side = |threshold: &Option<f64>| threshold.map_or("never".to_owned(), |threshold| format!("{threshold:.4}"));
    format!(
        "rows       {} to fit, {} to test\n\
         ECE        {:.4}, calibrated {:.4}\n\
         Brier      {:.4}, calibrated {:.4}\n\
         violation  automatic from {} on\n\
         safe       automatic up to {}\n\
         automatic  {:.1} % of the rows; the others go to a person\n\
         promise    at most {:.1} % errors on each side, with {:.1} % confidence\n",
        rows[0],
        rows[1],
        before.ece,
        after.ece,
        before.brier,
        after.brier,
        side(high),
        side(low),
        100.0 * automatic,
        100.0 * alpha,
        100.0 * (1.0 - delta),
    )
}

/// Issues certificates on one half of the rows, over and over, and looks whether the other half breaks them.
fn tried(rows: &[(bool, f64)], method: Method, [alpha, delta]: [f64; 2], trials: u64) -> String {
    let (mut issued, mut broken) = (0_u32, 0_u32);
    let mut ece = [0.0; 2];
    for trial in 0..trials {
        let mut mixed = rows.to_vec();
        Random::new(trial).shuffle(&mut mixed);
        let (ours, theirs) = mixed.split_at(mixed.len() / 2);
        let Ok(certificate) = Certificate::issue(About::default(), ours, method, alpha, delta, trial) else { continue };
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
