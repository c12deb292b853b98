//! The engine: a model in memory, and sessions that judge content with it.
//!
//! The one idea: the policy is decoded once. A [`Session`] pins a policy and effort; each content forks that sequence,
//! adds its own few tokens and is cleared whole. The model lives on a thread of its own, which ends with the engine; so does
//! each of its workers, if there are several.

pub mod backend;
mod desk;
pub mod item;
mod lane;
#[cfg(feature = "llama")]
pub mod llama;
pub mod plan;
mod prefixes;
mod sample;
pub mod schedule;
mod scoring;
pub mod script;
pub mod scripted;
mod store;
mod thread;
pub mod tune;

pub use backend::Layout;
pub use item::{Cascade, Completion, Reasoning, Usage};
pub use prefixes::Store;
pub use sample::Sampling;
pub use script::{Band, Mode};
pub use store::LLAMA;
pub use thread::{Engine, Pending, Progress, Session};

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::gguf::ModelError;
use crate::hint::{Hint, Hints, Setting};
use crate::machine::processors::Processors;
use crate::policy::{Effort, Policy, PolicyError};
use crate::prompt::TemplateError;
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::Rule;
use script::Script;

/// How a model is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineConfig {
    /// The GGUF file, of a split model its first part.
    pub model: PathBuf,
    /// How policies and contents lie in the cache.
    pub layout: Layout,
    /// Tokens that a worker's cache holds: pinned policies, and of each content at work its text, reasoning and answers. In the
    /// split layout those of one content and its policy.
    pub context: usize,
    /// Tokens computed in one go, at most.
    pub batch: usize,
    /// Tokens computed in one pass over the weights, at most.
    pub micro_batch: usize,
    /// Contents that are decoded at once, at most, by all workers together.
    pub parallel: usize,
    /// Workers: they share the weights, and each has a cache of its own, a share of the threads and of the contents. More than
    /// one pays where a step is so short that threads spend it waiting for one another: on a CPU, with a very small model.
    pub workers: usize,
    /// Sequences of a worker: one for each policy in the cache and each content at work, and some to score answers side by
    /// side. 3 to 256.
    pub sequences: usize,
    /// Bytes of memory for policies that had to leave the cache for others.
    pub saved: usize,
    /// A folder that keeps decoded policies for the next engine of the same model and settings.
    pub prefixes: Option<PathBuf>,
    /// The tokens of the policy that a session will be opened for first. If that folder has it, it is read while the model is
    /// being loaded.
    #[serde(skip)]
    pub first: Vec<Token>,
    /// Judges one content after the other, each from the very same state: so no row depends on what else is judged, to the
    /// last bit. Slower.
    pub reproducible: bool,
    /// Threads that compute.
    pub threads: usize,
    /// The devices that may take layers, by the names that [`llama::devices`] tells; all GPUs if there are none, and none if it
    /// is `cpu` alone.
    pub devices: Vec<String>,
    /// Layers that GPUs take, of the last ones; all of them if `None`.
    pub gpu_layers: Option<u32>,
    /// Layers, of the first ones, whose experts stay on the CPU, though a GPU has the rest of them.
    pub cpu_experts: u32,
    /// Rearranges the weights for the CPU when loading: some speed, for a copy of them in memory and a slow start.
    pub repack: bool,
    /// Flash attention.
    pub flash_attention: FlashAttention,
    /// How keys and values are kept.
    pub cache: CacheType,
}

/// Rows of logits in one batch, if there are no more sequences. llama.cpp would make room for one behind every token, which
/// is 400 MB for the whole vocabulary and a micro-batch of 512.
const OUTPUTS: usize = 128;

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CacheType {
    /// 16 bits each.
    #[default]
    F16,
    /// 8.5 bits each. Needs flash attention.
    Q8_0,
    /// 32 bits each: for tests of exactness.
    F32,
}

/// Whether attention is computed in one fused step, which is faster and rounds more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlashAttention {
    /// Where the device can.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl EngineConfig {
    /// The defaults for a model.
    #[must_use]
    pub fn new(model: impl Into<PathBuf>) -> Self {
        Self {
            model: model.into(),
            layout: Layout::Unified,
            context: 8192,
            batch: 2048,
            micro_batch: 512,
            parallel: 8,
            workers: 1,
            sequences: 24,
            saved: 1 << 30,
            prefixes: None,
            first: Vec::new(),
            reproducible: false,
            threads: Processors::here().threads(),
            devices: Vec::new(),
            gpu_layers: None,
            cpu_experts: 0,
            repack: false,
            flash_attention: FlashAttention::Auto,
            cache: CacheType::F16,
        }
    }

    /// Contents that one worker decodes at once, at most.
    #[must_use]
    pub fn places(&self) -> usize {
        self.parallel.div_ceil(self.workers.max(1))
    }
}

