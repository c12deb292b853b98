//! The settings of a run: the model and how it is loaded, the templates, and how texts are judged.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::judge::{Chunking, Judge};
use super::row::{Provenance, RowFields};
use crate::calibration::certificate::Certificate;
use crate::calibration::stop::StopCertificate;
use crate::calibration::terms::{CANARY, SURE, Terms, measured};
use crate::engine::memory_plan::{LoadOptions, MemoryPlan, Workload};
use crate::engine::remote::{ROUNDING, RemoteOptions};
use crate::engine::tune::Tuning;
use crate::engine::{Engine, EngineConfig, EngineError, Mode, Sampling, Session, SessionOptions};
use crate::gguf::{ModelFile, Opened};
use crate::hint::{Hint, Hints};
use crate::machine::Machine;
use crate::policy::{Effort, Policy};
use crate::prompt::{Prompt, TemplateError, Templates};
use crate::tokenizer::Token;

/// The settings of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunConfig {
    /// The model's file, and how it is loaded.
    pub load_options: LoadOptions,
    /// The templates of the prompt.
    pub templates: Templates,
    /// The folder of the templates. `None` for the shipped ones.
    pub template_folder: Option<PathBuf>,
    /// The options of each policy's session.
    pub options: SessionOptions,
    /// The way in which long contents are cut. They are refused if it is `None`.
    pub chunking: Option<Chunking>,
    /// Puts the raw reasoning into rows.
    pub reasoning: bool,
    /// The fields of a row that are printed. All if `None`.
    pub fields: Option<Arc<RowFields>>,
    /// The function that writes the hint of an error into a row [default: the `Display` of [`Hint`]].
    pub hint: fn(&Hint) -> String,
    /// The way in which a record's columns make its text: [`ONE_COLUMN`], or a description. Certificates depend on it.
    pub composition: String,
    /// A certificate, and its file.
    pub certificate: Option<(PathBuf, Arc<Certificate>)>,
    /// The certificate of the early end that the options have, and its file.
    pub stop_certificate: Option<(PathBuf, Arc<StopCertificate>)>,
    /// A server that computes instead of this machine. The model's file is then only its vocabulary.
    pub remote: Option<RemoteOptions>,
}

/// The composition of a text that is one column, one line or one file.
pub const ONE_COLUMN: &str = "as it stands";

/// Returns the id, the digest and the effort of each policy in a run's terms, as [`RunConfig::policy_terms`] joins
/// them.
#[must_use]
pub fn policies(terms: &Terms) -> Vec<[String; 3]> {
    let parts = |term: &String| {
        // Split from the end: the id of a plain text is the name of its file, which may have spaces.
        let mut parts = term.rsplitn(3, ' ').map(str::to_owned);
        let (effort, digest, id) = (parts.next()?, parts.next()?, parts.next()?);
        Some([id, digest, effort])
    };
    terms.strings("policies").iter().filter_map(parts).collect()
}

/// Returns the ids of a run's policies, in the order of a record's rows.
#[must_use]
pub fn policy_ids(terms: &Terms) -> Vec<String> {
    policies(terms).into_iter().map(|[id, ..]| id).collect()
}

/// Returns the threshold in the terms of a run or in its conditions.
#[must_use]
pub fn threshold(terms: &Terms) -> Option<f64> {
    terms.0.get(THRESHOLD).and_then(Value::as_f64)
}

/// The name of a term that lists the columns that make each text. A run adds it to the terms of its settings.
pub const COLUMNS_TO_JUDGE: &str = "columns to judge";

/// The name of the term that is the threshold.
pub(super) const THRESHOLD: &str = "--threshold";
/// The name of the term that is the certificate.
pub(super) const CERTIFICATE: &str = "certificate";
/// The name of the term that is true if rows have the raw reasoning.
pub(super) const REASONING: &str = "--reasoning";
/// The name of the term that is true if rows have a rationale.
pub const RATIONALE: &str = "rationale";
/// The name of the term that is true if journals have the answers at every rung of the reasoning.
const RUNGS: &str = "rungs";
/// The name of the term that is the way of decoding, and its value without probabilities.
pub(super) const FREE: (&str, &str) = ("--decode", "free");
/// The names of the terms that a finished run can be decided anew by.
pub const DECIDING: [&str; 2] = [THRESHOLD, CERTIFICATE];

/// An error of a run's settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunConfigError {
    /// A certificate was issued under other conditions.
    #[error("{}: {differences}", path.display())]
    OtherConditions {
        /// The certificate's file.
        path: PathBuf,
        /// The conditions that differ.
        differences: String,
    },
    /// The policy cannot be decoded.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Hints for RunConfigError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::OtherConditions { .. } => vec![Hint::new(
                "give the flags that it was issued with, or issue one for these with magistrate calibrate",
            )],
            Self::Engine(error) => error.hints(),
        }
    }
}

