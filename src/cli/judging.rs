//! How texts are judged: the flags that `check` and `label` share, and what they come to.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use magistrate::calibration::certificate::Certificate;
use magistrate::calibration::provenance::Terms;
use magistrate::engine::plan::{Job, Plan, Wishes};
use magistrate::engine::{Band, Engine, EngineConfig, EngineError, Mode, Sampling, Session, SessionOptions};
use magistrate::files::{Files, Refused};
use magistrate::gguf::{Demonstration, ModelFile, Opened};
use magistrate::label::judge::Chunking;
use magistrate::label::row::{Fields, Provenance};
use magistrate::label::run::Judge;
use magistrate::machine::Machine;
use magistrate::models::stores::parts;
use magistrate::policy::{Effort, Policy, PolicyLibrary};
use magistrate::prompt::{Prompt, TemplateError, Templates};
use magistrate::tokenizer::Token;
use magistrate::verdict::{MIN_MASS, Rule};
use serde_json::{Value, json};

use super::engine::{EngineArgs, at_least_one};
use super::{ModelArgs, PromptArgs, fit, output, progress, tune};

#[derive(Debug, Args)]
pub struct JudgingArgs {
    /// Call it a violation from this probability on, 0 to 1
    #[arg(long, value_name = "P", value_parser = share)]
    threshold: Option<f64>,

    /// Leave it unresolved if all allowed answers together have less than this mass, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "M", value_parser = share)]
    min_mass: Option<f64>,

    /// Show the model's raw reasoning. For developers: it may be wrong, or as bad as the text
    #[arg(long)]
    reasoning: bool,

    /// Print only these fields of a row, and compute no more than they need: verdict,probability
    #[arg(long, value_name = "FIELD,...", value_parser = Fields::parse)]
    fields: Option<Fields>,

    /// A certificate of `magistrate calibrate`: rows say what is believed of the probability, and whether to act on the verdict
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,

    #[command(flatten)]
    prompt: PromptArgs,

    /// The most tokens of reasoning [default: 512, 1536 or 4096, by effort]
    #[arg(long, value_name = "TOKENS")]
    budget: Option<usize>,

    /// Refuse a text of more tokens [default: what --context has room for]
    #[arg(long, value_name = "TOKENS")]
    max_content_tokens: Option<usize>,

    /// Judge a longer text in overlapping pieces of so many tokens [1024 if none are given]: the worst piece decides
    #[arg(long, value_name = "TOKENS", num_args = 0..=1, require_equals = true, default_missing_value = "1024", value_parser = at_least_one)]
    chunk: Option<usize>,

    /// Answer without reasoning first, and reason only where that gives a probability from LOW to HIGH
    #[arg(long, value_name = "LOW:HIGH", value_parser = band)]
    cascade: Option<Band>,

    /// phased: we write the headers and score the answers. free: the model writes it all, for comparison
    #[arg(long, value_name = "HOW", default_value = "phased")]
    decode: Decode,

    /// How reasoning and rationale are drawn: 0 takes the likeliest token
    #[arg(long, value_name = "T", default_value = "0", value_parser = temperature)]
    temperature: f32,

