//! The loading of a run's model: its header is read, a plan is made, and then the weights are loaded. A server is asked
//! what it allows instead.
//!
//! The one idea: everything that can be refused is refused from the header, before a large file is read.

#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "remote")]
pub use remote::connect;

use magistrate::calibration::terms::Terms;
use magistrate::engine::memory_plan::{LoadOptions, MemoryPlan, Workload};
#[cfg(feature = "remote")]
use magistrate::engine::remote::Connection;
use magistrate::engine::{Engine, EngineConfig, EngineError, Session};
use magistrate::files::{Files, Refused};
use magistrate::gguf::{Demonstration, ModelFile, Opened};
use magistrate::label::config::RunConfig;
use magistrate::label::judge::Judge;
use magistrate::label::worker;
use magistrate::machine::Machine;
use magistrate::models::stores::parts;
use magistrate::policy::{Policy, PolicyLibrary};
use magistrate::prompt::Templates;
use serde_json::Value;

use super::terminal::{load_plan, output, progress};
use super::{daily, devices, fitting, tuned};

/// A model that is known, and whose weights are not loaded yet.
pub struct Planned {
    model: Opened,
    /// The settings of its engine.
    engine: EngineConfig,
    place: Place,
    /// A note on policies that the model was not trained for.
    note: Option<String>,
}

/// The place where a model computes.
enum Place {
    /// This machine.
    Here(Box<Here>),
    /// A server.
    #[cfg(feature = "remote")]
    Remote(Box<Connection>),
}

/// The plan for loading the weights on this machine.
struct Here {
    machine: Machine,
    workload: Workload,
    plan: MemoryPlan,
}

impl Planned {
    /// Returns the terms of rows that this model makes.
    pub fn terms(&self, config: &RunConfig, policies: &[Policy]) -> Terms {
        config.terms(&self.model.file, &self.engine, policies)
    }

    /// Returns the first line of a worker with this model. A server takes no memory here.
    pub fn greeting(&self, config: &RunConfig, policies: &[Policy]) -> Value {
        let memory = match &self.place {
            Place::Here(here) => [here.plan.cpu.bytes(), here.plan.gpu.bytes()],
            #[cfg(feature = "remote")]
            Place::Remote(_) => [0, 0],
        };
        worker::greeting(&self.terms(config, policies), self.engine.window(), memory)
    }

    /// Returns the conditions that a certificate for a policy is compared with.
    pub fn conditions(&self, config: &RunConfig, policy: &Policy) -> Terms {
        config.conditions(&self.model.file, &self.engine, policy)
    }