impl RunConfig {
    /// Returns settings with the shipped templates and without chunking, fields or a certificate.
    #[must_use]
    pub fn new(load_options: LoadOptions, options: SessionOptions) -> Self {
        Self {
            load_options,
            templates: Templates::shipped(),
            template_folder: None,
            options,
            chunking: None,
            reasoning: false,
            fields: None,
            hint: Hint::to_string,
            composition: ONE_COLUMN.to_owned(),
            certificate: None,
            stop_certificate: None,
            remote: None,
        }
    }

    /// Plans how a model is loaded to judge by these policies, and how much memory that takes.
    ///
    /// `parallel` is the number of contents at once if nothing was measured, and `tuned` the measured optimum.
    ///
    /// # Errors
    ///
    /// If the templates cannot render a policy.
    pub fn plan(
        &self,
        model: &Opened,
        policies: &[Policy],
        parallel: usize,
        tuned: Option<Tuning>,
        machine: &Machine,
    ) -> Result<(Workload, MemoryPlan), TemplateError> {
        let length = |policy| Ok(self.prefix(model, policy)?.len());
        let policies = policies.iter().map(length).collect::<Result<_, TemplateError>>()?;
        let workload = Workload { parallel, tuned, policies };
        let plan = MemoryPlan::new(&model.file, &self.load_options, &workload, machine);
        Ok((workload, plan))
    }

    /// Returns a policy's prompt without the text, as tokens.
    ///
    /// # Errors
    ///
    /// If the templates cannot render the policy.
    pub fn prefix(&self, model: &Opened, policy: &Policy) -> Result<Vec<Token>, TemplateError> {
        Ok(self.prompt(policy)?.prefix_tokens(&model.tokenizer))
    }

    /// Returns a policy's prompt.
    ///
    /// # Errors
    ///
    /// If the templates cannot render the policy.
    pub fn prompt(&self, policy: &Policy) -> Result<Prompt, TemplateError> {
        let SessionOptions { effort, date, .. } = &self.options;
        Prompt::new(&self.templates, policy, effort.unwrap_or(policy.effort), date.as_deref())
    }

