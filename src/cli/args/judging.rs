//! The flags that set how texts are judged, shared by `check`, `label`, `verify`, `eval` and `calibrate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use magistrate::calibration::certificate::Certificate;
use magistrate::calibration::stop::StopCertificate;
use magistrate::engine::{Band, Sampling, SessionOptions};
use magistrate::label::config::RunConfig;
use magistrate::label::judge::Chunking;
use magistrate::label::row::RowFields;
use magistrate::policy::{Effort, Policy};
use magistrate::verdict::ladder::DEFAULT_SURE;
use magistrate::verdict::{DecisionRule, MIN_MASS};

use super::engine::{EngineArgs, at_least_one};
use super::model::ModelArgs;
use super::prompt::PromptArgs;
#[cfg(feature = "remote")]
use super::remote::RemoteArgs;
use crate::cli::terminal::error::{bail_hint, ensure_hint, in_file, with_flags};

#[derive(Debug, Args)]
#[command(next_help_heading = "Judging")]
pub struct JudgingArgs {
    /// Lowest probability that counts as a violation, 0 to 1
    #[arg(long, value_name = "P", value_parser = share)]
    threshold: Option<f64>,

    /// Lowest probability of all allowed answers together, 0 to 1. Below it a text is unresolved [default: 0.5]
    #[arg(long, value_name = "M", value_parser = share)]
    min_mass: Option<f64>,

    /// Print the model's raw reasoning. For developers: it may be wrong, or as harmful as the text
    #[arg(long, help_heading = "Output")]
    reasoning: bool,

    /// Fields of a row to print, such as verdict,probability, or all. Skips work that only other fields need [default: all;
    /// in tables the main ones]
    #[arg(long, value_name = "FIELD,...", value_parser = RowFields::parse, help_heading = "Output")]
    fields: Option<RowFields>,

    /// Certificate of `magistrate calibrate`. Rows then contain the calibrated probability, and the decision to act or
    /// to review
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,

    #[command(flatten)]
    prompt: PromptArgs,

    /// Most tokens of reasoning [default: 512, 1536 or 4096, by effort]
    #[arg(long, value_name = "TOKENS")]
    budget: Option<usize>,

    /// Most tokens of a text. Longer texts are refused [default: the room in --context]
    #[arg(long, value_name = "TOKENS")]
    max_content_tokens: Option<usize>,

    /// Split texts longer than TOKENS into overlapping pieces; the worst piece decides [default TOKENS: 1024]
    #[arg(long, value_name = "TOKENS", num_args = 0..=1, require_equals = true, default_missing_value = "1024", value_parser = at_least_one)]
    chunk: Option<usize>,

    /// Answer without reasoning first, and reason only if the probability is from LOW to HIGH
    #[arg(long, value_name = "LOW:HIGH", value_parser = band)]
    cascade: Option<Band>,

    /// End the reasoning once a verdict is this probable, 0.5 to 1, or as a FILE of calibrate --stop certifies [default with
    /// --effort auto: 0.98]
    #[arg(long, value_name = "P|FILE", value_parser = SureArg::parse, conflicts_with = "cascade")]
    sure: Option<SureArg>,

    /// Decoding. phased: headers are fixed and answers are scored. free: the model writes everything, for comparison
    #[arg(long, value_name = "HOW", default_value = "phased")]
    decode: Decode,

    /// Temperature of reasoning and rationale; 0 takes the likeliest token
    #[arg(long, value_name = "T", default_value = "0", value_parser = temperature)]
    temperature: f32,

    /// Seed of the random numbers that a temperature needs
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    engine: EngineArgs,

    #[cfg(feature = "remote")]
    #[command(flatten)]
    remote: RemoteArgs,
}

/// The sureness that ends the reasoning.
#[derive(Clone, Debug, PartialEq)]
enum SureArg {
    Share(f64),
    Certificate(PathBuf),
}