    /// Returns the note on policies that the model was not trained for.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

/// Adds the model, the templates and the certificate to the files of a run.
pub fn claim(config: &RunConfig, files: &mut Files) -> Result<(), Refused> {
    parts(&config.load_options.base.model).iter().try_for_each(|path| files.read("the model", path))?;
    if let Some(folder) = &config.template_folder {
        Templates::files(folder).iter().try_for_each(|path| files.read("a template", path))?;
    }
    let certificates = config.certificate.iter().map(|(path, _)| path);
    let early = config.stop_certificate.iter().map(|(path, _)| path);
    certificates.chain(early).try_for_each(|path| files.read("the certificate", path))
}

/// Loads a model to judge by these policies, `parallel` texts at once. Prints notes on its memory and its quality.
pub fn load(config: &RunConfig, policies: &[Policy], parallel: usize) -> Result<Engine, anyhow::Error> {
    load_planned(config, plan_for(config, policies, parallel)?)
}

/// Plans where and how the model computes. Refuses a model that does not fit, and a server that cannot be used.
pub fn plan_for(config: &RunConfig, policies: &[Policy], parallel: usize) -> Result<Planned, anyhow::Error> {
    #[cfg(feature = "remote")]
    if let Some(options) = &config.remote {
        let connection = connect(config, options)?;
        remote::announce(&connection, options);
        let (model, engine) = (connection.model(), connection.config());
        policies.iter().try_for_each(|policy| config.check_certificate(&model.file, &engine, policy))?;
        return Ok(Planned { model, engine, place: Place::Remote(Box::new(connection)), note: None });
    }
    plan_here(config, policies, parallel)
}

/// Reads the model's header, and plans how the model is loaded. Refuses one that does not fit.
fn plan_here(config: &RunConfig, policies: &[Policy], parallel: usize) -> Result<Planned, anyhow::Error> {
    let model = Opened::read(&config.load_options.base.model)?;
    let machine = devices::machine()?;
    let (workload, mut plan) = plan_of(config, &model, policies, parallel, &machine)?;
    anyhow::ensure!(plan.fits(), fitting::refusal(&model.file, &plan, &config.load_options, &workload, &machine));
    policies.iter().try_for_each(|policy| config.check_certificate(&model.file, &plan.config, policy))?;
    if let Some(policy) = policies.first() {
        // A decoded policy in the cache folder is read while the model loads.
        plan.config.prefetch = config.prefix(&model, policy)?;
    }
    let note = untrained_note(&model.file, policies);
    Ok(Planned {
        model,
        engine: plan.config.clone(),
        place: Place::Here(Box::new(Here { machine, workload, plan })),
        note,
    })
}

/// Plans how a model is loaded, with the tuned setting if many texts are judged.
pub fn plan_of(
    config: &RunConfig,
    model: &Opened,
    policies: &[Policy],
    parallel: usize,
    machine: &Machine,
) -> Result<(Workload, MemoryPlan), anyhow::Error> {
    // The fastest setting for many texts need not be the fastest for one.
    let tuned =
        (parallel > fitting::ONE).then(|| tuned::remembered(&model.file, &config.load_options, machine)).flatten();
    Ok(config.plan(model, policies, parallel, tuned, machine)?)
}

/// Loads a model by its plan, or smaller if that fails. A server needs no loading.
pub fn load_planned(config: &RunConfig, planned: Planned) -> Result<Engine, anyhow::Error> {
    let Planned { model, place, note: untrained, .. } = planned;
    let Here { machine, workload, plan } = match place {
        Place::Here(here) => *here,
        #[cfg(feature = "remote")]
        Place::Remote(connection) => return Ok(Engine::remote(*connection, config.templates.clone())?),
    };
    let demonstration = demonstration_note(&model.file);
    output::detail(&format!("model: {}", model.file.path.display()));
    if let Some(note) = load_plan::note(&plan, &config.load_options, &workload) {
        output::message(&note);
    }
    let engine = match start(config, model.clone(), &plan.config) {
        Err(EngineError::Load(why)) => {
            // The same cache type keeps the digits of the rows the same.
            let load_options = LoadOptions { cache: Some(plan.config.cache), ..config.load_options.clone() };
            let mut second = plan.again(&model.file, &load_options, &workload, &machine);
            // A new plan has no policy to read ahead. Without it the two plans would always differ.
            second.config.prefetch.clone_from(&plan.config.prefetch);
            anyhow::ensure!(second.config != plan.config, EngineError::Load(why));
            output::message(&format!(
                "note: loading failed ({why}); once more with less: {}",
                load_plan::flags(&second)
            ));
            start(config, model, &second.config)?
        }
        started => started?,
    };
    match demonstration {
        Some((note, Often::Daily)) => daily::note(&note),
        Some((note, Often::Always)) => output::message(&note),
        None => {}
    }
    if let Some(note) = untrained {
        output::message(&note);
    }
    Ok(engine)
}

fn start(config: &RunConfig, model: Opened, engine: &EngineConfig) -> Result<Engine, EngineError> {
    progress::shown("loading the model", |progress| {
        Engine::load_with(model, engine, config.templates.clone(), progress)
    })
}

/// Decodes a policy.
pub fn session<'engine>(
    config: &RunConfig,
    engine: &'engine Engine,
    policy: &Policy,
) -> Result<Session<'engine>, EngineError> {
    progress::shown("reading the policy", |progress| config.session(engine, policy, progress))
}

/// Decodes policies, to judge many texts by.
pub fn judges<'engine>(
    config: &RunConfig,
    engine: &'engine Engine,
    policies: &[Policy],
) -> Result<Vec<Judge<'engine>>, anyhow::Error> {
    let judge = |policy| progress::shown("reading the policy", |progress| config.judge(engine, policy, progress));
    Ok(policies.iter().map(judge).collect::<Result<_, _>>()?)
}

/// The frequency of a note.
pub enum Often {
    Always,
    Daily,
}

/// Returns the note on a demonstration model. Random weights are named each time: their verdicts mean nothing.
pub fn demonstration_note(model: &ModelFile) -> Option<(String, Often)> {
    let (what, often) = match model.demonstration? {
        Demonstration::Random => {
            ("a demonstration model with random weights: its verdicts mean nothing", Often::Always)
        }
        Demonstration::Trained => {
            ("a very small model for demonstration: its verdicts are not to be relied on", Often::Daily)
        }
    };
    Some((format!("note: {} is {what}. Name a real one with --model", model.name), often))
}

/// Returns the note on policies of the user's own, which the built-in model may not know.
pub fn untrained_note(model: &ModelFile, policies: &[Policy]) -> Option<String> {
    let known = model.trained_for()?.join(", ");
    let own = policies.iter().any(|policy| !PolicyLibrary::shipped().has(policy));
    own.then(|| {
        format!("note: {} was trained for the shipped policies {known} alone, and not for your own", model.name)
    })
}