    /// Decodes a policy. Reports the tokens that are decoded, and all of its tokens.
    ///
    /// # Errors
    ///
    /// If the policy cannot be decoded.
    pub fn session<'engine>(
        &self,
        engine: &'engine Engine,
        policy: &Policy,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Session<'engine>, EngineError> {
        engine.session_with(policy, &self.options, progress)
    }

    /// Decodes a policy, to judge many texts by.
    ///
    /// # Errors
    ///
    /// If the policy cannot be decoded, or the certificate does not hold.
    pub fn judge<'engine>(
        &self,
        engine: &'engine Engine,
        policy: &Policy,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Judge<'engine>, RunConfigError> {
        let provenance = self.provenance(engine, policy)?;
        Ok(Judge { session: self.session(engine, policy, progress)?, provenance })
    }

    /// Returns the settings that rows depend on besides their texts. Each has the name by which a journal under other
    /// terms is refused. The names are part of the journal's format.
    ///
    /// Settings that change only the order of sums are left out. That order changes from one text to the next anyway.
    #[must_use]
    pub fn terms(&self, model: &ModelFile, config: &EngineConfig, policies: &[Policy]) -> Terms {
        let SessionOptions { budget, cascade, free, sampling, date, max_content, no_rationale, trace, .. } =
            &self.options;
        let rule = self.options.rule();
        // Settings of this machine have no effect on a server.
        let here = config.remote.is_none();
        let canary = config.remote.as_ref().filter(|server| !server.canary.is_empty());
        let terms = json!({
            "model": format!("{} {}", model.name, model.digest),
            "template": format!("{} {}", self.templates.id(), self.templates.digest()),
            "policies": self.policy_terms(policies),
            "--budget": budget,
            "--cascade": cascade.map(|band| format!("{}:{}", band.low, band.high)),
            SURE: self.options.sure.filter(|sure| *sure < 1.0),
            RUNGS: trace.then_some(true),
            "--decode": if *free { "free" } else { "phased" },
            "--threshold": rule.and_then(|rule| rule.threshold),
            "--min-mass": rule.map(|rule| rule.min_mass),
            "--temperature": sampling.temperature,
            "--seed": sampling.seed,
            "--date": date,
            "--max-content-tokens": max_content,
            "--chunk": self.chunking.map(|chunking| chunking.size),
            "--reasoning": self.reasoning,
            CANARY: canary.map(|server| measured(&server.canary, ROUNDING)),
            "--reproducible": here.then_some(config.reproducible),
            "--kv": here.then(|| format!("{:?}", config.cache).to_lowercase()),
            "--flash-attention": here.then(|| format!("{:?}", config.flash_attention).to_lowercase()),
            "--repack": here.then_some(config.repack),
            "--kernels": here.then(|| format!("{:?}", config.kernels).to_lowercase()),
            "rationale": !no_rationale,
            "certificate": self.certificate.as_ref().map(|(_, certificate)| certificate),
        });
        match terms {
            Value::Object(terms) => Terms(terms),
            _ => Terms::default(),
        }
    }

    /// Returns the policies as terms: the id, the digest and the effort of each.
    #[must_use]
    pub fn policy_terms(&self, policies: &[Policy]) -> Vec<String> {
        let effort = |policy: &Policy| self.options.effort.unwrap_or(policy.effort);
        policies.iter().map(|policy| format!("{} {} {}", policy.id, policy.digest(), effort(policy))).collect()
    }

    /// Returns the settings that a probability depends on besides the text. An evaluation and a certificate hold for
    /// these conditions alone. A setting without effect beside the others counts as not given.
    #[must_use]
    pub fn conditions(&self, model: &ModelFile, config: &EngineConfig, policy: &Policy) -> Terms {
        let mode = self.options.mode(policy.effort);
        let (budget, band) = match mode {
            Mode::Answer => (None, None),
            Mode::Reason { budget } | Mode::Free { budget } => (Some(budget), None),
            Mode::Cascade { budget, band } => (Some(budget), Some(format!("{}:{}", band.low, band.high))),
        };
        let Sampling { temperature, seed } = self.options.sampling;
        let Terms(mut terms) = self.terms(model, config, std::slice::from_ref(policy));
        // A probability does not depend on these, and the names below replace `policies`.
        for of_journals in
            ["policies", RUNGS, "--max-content-tokens", "--reasoning", "--reproducible", "rationale", "certificate"]
        {
            terms.shift_remove(of_journals);
        }
        for (name, value) in [
            ("policy", json!(policy.digest())),
            ("model", json!(model.digest)),
            ("template", json!(self.templates.digest())),
            ("effort", json!(self.effort(policy).as_str())),
            ("text", json!(self.composition)),
            ("--budget", json!(budget)),
            ("--cascade", json!(band)),
            (SURE, json!(self.options.sure.filter(|sure| *sure < 1.0 && matches!(mode, Mode::Reason { .. })))),
            // Nothing is drawn at temperature 0.
            ("--seed", json!((temperature > 0.0).then_some(seed))),
        ] {
            terms.insert(name.to_owned(), value);
        }
        Terms(terms)
    }

    /// Returns the effort of reasoning under a policy.
    #[must_use]
    pub fn effort(&self, policy: &Policy) -> Effort {
        match self.options.mode(policy.effort) {
            Mode::Answer => Effort::None,
            _ => self.options.effort.unwrap_or(policy.effort),
        }
    }

    /// Refuses certificates that do not hold under these conditions.
    ///
    /// # Errors
    ///
    /// If a condition differs.
    pub fn check_certificate(
        &self,
        model: &ModelFile,
        config: &EngineConfig,
        policy: &Policy,
    ) -> Result<(), RunConfigError> {
        let conditions = self.conditions(model, config, policy);
        let of_verdicts = self.certificate.as_ref().map(|(path, certificate)| (path, certificate.unlike(&conditions)));
        let of_end = self.stop_certificate.as_ref().map(|(path, certificate)| (path, certificate.unlike(&conditions)));
        match of_verdicts.into_iter().chain(of_end).find_map(|(path, unlike)| Some((path, unlike?))) {
            None => Ok(()),
            Some((path, differences)) => Err(RunConfigError::OtherConditions { path: path.clone(), differences }),
        }
    }

    /// Returns the provenance that all rows of a policy share.
    ///
    /// # Errors
    ///
    /// If the certificate does not hold under these conditions.
    pub fn provenance(&self, engine: &Engine, policy: &Policy) -> Result<Provenance, RunConfigError> {
        self.check_certificate(engine.model(), engine.config(), policy)?;
        let effort = self.effort(policy);
        let provenance = Provenance::new(policy, engine.model(), engine.templates(), effort, self.options.rule())
            .with_fields(self.fields.clone())
            .with_rungs(self.options.trace)
            .with_hints(self.hint);
        Ok(match &self.certificate {
            None => provenance,
            Some((_, certificate)) => provenance.with_certificate(Arc::clone(certificate)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_policy_may_have_spaces() {
        let terms =
            Terms([("policies".to_owned(), json!(["house rules 00ff low", "spam 11ee none"]))].into_iter().collect());
        assert_eq!(policies(&terms)[0], ["house rules", "00ff", "low"]);
        assert_eq!(policy_ids(&terms), ["house rules", "spam"]);
    }
}
