//! `model fit`: reports whether a model fits on this machine, and the plan for loading.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use magistrate::engine::memory_plan::{MemoryPlan, Need, Workload};
use magistrate::engine::{CacheType, SessionOptions};
use magistrate::gguf::{ModelFile, Opened};
use magistrate::label::config::RunConfig;
use magistrate::policy::{self, Policy};
use serde_json::{Value, json};

use crate::cli::args::engine::EngineArgs;
use crate::cli::fitting::{self, ONE, SEVERAL};
use crate::cli::length::length;
use crate::cli::terminal::{exit, load_plan, output};
use crate::cli::{devices, loading, models};

#[derive(Debug, Args)]
pub struct Fit {
    /// A file, a name of `model list`, or a source of `model pull`. 20b and 120b need not be on this machine
    model: String,

    /// Use of the model: label judges many texts at once, check one
    #[arg(long = "for", value_name = "VERB", default_value = "label")]
    verb: UsingVerb,

    /// Policies to judge by, which take memory, too
    #[arg(short, long = "policy", value_name = "POLICY")]
    policies: Vec<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UsingVerb {
    Check,
    Label,
}

impl Fit {
    /// Exits 0 if the model fits, else 1.
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.engine.lists_devices() {
            return devices::list();
        }
        let policies = self.policies.iter().map(|spec| policy::load(spec, None)).collect::<Result<Vec<_>, _>>()?;
        let parallel = match self.verb {
            UsingVerb::Check => ONE,
            UsingVerb::Label => SEVERAL,
        };
        let machine = devices::machine()?;
        let published = models::published(&self.model);
        let reckoned = published.is_some();
        let (file, load_options, workload, plan) = match published {
            Some(file) => {
                let load_options = self.engine.resolve(file.path.clone());
                let policies = policies.iter().map(reckoned_length).collect();
                let workload = Workload { parallel, tuned: None, policies };
                let plan = MemoryPlan::new(&file, &load_options, &workload, &machine);
                (Arc::new(file), load_options, workload, plan)
            }
            None => {
                let opened = Opened::read(&models::path(&self.model)?)?;
                let options = self.engine.resolve(opened.file.path.clone());
                let config = RunConfig::new(options, SessionOptions::default());
                let (workload, plan) = loading::plan_of(&config, &opened, &policies, parallel, &machine)?;
                (opened.file, config.load_options, workload, plan)
            }
        };
        if reckoned {
            output::message(&format!(
                "note: {} is not on this machine: reckoned from the known size and shape of the published file",
                file.name
            ));
        }
        if self.json {
            output::data(&format!("{}\n", object(&file, &plan, reckoned)))?;
        } else {
            output::print(&fitting::report(&file, &plan, &load_options, &workload, &machine))?;
        }
        if reckoned && plan.fits() {
            output::hint(&format!("`magistrate model pull {}` fetches it", self.model));
        }
        Ok(ExitCode::from(if plan.fits() { exit::DONE } else { exit::FINDING }))
    }
}

/// Estimates the tokens of a policy's prompt, without the vocabulary that would count them.
fn reckoned_length(policy: &Policy) -> usize {
    /// Tokens of the system message and of the headers.
    const AROUND: usize = 100;
    length(policy, None, 0).map_or(0, |length| length.tokens + AROUND)
}

fn object(model: &ModelFile, plan: &MemoryPlan, reckoned: bool) -> Value {
    let need = |need: &Need| {
        let rows = [
            ("weights", need.weights),
            ("repacked", need.repacked),
            ("cells", need.cells),
            ("computing", need.computing),
            ("program", need.program),
            ("together", need.bytes()),
        ];
        Value::Object(rows.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.into())).collect())
    };
    let config = &plan.config;
    json!({
        "model": model.name,
        "fits": plan.fits(),
        "reckoned": reckoned,
        "cpu": need(&plan.cpu),
        "cpu_free": plan.cpu_room,
        "gpu": need(&plan.gpu),
        "gpu_free": plan.gpu_room,
        "parallel": config.parallel,
        "workers": config.workers,
        "context": config.context,
        "kv": if config.cache == CacheType::Q8_0 { "q8_0" } else { "f16" },
        "gpu_layers": config.gpu_layers,
        "cpu_experts": config.cpu_experts,
        "repack": config.repack,
        "flags": load_plan::flags(plan),
    })
}