    /// Where the random numbers of a temperature start
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Decode {
    Phased,
    Free,
}

/// What the flags come to.
pub struct Judging {
    pub wishes: Wishes,
    pub templates: Templates,
    pub options: SessionOptions,
    pub chunking: Option<Chunking>,
    pub reasoning: bool,
    pub fields: Option<Arc<Fields>>,
    /// The way in which a record's columns make its text. A verb that reads records may change it.
    pub text: String,
    /// A certificate, and the file that it is in.
    pub certificate: Option<(PathBuf, Arc<Certificate>)>,
    /// The folder of the templates, if they are not the shipped ones.
    pub folder: Option<PathBuf>,
}

impl JudgingArgs {
    /// Resolves the flags, and tries whether the templates can render these policies: what fails, fails before a large
    /// model is loaded.
    pub fn resolve(self, policies: &[Policy]) -> Result<Judging, anyhow::Error> {
        if self.decode == Decode::Free {
            let rules = [
                ("--threshold", self.threshold.is_some()),
                ("--min-mass", self.min_mass.is_some()),
                ("--certificate", self.certificate.is_some()),
            ];
            if let Some((flag, _)) = rules.into_iter().find(|(_, given)| *given) {
                anyhow::bail!(
                    "{flag} needs a probability, and --decode free gives none\nhint: leave out one of the two flags"
                );
            }
        }
        if self.cascade.is_some() {
            let none = |policy: &Policy| self.prompt.effort.unwrap_or(policy.effort) == Effort::None;
            anyhow::ensure!(
                self.decode == Decode::Phased && self.budget != Some(0) && !policies.iter().any(none),
                "--cascade needs reasoning to go on to\nhint: leave out --decode free, --budget 0 and --effort none"
            );
        }
        let judging = Judging {
            templates: self.prompt.templates()?,
            folder: self.prompt.templates.clone(),
            wishes: self.engine.wishes(self.model.path()?)?,
            options: SessionOptions {
                effort: self.prompt.effort,
                budget: self.budget,
                cascade: self.cascade,
                free: self.decode == Decode::Free,
                rule: Rule { threshold: self.threshold, min_mass: self.min_mass.unwrap_or(MIN_MASS) },
                sampling: Sampling { temperature: self.temperature, seed: self.seed },
                date: self.prompt.date,
                max_content: self.max_content_tokens,
                no_rationale: self.fields.as_ref().is_some_and(|fields| !fields.has("rationale")),
            },
            chunking: self.chunk.map(Chunking::of),
            reasoning: self.reasoning,
            fields: self.fields.map(Arc::new),
            text: AS_IT_STANDS.to_owned(),
            certificate: self.certificate.map(certificate).transpose()?,
        };
        anyhow::ensure!(
            judging.certificate.is_none() || policies.len() == 1,
            "a certificate is of one policy\nhint: give one -p with --certificate"
        );
        for policy in policies {
            let Judging { templates, options, .. } = &judging;
            Prompt::new(templates, policy, options.effort.unwrap_or(policy.effort), options.date.as_deref())?;
        }
        Ok(judging)
    }
}

impl Judging {
    /// By the shipped templates, and as it comes.
    pub fn new(wishes: Wishes, options: SessionOptions) -> Self {
        let templates = Templates::shipped();
        Self {
            wishes,
            templates,
            options,
            chunking: None,
            reasoning: false,
            fields: None,
            text: AS_IT_STANDS.to_owned(),
            certificate: None,
            folder: None,
        }
    }

    /// Adds the model, the templates and the certificate to the files of a run.
    pub fn reads(&self, files: &mut Files) -> Result<(), Refused> {
        parts(&self.wishes.base.model).iter().try_for_each(|path| files.read("the model", path))?;
        if let Some(folder) = &self.folder {
            Templates::files(folder).iter().try_for_each(|path| files.read("a template", path))?;
        }
        self.certificate.iter().try_for_each(|(path, _)| files.read("the certificate", path))
    }

    /// Loads the model so that it fits, to judge so many texts at once by these policies, and says so if it is one for
    /// demonstration.
    pub fn load(&self, policies: &[Policy], parallel: usize) -> Result<Engine, anyhow::Error> {
        self.load_planned(self.read(policies, parallel)?)
    }

    /// Reads the model's header, and plans how the model is to be loaded. Refuses one that does not fit.
    pub fn read(&self, policies: &[Policy], parallel: usize) -> Result<Planned, anyhow::Error> {
        let model = Opened::read(&self.wishes.base.model)?;
        let machine = fit::machine()?;
        let (job, mut plan) = self.plan(&model, policies, parallel, &machine)?;
        anyhow::ensure!(plan.fits(), fit::refusal(&model.file, &plan, &self.wishes, &job, &machine));
        policies.iter().try_for_each(|policy| self.certified(&model.file, &plan.config, policy))?;
        if let Some(policy) = policies.first() {
            plan.config.first = self.prefix(&model, policy)?;
        }
        let note = note(&model.file, policies);
        Ok(Planned { model, machine, job, plan, note })
    }

    /// Loads a model as it was planned, or smaller if that fails.
    pub fn load_planned(&self, planned: Planned) -> Result<Engine, anyhow::Error> {
        let Planned { model, machine, job, plan, note: of_demonstration } = planned;
        if let Some(note) = fit::note(&plan, &self.wishes, &job) {
            output::say(&note);
        }
        let engine = match self.start(model.clone(), &plan.config) {
            Err(EngineError::Load(why)) => {
                // The same cache type keeps the digits of the rows the same.
                let wishes = Wishes { cache: Some(plan.config.cache), ..self.wishes.clone() };
                let mut second = plan.again(&model.file, &wishes, &job, &machine);
                second.config.first.clone_from(&plan.config.first);
                anyhow::ensure!(second.config != plan.config, EngineError::Load(why));
                output::say(&format!("note: loading failed ({why}); once more with less: {}", fit::settings(&second)));
                self.start(model, &second.config)?
            }
            started => started?,
        };
        if let Some(note) = of_demonstration {
            output::say(&note);
        }
        Ok(engine)
    }

