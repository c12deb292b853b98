//! `worker`: judges lines of JSON on stdin until they end, for programs that send batches of texts.

use std::io::{self, BufReader, BufWriter};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use magistrate::files::Files;
use magistrate::label::entry::OutputForm;
use magistrate::label::run::Settings;
use magistrate::label::worker;

use crate::cli::args::judging::JudgingArgs;
use crate::cli::args::policy::PolicyArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::{exit, output, stop};
use crate::cli::{devices, loading};

/// Bytes of stdin that are read at once.
const BUFFER: usize = 1 << 16;

#[derive(Debug, Args)]
pub struct Worker {
    #[command(flatten)]
    policy: PolicyArgs,

    /// Print the first line alone, without loading the weights
    #[arg(long)]
    terms: bool,

    #[command(flatten)]
    judging: JudgingArgs,
}

impl Worker {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.judging.lists_devices() {
            return devices::list();
        }
        let policies = self.policy.load()?;
        let config = self.judging.resolve(&policies)?;
        let mut files = Files::new();
        self.policy.reads(&mut files)?;
        loading::claim(&config, &mut files)?;
        let planned = loading::plan_for(&config, &policies, SEVERAL)?;
        let greeting = format!("{}\n", planned.greeting(&config, &policies));
        if self.terms {
            output::data(&greeting)?;
            return Ok(ExitCode::from(exit::DONE));
        }

        let stop = stop::on_signal(false)?;
        let engine = loading::load_planned(&config, planned)?;
        let judges = loading::judges(&config, &engine, &policies)?;
        let settings = Settings::default()
            .with_chunking(config.chunking)
            .with_reasoning(config.reasoning)
            .with_own_names(true)
            .with_at_work(Arc::clone(&stop.at_work));
        let ids = policies.iter().map(|policy| policy.id.clone()).collect();
        let worker = worker::Worker {
            engine: &engine,
            judges: &judges,
            settings: &settings,
            form: OutputForm { policies: ids, fields: config.fields.clone(), columns: Some(Vec::new()) },
            stop: stop.flag,
        };
        output::data(&greeting)?;
        let (input, rows) = (BufReader::with_capacity(BUFFER, io::stdin()), BufWriter::new(io::stdout()));
        worker.work(input, rows).context("stdin")?;
        Ok(ExitCode::from(exit::DONE))
    }
}
