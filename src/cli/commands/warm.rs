//! `warm`: decodes policies ahead, into the folder from which later runs restore them.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use magistrate::engine::SessionOptions;
use magistrate::files::Files;
use magistrate::label::config::RunConfig;

use crate::cli::args::engine::EngineArgs;
use crate::cli::args::model::ModelArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::args::prompt::PromptArgs;
use crate::cli::fitting::ONE;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::output;
use crate::cli::terminal::units::grouped;
use crate::cli::{devices, loading};

#[derive(Debug, Args)]
pub struct Warm {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    prompt: PromptArgs,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    engine: EngineArgs,
}

impl Warm {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.engine.lists_devices() {
            return devices::list();
        }
        let mut files = Files::new();
        self.policy.reads(&mut files)?;
        let policies = self.policy.load()?;
        let options = SessionOptions::default().with_effort(self.prompt.effort()).with_date(self.prompt.date.clone());
        let mut config = RunConfig::new(self.engine.resolve(self.model.path()?), options);
        config.templates = self.prompt.templates()?;
        config.template_folder = self.prompt.templates;
        ensure_hint!(
            config.load_options.base.prefixes.is_some(),
            "there is no folder for decoded policies",
            "leave out --no-prefix-store, or set XDG_CACHE_HOME to a folder that can be written"
        );
        loading::claim(&config, &mut files)?;
        let engine = loading::load(&config, &policies, ONE)?;
        for policy in &policies {
            let begun = Instant::now();
            let tokens = config.prompt(policy)?.prefix_tokens(engine.tokenizer()).len();
            // The engine stores it, and waits for that when it is dropped.
            drop(loading::session(&config, &engine, policy)?);
            let seconds = begun.elapsed().as_secs_f64();
            output::summary(&format!("{}: {} tokens in {seconds:.1} s", policy.id, grouped(tokens as u64)));
        }
        Ok(ExitCode::SUCCESS)
    }
}