    fn start(&self, model: Opened, config: &EngineConfig) -> Result<Engine, EngineError> {
        progress::shown("loading the model", |progress| {
            Engine::load_with(model, config, self.templates.clone(), progress)
        })
    }

    /// How a model is loaded to judge so many texts at once by these policies, and what it takes.
    pub fn plan(
        &self,
        model: &Opened,
        policies: &[Policy],
        parallel: usize,
        machine: &Machine,
    ) -> Result<(Job, Plan), TemplateError> {
        let length = |policy| Ok(self.prefix(model, policy)?.len());
        let policies = policies.iter().map(length).collect::<Result<_, TemplateError>>()?;
        // What is the fastest for many says nothing of one.
        let tuned = (parallel > fit::ONE).then(|| tune::remembered(&model.file, &self.wishes, machine)).flatten();
        let job = Job { parallel, tuned, policies };
        let plan = Plan::new(&model.file, &self.wishes, &job, machine);
        Ok((job, plan))
    }

    /// A policy's tokens.
    fn prefix(&self, model: &Opened, policy: &Policy) -> Result<Vec<Token>, TemplateError> {
        let SessionOptions { effort, date, .. } = &self.options;
        let prompt = Prompt::new(&self.templates, policy, effort.unwrap_or(policy.effort), date.as_deref())?;
        Ok(prompt.prefix_tokens(&model.tokenizer))
    }

