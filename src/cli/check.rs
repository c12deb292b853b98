//! `check`: one text, one or more policies, a verdict each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use magistrate::engine::{Engine, EngineConfig, Mode, Sampling, SessionOptions};
use magistrate::policy::{Effort, Policy};
use magistrate::prompt::Prompt;
use magistrate::verdict::Rule;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::input::TextArgs;
use super::row::{Provenance, Row, Status};
use super::{ModelArgs, PolicyArgs, PromptArgs, exit, output, progress, text};

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Check {
    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    text: TextArgs,

    /// Print one JSON object; several policies stand in `verdicts`, by id
    #[arg(long)]
    json: bool,

    /// Print the JSON Schema of what --json prints, and judge nothing
    #[arg(long, exclusive = true)]
    schema: bool,

    /// Say on stderr how long each step took
    #[arg(short, long)]
    verbose: bool,

    /// Call it a violation from this probability on, 0 to 1
    #[arg(long, value_name = "P", value_parser = share)]
    threshold: Option<f64>,

    /// Leave it unresolved if all allowed answers together have less than this mass, 0 to 1
    #[arg(long, value_name = "M", default_value = "0", value_parser = share)]
    min_mass: f64,

    /// Show the model's raw reasoning. For developers: it may be wrong, or as bad as the text
    #[arg(long)]
    reasoning: bool,

    #[command(flatten)]
    prompt: PromptArgs,

    /// The most tokens of reasoning [default: 512, 1536 or 4096, by effort]
    #[arg(long, value_name = "TOKENS")]
    budget: Option<usize>,

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

/// How the model runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Tokens that fit in memory: policy, text, reasoning and answers
    #[arg(long, value_name = "TOKENS", default_value_t = EngineConfig::new("").context)]
    context: usize,

    /// Threads that compute [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Layers that a GPU takes [default: all]
    #[arg(long, value_name = "N")]
    gpu_layers: Option<u32>,

    /// Rearrange the weights for this CPU: somewhat faster, for a copy of them in memory and a slow start
    #[arg(long)]
    repack: bool,
}

impl EngineArgs {
    pub fn config(&self, model: PathBuf) -> EngineConfig {
        let config = EngineConfig::new(model);
        EngineConfig {
            context: self.context,
            threads: self.threads.unwrap_or(config.threads),
            gpu_layers: self.gpu_layers,
            repack: self.repack,
            ..config
        }
    }
}

impl Check {
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.schema {
            output::print(&format!("{:#}\n", schema()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut clock = Clock::new(self.verbose);
        let policies = self.policy.load()?;
        let templates = self.prompt.templates()?;
        let config = self.engine.config(self.model.path()?);
        let options = SessionOptions {
            effort: self.prompt.effort,
            budget: self.budget,
            free: self.decode == Decode::Free,
            rule: Rule { threshold: self.threshold, min_mass: self.min_mass },
            sampling: Sampling { temperature: self.temperature, seed: self.seed },
            date: self.prompt.date.clone(),
            max_content: None,
        };
        let (json, reasoning) = (self.json, self.reasoning);
        let content = self.text.read()?;
        anyhow::ensure!(!content.text().is_empty(), "the text is empty: there is nothing to judge");
        for policy in &policies {
            // A template that fails, fails before a large model is loaded.
            Prompt::new(&templates, policy, options.effort.unwrap_or(policy.effort), options.date.as_deref())?;
        }

        let engine = progress::shown("loading the model", |progress| Engine::load_with(&config, templates, progress))?;
        clock.tell("the model is loaded");
        if engine.model().demonstration {
            let name = &engine.model().name;
            output::say(&format!(
                "note: {name} is a demonstration model with random weights: its verdicts mean nothing. Name a real one with --model"
            ));
        }
        let mut rows = Vec::with_capacity(policies.len());
        for policy in &policies {
            let effort = match options.mode(policy.effort) {
                Mode::Answer => Effort::None,
                _ => options.effort.unwrap_or(policy.effort),
            };
            let provenance = Provenance::new(policy, engine.model(), engine.templates(), effort, options.rule);
            // Dropped at the end of its turn, a session makes room for the next.
            let session =
                progress::shown("reading the policy", |progress| engine.session_with(policy, &options, progress));
            clock.tell(&format!("{} is decoded", policy.id));
            let judged = session.and_then(|session| progress::waiting("judging", || session.classify(&content)));
            clock.tell("the text is judged");
            let row = provenance.row(&judged, reasoning);
            if !json {
                tell(policy, &row)?;
            }
            rows.push(row);
        }
        if json {
            output::print(&as_json(&rows)?)?;
        }
        Ok(ExitCode::from(exit::of_rows(&rows)))
    }
}

/// Tells on stderr how long each step took, if it is wanted.
struct Clock {
    wanted: bool,
    since: Instant,
}

impl Clock {
    fn new(wanted: bool) -> Self {
        Self { wanted, since: Instant::now() }
    }

    fn tell(&mut self, step: &str) {
        if self.wanted {
            output::say(&format!("{step}: {:.3} s", self.since.elapsed().as_secs_f64()));
        }
        self.since = Instant::now();
    }
}

/// The schema of what is printed, not of what could be read back: every field is there.
fn schema() -> serde_json::Value {
    SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<Printed>().to_value()
}

/// Of one policy its row, of several each one's by its id.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "magistrate check --json")]
#[serde(untagged)]
enum Printed<'run> {
    One(&'run Row),
    Several { id: Option<String>, verdicts: BTreeMap<&'run str, &'run Row> },
}

fn as_json(rows: &[Row]) -> Result<String, anyhow::Error> {
    let printed = match rows {
        [row] => Printed::One(row),
        rows => Printed::Several { id: None, verdicts: rows.iter().map(|row| (row.policy.id.as_str(), row)).collect() },
    };
    Ok(format!("{}\n", serde_json::to_string(&printed)?))
}

/// A verdict goes to stdout. An error is talk, and leaves the others' verdicts alone there.
fn tell(policy: &Policy, row: &Row) -> Result<(), anyhow::Error> {
    match (row.status, &row.error) {
        (Status::Error, Some(error)) => output::say(&format!("error: {}: {}", policy.id, error.message)),
        _ => output::print(&text::of_row(policy, row, output::coloured()))?,
    }
    Ok(())
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
