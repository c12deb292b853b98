//! Settings of the engine and of its sessions, with their defaults.
//!
//! This file is at the foot of the engine: every other file may read the settings. It uses nothing of the room but
//! [`Layout`] and the list of kernels.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::backend::Layout;
use super::kernels::KernelSet;
use super::remote::RemoteServer;
use crate::machine::processors::Processors;
use crate::policy::Effort;
use crate::setters::setters;
use crate::tokenizer::Token;
use crate::verdict::DecisionRule;
use crate::verdict::ladder::Ladder;

/// Settings for loading a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Path of the GGUF file. The first part of a split model.
    pub model: PathBuf,
    /// KV-cache layout. Default: [`Layout::Unified`].
    pub layout: Layout,
    /// Size of a worker's KV cache in tokens, from 1 to the model's context length. Default: 8192.
    ///
    /// The unified layout shares it between policies and all contents in flight. The split layout gives as much to each
    /// sequence.
    pub context: usize,
    /// Most tokens in one batch, from 1 to 65,536. Default: 2048.
    pub batch: usize,
    /// Most tokens in one pass over the weights, from 1 to 65,536. Default: 512.
    pub micro_batch: usize,
    /// Most contents in flight, of all workers together, from 1 to 240. Default: 8.
    pub parallel: usize,
    /// Number of workers, from 1 to 64. Default: 1.
    ///
    /// Workers share the weights. Each has its own KV cache and an equal share of threads and contents. Several pay on
    /// a CPU with a very small model, where a step is so short that threads mostly wait for one another.
    pub workers: usize,
    /// Sequences of each worker, from 3 to 256. Default: 24.
    ///
    /// Each resident policy and each content in flight holds one. The others are forks in which answers are scored.
    pub sequences: usize,
    /// Memory in bytes for policies that were evicted from the KV cache. Default: 1 GiB.
    pub saved: usize,
    /// Folder that keeps decoded policies for later engines with the same model and settings. Default: no folder.
    pub prefixes: Option<PathBuf>,
    /// Policy to read ahead from [`Self::prefixes`] while the model loads. Default: empty.
    #[serde(skip)]
    pub prefetch: Vec<Token>,
    /// Makes every row independent of the other rows, to the last bit. Default: off.
    ///
    /// Contents are judged one by one, each from the same state of the cache. That is slower.
    pub reproducible: bool,
    /// Threads that compute, from 1 to 512. Default: one for each physical core that this process may use.
    pub threads: usize,
    /// Names of the devices that may hold layers, as `llama::devices` lists them. Default: empty, for every GPU.
    ///
    /// The name `cpu` alone keeps all layers on the CPU.
    pub devices: Vec<String>,
    /// Number of layers on GPUs, counted from the last. Default: `None`, for all of them.
    pub gpu_layers: Option<u32>,
    /// Number of layers, counted from the first, whose experts stay on the CPU. Default: 0.
    pub cpu_experts: u32,
    /// Rearranges the weights for the CPU while loading. Default: off.
    ///
    /// That gains some speed, and costs a copy of the weights in memory and a slow start.
    pub repack: bool,
    /// Kernels that compute on the CPU. Default: [`Kernels::here`].
    pub kernels: Kernels,
    /// The server that computes instead of this machine. Default: `None`.
    pub remote: Option<RemoteServer>,
    /// Use of flash attention. Default: [`FlashAttention::Auto`].
    pub flash_attention: FlashAttention,
    /// Precision of keys and values. Default: [`CacheType::F16`].
    pub cache: CacheType,
}

/// Most rows of logits in one batch, or the number of sequences if that is larger.
///
/// llama.cpp would otherwise reserve a row behind every token: 400 MB for the whole vocabulary and a micro-batch of
/// 512.
pub(super) const OUTPUTS: usize = 128;

/// Precision of the keys and values in the KV cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CacheType {
    /// 16 bits for each value.
    #[default]
    F16,
    /// 8.5 bits for each value. Needs flash attention.
    Q8_0,
    /// 32 bits for each value, for tests of exactness.
    F32,
}