/// How a session judges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionOptions {
    /// How much the model reasons; the policy's own effort if `None`.
    pub effort: Option<Effort>,
    /// The most tokens that it may reason; a number for the effort if `None`.
    pub budget: Option<usize>,
    /// Answers without reasoning first, and reasons only where the probability lies in this band.
    pub cascade: Option<Band>,
    /// Lets the model write its whole turn, headers included, and reads what it wrote.
    pub free: bool,
    /// How probabilities become a verdict.
    pub rule: Rule,
    /// How reasoning and rationale are drawn.
    pub sampling: Sampling,
    /// A date for the prompt, printed as it is.
    pub date: Option<String>,
    /// The most tokens that a content may have, what stands around it included.
    pub max_content: Option<usize>,
    /// Leaves out the rationale, where the contract has one: the verdict is known before it.
    pub no_rationale: bool,
}

impl SessionOptions {
    /// What all items have in common that are judged so by a policy.
    #[must_use]
    pub fn script(&self, tokenizer: &Arc<Tokenizer>, policy: &Policy) -> Script {
        let (form, mode) = (policy.contract.form, self.mode(policy.effort));
        let script = Script::new(Arc::clone(tokenizer), form, policy.answers(), mode, self.rule, self.sampling);
        if self.no_rationale { script.without_rationale() } else { script }
    }

    /// Returns the rule that verdicts follow. `None` where the model writes freely, as it then gives no probability.
    #[must_use]
    pub fn rule(&self) -> Option<Rule> {
        (!self.free).then_some(self.rule)
    }

    /// The phases that these options and a policy's own effort come to.
    #[must_use]
    pub fn mode(&self, policy: Effort) -> Mode {
        let effort = self.effort.unwrap_or(policy);
        let budget = self.budget.unwrap_or(match effort {
            Effort::None => 0,
            // Hosted runs at low effort took 160 tokens at the median and 820 at the ninth decile.
            Effort::Low => 512,
            Effort::Medium => 1536,
            Effort::High => 4096,
        });
        match (self.free, effort, budget, self.cascade) {
            // The headers and the answer come out of the same budget there.
            (true, ..) => Mode::Free { budget: budget.saturating_add(256) },
            (false, Effort::None, ..) | (false, _, 0, _) => Mode::Answer,
            (false, _, budget, None) => Mode::Reason { budget },
            (false, _, budget, Some(band)) => Mode::Cascade { budget, band },
        }
    }
}

/// Why there is no engine, no session or no completion.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A template fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The model's vocabulary cannot be used.
    #[error("{file}: {reason}")]
    Vocabulary {
        /// The model file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// llama.cpp cannot be started.
    #[error("llama.cpp cannot be started: {0}")]
    Start(String),
    /// llama.cpp cannot load the model.
    #[error("the model cannot be loaded: {0}")]
    Load(String),
    /// The CPU lacks what this build needs.
    #[error("this build needs {0}, which this CPU does not have")]
    Cpu(String),
    /// There is no such device.
    #[error("there is no device `{name}`")]
    Device {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A setting is out of range.
    #[error("{name} must be from {least} to {most}, not {value}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The least that it can be.
        least: usize,
        /// The most that it can be.
        most: usize,
    },
    /// The content, or the policy, does not fit.
    #[error("{what} takes {tokens} tokens, and there is room for {room}")]
    TooLong {
        /// What does not fit: `the content` or `the policy`.
        what: &'static str,
        /// Its tokens.
        tokens: usize,
        /// The tokens that there is room for.
        room: usize,
        /// The context that would do.
        needed: usize,
        /// The largest context that the model takes.
        most: usize,
    },
    /// The content has more tokens than the options allow.
    #[error("the content takes {tokens} tokens, and at most {most} are allowed")]
    OverLimit {
        /// Its tokens, those around it included.
        tokens: usize,
        /// The most that are allowed.
        most: usize,
    },
    /// As many contents wait as may.
    #[error("the engine is overloaded: {queue} contents wait already")]
    Overloaded {
        /// How many may wait.
        queue: usize,
    },
    /// The backend failed.
    #[error("decoding failed: {0}")]
    Fault(#[from] backend::Fault),
    /// The engine's thread has ended.
    #[error("the engine has stopped: it failed earlier, or llama.cpp did")]
    Stopped,
}

impl Hints for EngineError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Model(error) => error.hints(),
            Self::Template(error) => error.hints(),
            Self::Policy(error) => error.hints(),
            Self::Cpu(_) => {
                vec![Hint::new("build magistrate on this machine, for its own instruction set: scripts/run")]
            }
            Self::Device { known, .. } => vec![Hint::new(format!("the devices are {}", known.join(", ")))],
            Self::TooLong { what, needed, most, .. } => {
                let hint = if needed <= most {
                    Hint::of_value(Setting::Context, needed).text(" makes room")
                } else {
                    Hint::new(format!(
                        "the context would be {needed} tokens, and this model takes {most}: shorten it, or lower "
                    ))
                    .setting(Setting::Budget)
                };
                let pieces = *what == "the content";
                vec![if pieces { hint.text("; ").setting(Setting::Chunk).text(" judges it in pieces") } else { hint }]
            }
            _ => Vec::new(),
        }
    }
}