impl SureArg {
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(share) if (0.5..=1.0).contains(&share) => Ok(Self::Share(share)),
            Ok(_) => Err("not a number from 0.5 to 1".to_owned()),
            Err(_) => Ok(Self::Certificate(text.into())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Decode {
    Phased,
    Free,
}

impl JudgingArgs {
    /// Reports whether the devices are to be listed, and nothing to be judged.
    pub fn lists_devices(&self) -> bool {
        self.engine.lists_devices()
    }

    /// Resolves the flags. Renders each policy once, so that a template that cannot do so fails before a large model is
    /// loaded.
    pub fn resolve(self, policies: &[Policy]) -> Result<RunConfig, anyhow::Error> {
        if self.decode == Decode::Free {
            let rules = [
                ("--threshold", self.threshold.is_some()),
                ("--min-mass", self.min_mass.is_some()),
                ("--certificate", self.certificate.is_some()),
            ];
            if let Some((flag, _)) = rules.into_iter().find(|(_, given)| *given) {
                bail_hint!(
                    "{flag} needs a probability, and --decode free gives none",
                    "leave out one of the two flags"
                );
            }
        }
        let none = |policy: &Policy| self.prompt.effort().unwrap_or(policy.effort) == Effort::None;
        let reasons = self.decode == Decode::Phased && self.budget != Some(0) && !policies.iter().any(none);
        ensure_hint!(
            self.cascade.is_none() || reasons,
            "--cascade needs reasoning to go on to",
            "leave out --decode free, --budget 0 and --effort none"
        );
        ensure_hint!(
            self.sure.is_none() || reasons,
            "--sure needs reasoning to end",
            "leave out --decode free and --budget 0, and give --effort low, medium or high"
        );
        ensure_hint!(
            !self.prompt.is_auto() || (reasons && self.cascade.is_none()),
            "--effort auto needs reasoning to end",
            "leave out --cascade, --decode free and --budget 0; for a policy without reasoning give --effort low --sure 0.98"
        );
        let (sure, stop_certificate) = match self.sure {
            Some(SureArg::Share(share)) => (Some(share), None),
            Some(SureArg::Certificate(path)) => {
                let certificate = early_end(&path)?;
                (Some(certificate.sure), Some((path, Arc::new(certificate))))
            }
            None => (self.prompt.is_auto().then_some(DEFAULT_SURE), None),
        };
        let options = SessionOptions::default()
            .with_effort(self.prompt.effort())
            .with_budget(self.budget)
            .with_cascade(self.cascade)
            .with_sure(sure)
            .with_free(self.decode == Decode::Free)
            .with_rule(
                DecisionRule::default().with_threshold(self.threshold).with_min_mass(self.min_mass.unwrap_or(MIN_MASS)),
            )
            .with_sampling(Sampling { temperature: self.temperature, seed: self.seed })
            .with_date(self.prompt.date.clone())
            .with_max_content(self.max_content_tokens)
            .with_no_rationale(self.fields.as_ref().is_some_and(|fields| !fields.has("rationale")));
        #[cfg(feature = "remote")]
        let remote = self.remote.resolve(self.engine.parallel())?;
        #[cfg(not(feature = "remote"))]
        let remote = None;
        ensure_hint!(
            remote.is_none() || !self.engine.is_reproducible(),
            "--reproducible cannot be promised for another machine",
            "leave out --remote or --reproducible"
        );
        let mut config = RunConfig::new(self.engine.resolve(self.model.path()?), options);
        config.remote = remote;
        config.templates = self.prompt.templates()?;
        config.template_folder = self.prompt.templates;
        config.chunking = self.chunk.map(Chunking::of);
        config.reasoning = self.reasoning;
        config.fields = self.fields.map(Arc::new);
        // The hint in a row names flags, as the hints on stderr do.
        config.hint = with_flags;
        config.certificate = self.certificate.map(certificate).transpose()?;
        config.stop_certificate = stop_certificate;
        ensure_hint!(
            (config.certificate.is_none() && config.stop_certificate.is_none()) || policies.len() == 1,
            "a certificate is of one policy",
            "give one -p with it"
        );
        for policy in policies {
            config.prompt(policy)?;
        }
        Ok(config)
    }
}

/// Reads a certificate.
pub fn certificate(path: PathBuf) -> Result<(PathBuf, Arc<Certificate>), anyhow::Error> {
    let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let certificate = Certificate::read(&bytes).map_err(|error| in_file(path.display(), error))?;
    Ok((path, Arc::new(certificate)))
}

/// Reads a certificate of an early end.
fn early_end(path: &Path) -> Result<StopCertificate, anyhow::Error> {
    let bytes = std::fs::read(path).with_context(|| {
        format!("--sure: {} is neither a number from 0.5 to 1 nor a file that can be read", path.display())
    })?;
    StopCertificate::read(&bytes).map_err(|error| in_file(path.display(), error))
}

fn band(text: &str) -> Result<Band, String> {
    let (low, high) = text.split_once(':').ok_or("not of the form LOW:HIGH")?;
    let band = Band { low: share(low)?, high: share(high)? };
    if band.low <= band.high { Ok(band) } else { Err("LOW is above HIGH".to_owned()) }
}

/// Reads a number from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 1".to_owned()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(temperature) if temperature >= 0.0 && temperature.is_finite() => Ok(temperature),
        _ => Err("not a number from 0 up".to_owned()),
    }
}