/// Use of flash attention: one fused step, which is faster and rounds more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlashAttention {
    /// On where the device supports it.
    #[default]
    Auto,
    /// Always on.
    On,
    /// Always off.
    Off,
}

/// Kernels that compute on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kernels {
    /// The kernels of this crate, for weights in MXFP4 and `Q8_0` and for attention. llama.cpp's for all else.
    ///
    /// With [`EngineConfig::repack`], llama.cpp's kernels multiply what it has rearranged.
    Own,
    /// llama.cpp's kernels.
    Llama,
}

impl Kernels {
    /// Returns the kernels of this crate if this build and this CPU can run them, else llama.cpp's.
    #[must_use]
    pub fn here() -> Self {
        // A backend that is a library is searched for its list of operations as Unix does it.
        let supported = cfg!(any(unix, not(feature = "dynamic-backends"))) && KernelSet::for_this_cpu().is_some();
        if supported { Self::Own } else { Self::Llama }
    }
}

impl EngineConfig {
    /// Returns the default settings for a model file.
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
            prefetch: Vec::new(),
            reproducible: false,
            threads: Processors::here().threads(),
            devices: Vec::new(),
            gpu_layers: None,
            cpu_experts: 0,
            repack: false,
            kernels: Kernels::here(),
            remote: None,
            flash_attention: FlashAttention::Auto,
            cache: CacheType::F16,
        }
    }

    /// Returns the most contents that one worker has in flight.
    #[must_use]
    pub fn places(&self) -> usize {
        self.parallel.div_ceil(self.workers.max(1))
    }

    /// Returns the number of contents that should be in flight at once.
    ///
    /// It is larger than [`Self::parallel`]: where results are taken in order, a long content must not leave the other
    /// places idle.
    #[must_use]
    pub fn window(&self) -> usize {
        4 * self.parallel
    }
}

/// Settings of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Reasoning effort. Default: `None`, for the policy's own.
    pub effort: Option<Effort>,
    /// Most tokens of reasoning. Default: `None`, for 512, 1536 or 4096 by effort. 0 answers without reasoning.
    pub budget: Option<usize>,
    /// Answers without reasoning first, and reasons only if the probability is in this band. Default: off.
    pub cascade: Option<Band>,
    /// Ends the reasoning once a verdict has this share of the answers' mass, 0.5 to 1. Default: `None`, never.
    ///
    /// Answers are scored ahead at rungs: after 0, 32, 64, 96, 128, 192, 256 tokens and so on. Below 128 tokens two rungs
    /// in a row must be sure of the same verdict. It has no effect in a cascade.
    pub sure: Option<f64>,
    /// Scores the answers at every rung, and never ends the reasoning there. Default: off.
    pub trace: bool,
    /// Lets the model write its whole turn, headers included, and parses the text. Default: off.
    ///
    /// Such a verdict has no probability.
    pub free: bool,
    /// Rule that turns probabilities into a verdict.
    pub rule: DecisionRule,
    /// Sampling of reasoning and rationale.
    pub sampling: Sampling,
    /// Date for the prompt, printed unchanged. Default: no date.
    pub date: Option<String>,
    /// Most tokens of a content, its framing in the prompt included. Default: no limit.
    pub max_content: Option<usize>,
    /// Leaves out the rationale where the contract has one. The verdict does not depend on it. Default: off.
    pub no_rationale: bool,
}

/// The way in which the model's turn is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// The answer is scored without reasoning.
    Answer,
    /// The model reasons, then the answer is scored.
    Reason {
        /// Most tokens of reasoning.
        budget: usize,
    },
    /// The answer is scored without reasoning. If its probability is in the band, the model reasons and answers again.
    Cascade {
        /// Most tokens of reasoning.
        budget: usize,
        /// Probabilities that lead to reasoning.
        band: Band,
    },
    /// The model writes its whole turn, headers included.
    Free {
        /// Most tokens of the turn.
        budget: usize,
    },
}

