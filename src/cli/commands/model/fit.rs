//! `model fit`: reports whether a model fits on this machine, and the plan for loading.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use magistrate::engine::memory_plan::{MemoryPlan, Need};
use magistrate::engine::{CacheType, SessionOptions};
use magistrate::gguf::{ModelFile, Opened};
use magistrate::label::config::RunConfig;
use magistrate::policy;
use serde_json::{Value, json};

use crate::cli::args::engine::EngineArgs;
use crate::cli::fitting::{self, ONE, SEVERAL};
use crate::cli::terminal::{exit, load_plan, output};
use crate::cli::{devices, loading, models};

#[derive(Debug, Args)]
pub struct Fit {
    /// Name of `model list`, or a file
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
        let opened = Opened::read(&models::path(&self.model)?)?;
        let policies = self.policies.iter().map(|spec| policy::load(spec, None)).collect::<Result<Vec<_>, _>>()?;
        let config = RunConfig::new(self.engine.resolve(opened.file.path.clone()), SessionOptions::default());
        let machine = devices::machine()?;
        let parallel = match self.verb {
            UsingVerb::Check => ONE,
            UsingVerb::Label => SEVERAL,
        };
        let (workload, plan) = loading::plan_of(&config, &opened, &policies, parallel, &machine)?;
        if self.json {
            output::data(&format!("{}\n", object(&opened.file, &plan)))?;
        } else {
            output::print(&fitting::report(&opened.file, &plan, &config.load_options, &workload, &machine))?;
        }
        Ok(ExitCode::from(if plan.fits() { exit::DONE } else { exit::FINDING }))
    }
}

fn object(model: &ModelFile, plan: &MemoryPlan) -> Value {
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