    /// Decodes a policy.
    pub fn session<'engine>(&self, engine: &'engine Engine, policy: &Policy) -> Result<Session<'engine>, EngineError> {
        progress::shown("reading the policy", |progress| engine.session_with(policy, &self.options, progress))
    }

    /// Decodes policies, to judge many texts by.
    pub fn judges<'engine>(
        &self,
        engine: &'engine Engine,
        policies: &[Policy],
    ) -> Result<Vec<Judge<'engine>>, anyhow::Error> {
        let judge = |policy| {
            let provenance = self.provenance(engine, policy)?;
            Ok(Judge { session: self.session(engine, policy)?, provenance })
        };
        policies.iter().map(judge).collect()
    }

    /// Returns what rows depend on beside their texts. Each term has the name by which a journal under other terms is
    /// refused.
    ///
    /// Settings that change only the order of sums are left out. That order changes from one text to the next anyway.
    pub fn terms(&self, planned: &Planned, policies: &[Policy]) -> Terms {
        self.terms_of(&planned.model.file, &planned.plan.config, policies)
    }

    fn terms_of(&self, model: &ModelFile, config: &EngineConfig, policies: &[Policy]) -> Terms {
        let SessionOptions { budget, cascade, free, sampling, date, max_content, no_rationale, .. } = &self.options;
        let rule = self.options.rule();
        let policies = self.policies(policies);
        let said = json!({
            "model": format!("{} {}", model.name, model.digest),
            "template": format!("{} {}", self.templates.id(), self.templates.digest()),
            "policies": policies,
            "--budget": budget,
            "--cascade": cascade.map(|band| format!("{}:{}", band.low, band.high)),
            "--decode": if *free { "free" } else { "phased" },
            "--threshold": rule.and_then(|rule| rule.threshold),
            "--min-mass": rule.map(|rule| rule.min_mass),
            "--temperature": sampling.temperature,
            "--seed": sampling.seed,
            "--date": date,
            "--max-content-tokens": max_content,
            "--chunk": self.chunking.map(|chunking| chunking.size),
            "--reasoning": self.reasoning,
            "--reproducible": config.reproducible,
            "--kv": format!("{:?}", config.cache).to_lowercase(),
            "--flash-attention": format!("{:?}", config.flash_attention).to_lowercase(),
            "--repack": config.repack,
            "rationale": !no_rationale,
            "certificate": self.certificate.as_ref().map(|(_, certificate)| certificate),
        });
        match said {
            Value::Object(terms) => Terms(terms),
            _ => Terms::default(),
        }
    }

    /// Returns the policies as terms: the id of each, its digest and the effort.
    pub fn policies(&self, policies: &[Policy]) -> Vec<String> {
        let effort = |policy: &Policy| self.options.effort.unwrap_or(policy.effort);
        policies.iter().map(|policy| format!("{} {} {}", policy.id, policy.digest(), effort(policy))).collect()
    }

    /// Returns what a probability depends on beside the text. An evaluation and a certificate hold for these conditions
    /// alone. A flag that has no effect beside the others counts as not given.
    pub fn conditions(&self, model: &ModelFile, config: &EngineConfig, policy: &Policy) -> Terms {
        let mode = self.options.mode(policy.effort);
        let (budget, band) = match mode {
            Mode::Answer => (None, None),
            Mode::Reason { budget } | Mode::Free { budget } => (Some(budget), None),
            Mode::Cascade { budget, band } => (Some(budget), Some(format!("{}:{}", band.low, band.high))),
        };
        let Sampling { temperature, seed } = self.options.sampling;
        let Terms(mut terms) = self.terms_of(model, config, std::slice::from_ref(policy));
        for of_journals in
            ["policies", "--max-content-tokens", "--reasoning", "--reproducible", "rationale", "certificate"]
        {
            terms.shift_remove(of_journals);
        }
        for (name, value) in [
            ("policy", json!(policy.digest())),
            ("model", json!(model.digest)),
            ("template", json!(self.templates.digest())),
            ("effort", json!(self.effort(policy).as_str())),
            ("text", json!(self.text)),
            ("--budget", json!(budget)),
            ("--cascade", json!(band)),
            ("--seed", json!((temperature > 0.0).then_some(seed))),
        ] {
            terms.insert(name.to_owned(), value);
        }
        Terms(terms)
    }

    /// Returns how much the model is to reason.
    fn effort(&self, policy: &Policy) -> Effort {
        match self.options.mode(policy.effort) {
            Mode::Answer => Effort::None,
            _ => self.options.effort.unwrap_or(policy.effort),
        }
    }

    /// Refuses a certificate that does not hold under these conditions.
    fn certified(&self, model: &ModelFile, config: &EngineConfig, policy: &Policy) -> Result<(), anyhow::Error> {
        let Some((path, certificate)) = &self.certificate else { return Ok(()) };
        match certificate.unlike(&self.conditions(model, config, policy)) {
            None => Ok(()),
            Some(unlike) => {
                let hint = "give the flags that it was issued with, or issue one for these with magistrate calibrate";
                anyhow::bail!("{}: {unlike}\nhint: {hint}", path.display())
            }
        }
    }

    /// What the rows of a policy have in common.
    ///
    /// # Errors
    ///
    /// When a certificate is of something else.
    pub fn provenance(&self, engine: &Engine, policy: &Policy) -> Result<Provenance, anyhow::Error> {
        self.certified(engine.model(), engine.config(), policy)?;
        let effort = self.effort(policy);
        let provenance = Provenance::new(policy, engine.model(), engine.templates(), effort, self.options.rule())
            .with_fields(self.fields.clone());
        Ok(match &self.certificate {
            None => provenance,
            Some((_, certificate)) => provenance.with_certificate(Arc::clone(certificate)),
        })
    }
}

/// A model that was read, and the plan to load it by.
pub struct Planned {
    model: Opened,
    machine: Machine,
    job: Job,
    plan: Plan,
    note: Option<String>,
}

/// The name of the way in which one column, one line or one file is a text.
pub const AS_IT_STANDS: &str = "as it stands";

/// Returns the notes on a demonstration model, and on policies of the user's own that it may not know.
pub fn note(model: &ModelFile, policies: &[Policy]) -> Option<String> {
    let what = match model.demonstration? {
        Demonstration::Random => "a demonstration model with random weights: its verdicts mean nothing",
        Demonstration::Trained => "a very small model for demonstration: its verdicts are not to be relied on",
    };
    let mut note = format!("note: {} is {what}. Name a real one with --model", model.name);
    if let Some(known) = model.trained_for()
        && policies.iter().any(|policy| !PolicyLibrary::shipped().has(policy))
    {
        let known = known.join(", ");
        note.push_str(&format!("\nnote: it was trained for the shipped policies {known} alone, and not for your own"));
    }
    Some(note)
}

fn certificate(path: PathBuf) -> Result<(PathBuf, Arc<Certificate>), anyhow::Error> {
    let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let certificate = Certificate::read(&bytes).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
    Ok((path, Arc::new(certificate)))
}

fn band(text: &str) -> Result<Band, String> {
    let (low, high) = text.split_once(':').ok_or("not of the form LOW:HIGH")?;
    let band = Band { low: share(low)?, high: share(high)? };
    if band.low <= band.high { Ok(band) } else { Err("LOW is above HIGH".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
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