/// Probabilities that are too close to call without reasoning, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Lower end, from 0 to 1.
    pub low: f64,
    /// Upper end, from 0 to 1.
    pub high: f64,
}

/// Sampling of the free parts, reasoning and rationale. Verdicts are scored, never sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Temperature, at least 0. 0 takes the likeliest token, 1 draws from the model's distribution. Default: 0.
    pub temperature: f32,
    /// Seed of the random numbers. The same seed on the same machine and batch draws the same tokens. Default: 0.
    pub seed: u64,
}

/// Tokens of a free turn beyond the reasoning budget: its headers and its answer.
const FREE_ANSWER: usize = 256;

impl SessionOptions {
    /// Returns the rule that verdicts follow. `None` where the model writes freely, as it then gives no probability.
    #[must_use]
    pub fn rule(&self) -> Option<DecisionRule> {
        (!self.free).then_some(self.rule)
    }

    /// Returns the ladder of a mode, if answers are scored ahead.
    #[must_use]
    pub fn ladder(&self, mode: Mode) -> Option<Ladder> {
        let sure = if self.trace { Some(1.0) } else { self.sure.filter(|sure| *sure < 1.0) };
        sure.filter(|_| matches!(mode, Mode::Reason { .. })).map(|sure| Ladder { sure })
    }

    /// Returns the decoding mode for a policy with this effort of its own.
    #[must_use]
    pub fn mode(&self, policy: Effort) -> Mode {
        let effort = self.effort.unwrap_or(policy);
        let budget = self.budget.unwrap_or(budget(effort));
        match (self.free, effort, budget, self.cascade) {
            (true, ..) => Mode::Free { budget: budget.saturating_add(FREE_ANSWER) },
            (false, Effort::None, ..) | (false, _, 0, _) => Mode::Answer,
            (false, _, budget, None) => Mode::Reason { budget },
            (false, _, budget, Some(band)) => Mode::Cascade { budget, band },
        }
    }
}

impl From<Effort> for SessionOptions {
    fn from(effort: Effort) -> Self {
        Self { effort: Some(effort), ..Self::default() }
    }
}

setters! {
    EngineConfig {
        with_model: model, PathBuf;
        with_layout: layout, Layout;
        with_context: context, usize;
        with_batch: batch, usize;
        with_micro_batch: micro_batch, usize;
        with_parallel: parallel, usize;
        with_workers: workers, usize;
        with_sequences: sequences, usize;
        with_saved: saved, usize;
        with_prefixes: prefixes, Option<PathBuf>;
        with_prefetch: prefetch, Vec<Token>;
        with_reproducible: reproducible, bool;
        with_threads: threads, usize;
        with_devices: devices, Vec<String>;
        with_gpu_layers: gpu_layers, Option<u32>;
        with_cpu_experts: cpu_experts, u32;
        with_repack: repack, bool;
        with_kernels: kernels, Kernels;
        with_remote: remote, Option<RemoteServer>;
        with_flash_attention: flash_attention, FlashAttention;
        with_cache: cache, CacheType;
    }
}

setters! {
    SessionOptions {
        with_effort: effort, Option<Effort>;
        with_budget: budget, Option<usize>;
        with_cascade: cascade, Option<Band>;
        with_sure: sure, Option<f64>;
        with_trace: trace, bool;
        with_free: free, bool;
        with_rule: rule, DecisionRule;
        with_sampling: sampling, Sampling;
        with_date: date, Option<String>;
        with_max_content: max_content, Option<usize>;
        with_no_rationale: no_rationale, bool;
    }
}

/// Returns the most tokens of reasoning at an effort.
fn budget(effort: Effort) -> usize {
    match effort {
        Effort::None => 0,
        // Hosted runs at low effort took 160 tokens at the median and 820 at the ninth decile.
        Effort::Low => 512,
        Effort::Medium => 1536,
        Effort::High => 4096,
    }
}
