//! How a model is to be loaded so that it fits, told before it is.
//!
//! The one idea: what llama.cpp takes of memory follows from the sizes in the file's header and from a few settings, so it is
//! arithmetic. What nobody has asked for is then chosen, and made smaller in a fixed order, until all has room.

use serde::{Deserialize, Serialize};

use super::backend::Layout;
use super::config::{CacheType, EngineConfig, FlashAttention, OUTPUTS};
use super::tune::Tuning;
use crate::gguf::ModelFile;
use crate::machine::{Device, Kind, Machine};

/// What is asked for. What is `None` is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadOptions {
    /// All that there is no choice about.
    pub base: EngineConfig,
    /// Contents that are decoded at once.
    pub parallel: Option<usize>,
    /// Workers that share them.
    pub workers: Option<usize>,
    /// How sequences lie in the cache.
    pub layout: Option<Layout>,
    /// Tokens that a worker's cache holds.
    pub context: Option<usize>,
    /// How keys and values are kept.
    pub cache: Option<CacheType>,
    /// Tokens that are computed in one pass over the weights.
    pub micro_batch: Option<usize>,
    /// Layers that GPUs take.
    pub gpu_layers: Option<u32>,
    /// Layers whose experts stay on the CPU.
    pub cpu_experts: Option<u32>,
    /// Bytes of the CPU's memory that may be taken, whatever the machine says is free.
    pub memory: Option<u64>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Contents that should be decoded at once, where nothing was measured.
    pub parallel: usize,
    /// What was measured to be the fastest on this machine.
    pub tuned: Option<Tuning>,
    /// Tokens of each policy.
    pub policies: Vec<usize>,
}

impl Workload {
    /// Contents that should be decoded at once.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.tuned.map_or(self.parallel, |tuned| tuned.parallel)
    }
}

/// What was chosen, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// How the model is to be loaded.
    pub config: EngineConfig,
    /// The CPU's memory that it takes.
    pub cpu: Need,
    /// The GPUs' memory that it takes.
    pub gpu: Need,
    /// Bytes of the CPU's memory that there are for it.
    pub cpu_room: u64,
    /// Bytes of the GPUs' memory that there are for it.
    pub gpu_room: u64,
}

/// What is taken of one kind of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Weights. On the CPU they are the file itself, mapped.
    pub weights: u64,
    /// Weights once more, rearranged.
    pub repacked: u64,
    /// Keys and values.
    pub cells: u64,
    /// What is computed on the way, and logits.
    pub computing: u64,
    /// The program and the vocabulary.
    pub program: u64,
}

impl Need {
    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.weights + self.repacked + self.cells + self.computing + self.program
    }
}

impl MemoryPlan {
    /// Chooses what was not asked for. What comes out may not fit: then nothing that could be chosen would.
    #[must_use]
    pub fn new(model: &ModelFile, options: &LoadOptions, job: &Workload, machine: &Machine) -> Self {
        let gpus = gpus(&options.base.devices, machine);
        let (sizes, last) = sizes(model, options, job, !gpus.is_empty());
        let plan = |size| Self::of(model, options, size, &gpus, machine);
        sizes.into_iter().map(plan).find(Self::fits).unwrap_or_else(|| plan(last))
    }

    /// What it comes to if the first plan was wrong, and memory ran out: as if there were a tenth less than that took.
    #[must_use]
    pub fn again(&self, model: &ModelFile, options: &LoadOptions, job: &Workload, machine: &Machine) -> Self {
        let less = |bytes: u64| bytes / 10 * 9;
        let options = LoadOptions { memory: Some(less(self.cpu.bytes())), ..options.clone() };
        let mut machine = machine.clone();
        let room = gpus(&options.base.devices, &machine).iter().map(|device| device.free).sum::<u64>().max(1);
        for device in &mut machine.devices {
            // In proportion, so that together they have it.
            let share = u128::from(device.free) * u128::from(less(self.gpu.bytes())) / u128::from(room);
            device.free = device.free.min(u64::try_from(share).unwrap_or(u64::MAX).saturating_add(MARGIN));
        }
        Self::new(model, &options, job, &machine)
    }

    /// Whether there is room for it.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.cpu.bytes() <= self.cpu_room && self.gpu.bytes() <= self.gpu_room
    }

    fn of(model: &ModelFile, options: &LoadOptions, size: Size, gpus: &[&Device], machine: &Machine) -> Self {
        let Size { parallel, workers, layout, context, cache } = size;
        let base = &options.base;
        let pass = if short(model, !gpus.is_empty()) { SHORT_PASS } else { base.micro_batch };
        let micro_batch = options.micro_batch.unwrap_or(pass);
        let config = EngineConfig {
            parallel,
            workers,
            // Some for policies, and for the answers of each content.
            sequences: parallel.div_ceil(workers).saturating_add(16).min(256),
            layout,
            context,
            cache,
            gpu_layers: options.gpu_layers,
            cpu_experts: options.cpu_experts.unwrap_or(0),
            micro_batch,
            batch: base.batch.max(micro_batch),
            ..base.clone()
        };
        let cpu_room = options.memory.unwrap_or(machine.memory.free);
        let gpu_room = gpus.iter().map(|device| device.free.saturating_sub(MARGIN)).sum();
        let shared = gpus.iter().any(|device| shares(device));
        let with = |gpu_layers, cpu_experts| {
            let config = EngineConfig { gpu_layers, cpu_experts, ..config.clone() };
            let (mut cpu, gpu) = needs(model, &config, !gpus.is_empty());
            if shared {
                // It is the same memory.
                cpu.weights += gpu.weights;
                cpu.cells += gpu.cells;
                cpu.computing += gpu.computing;
            }
            Self { config, cpu, gpu, cpu_room, gpu_room }
        };
        let blocks = model.shape.blocks;
        let places = match (options.gpu_layers, options.cpu_experts) {
            _ if gpus.is_empty() => vec![(options.gpu_layers, config.cpu_experts)],
            (layers, Some(experts)) => vec![(layers, experts)],
            (Some(layers), None) => (0..=blocks).map(|experts| (Some(layers), experts)).collect(),
            // Experts go first: they are most of the weights, and a token uses few of them. Then whole layers.
            (None, None) => (0..=blocks)
                .map(|experts| (None, experts))
                .chain((0..=blocks).rev().map(|layers| (Some(layers), blocks)))
                .collect(),
        };
        let fitting = |&(layers, experts): &(Option<u32>, u32)| {
            let plan = with(layers, experts);
            plan.gpu.bytes() <= plan.gpu_room
        };
        let (layers, experts) = places.iter().copied().find(fitting).or(places.last().copied()).unwrap_or_default();
        with(layers, experts)
    }
}

/// What llama.cpp leaves free on a GPU, too: drivers and displays take some of it.
const MARGIN: u64 = 1 << 30;

/// One of the sizes that are tried.
#[derive(Clone, Copy)]
struct Size {
    parallel: usize,
    workers: usize,
    layout: Layout,
    context: usize,
    cache: CacheType,
}

/// From what is wanted on, and the least that is of use.
fn sizes(model: &ModelFile, options: &LoadOptions, job: &Workload, gpus: bool) -> (Vec<Size>, Size) {
    let most = usize::try_from(model.shape.context_length).unwrap_or(usize::MAX);
    let policies: usize = job.policies.iter().sum();
    let longest = job.policies.iter().copied().max().unwrap_or(0);
    let layout = options.layout.or(job.tuned.map(|tuned| tuned.layout)).unwrap_or_default();
    let context = |parallel: usize| match layout {
        Layout::Unified => policies.saturating_add(parallel.saturating_mul(1024).max(8192)).min(most),
        Layout::Split => longest.saturating_add(4096).min(most),
    };
    let size = |parallel| {
        let workers = workers(model, options, job, parallel, gpus);
        Size {
            parallel,
            workers,
            layout,
            context: options.context.unwrap_or_else(|| context(parallel.div_ceil(workers))),
            cache: options.cache.unwrap_or_default(),
        }
    };
    let first = options.parallel.unwrap_or(job.at_once()).max(1);
    let half = |last: &usize| (options.parallel.is_none() && *last > 1).then_some(last / 2);
    let mut sizes: Vec<Size> = std::iter::successors(Some(first), half).map(size).collect();
    let mut last = size(if options.parallel.is_none() { 1 } else { first });
    if options.cache.is_none() && options.base.flash_attention != FlashAttention::Off {
        last.cache = CacheType::Q8_0;
        sizes.push(last);
    }
    if options.context.is_none() {
        last.context = longest.saturating_add(2048).min(last.context);
    }
    (sizes, last)
}

/// Workers: several where a step of the model is so short that threads would spend it waiting for one another.
fn workers(model: &ModelFile, options: &LoadOptions, job: &Workload, parallel: usize, gpus: bool) -> usize {
    let EngineConfig { threads, reproducible, .. } = options.base;
    match options.workers.or(job.tuned.map(|tuned| tuned.workers)) {
        // One text after the other: there is nothing to share.
        _ if reproducible => 1,
        Some(workers) => workers.clamp(1, parallel),
        None if short(model, gpus) => threads.min(parallel / SHARE).max(1),
        None => 1,
    }
}

/// Whether a step of a model is short: its weights are few enough for a CPU's caches, as those of models for demonstration are.
fn short(model: &ModelFile, gpus: bool) -> bool {
    let layers: u64 = model.weights.blocks.iter().map(|block| block.experts + block.rest).sum();
    !gpus && layers + model.weights.output <= SHORT
}

const SHORT: u64 = 16 << 20;
/// Tokens of such a model that are computed in one pass: what lies between its operations then stays in the caches, too.
const SHORT_PASS: usize = 128;
/// Contents that a worker is to have at once: fewer would leave its steps emptier than it gains.
const SHARE: usize = 4;

fn gpus<'machine>(names: &[String], machine: &'machine Machine) -> Vec<&'machine Device> {
    if names.is_empty() {
        return machine.gpus().collect();
    }
    let wanted = |device: &&Device| names.iter().any(|name| name.eq_ignore_ascii_case(&device.name));
    machine.devices.iter().filter(wanted).filter(|device| device.kind != Kind::Cpu).collect()
}

/// Whether a device computes in the CPU's memory.
fn shares(device: &Device) -> bool {
    device.kind == Kind::Integrated || device.backend.starts_with("MTL") || device.backend.starts_with("Metal")
}

/// What a model loaded so takes on the CPU, and on GPUs.
fn needs(model: &ModelFile, config: &EngineConfig, gpus: bool) -> (Need, Need) {
    let blocks = model.weights.blocks.len();
    let layers = config.gpu_layers.map_or(usize::MAX, |layers| layers as usize);
    let layers = if gpus { layers.min(blocks + 1) } else { 0 };
    // The output counts as the last layer.
    let first = blocks + 1 - layers;
    let (full, window) = cells(model, config);
    let (mut cpu, mut gpu) = (Need::default(), Need::default());
    cpu.weights += model.weights.embedding;
    for (number, block) in model.weights.blocks.iter().enumerate() {
        let home = if number >= first { &mut gpu } else { &mut cpu };
        // The first, the third, ... slide.
        home.cells += if number % 2 == 0 { window } else { full };
        home.weights += block.rest;
        let home = if number >= first && number >= config.cpu_experts as usize { &mut gpu } else { &mut cpu };
        home.weights += block.experts;
        if config.repack && number < first {
            cpu.repacked += block.repackable;
        }
    }
    let home = if layers > 0 { &mut gpu } else { &mut cpu };
    home.weights += model.weights.output;
    // All but weights there is for each worker.
    let workers = config.workers as u64;
    let computing = computing(model, config) * workers;
    if layers > 0 {
        gpu.computing = computing;
    }
    let rows = config.sequences as u64 * workers;
    cpu.computing = computing + rows * model.vocabulary.tokens.len() as u64 * 4;
    cpu.cells *= workers;
    gpu.cells *= workers;
    cpu.program = PROGRAM + (model.vocabulary.tokens.len() + model.vocabulary.merges.len()) as u64 * ENTRY;
    (cpu, gpu)
}

/// Bytes of the program itself, measured.
const PROGRAM: u64 = 12 << 20;
/// Bytes that an entry of the vocabulary, or a merge, takes in llama.cpp and here together, measured.
const ENTRY: u64 = 180;

/// Bytes of keys and values of a layer that sees all, and of one that sees a window.
fn cells(model: &ModelFile, config: &EngineConfig) -> (u64, u64) {
    let shape = &model.shape;
    let (batch, sequences) = (micro_batch(config), config.sequences as u64);
    let context = config.context as u64;
    // llama.cpp pads both to 256 cells.
    let full = context.next_multiple_of(256);
    let (streams, seen) = match config.layout {
        Layout::Unified => (1, sequences),
        Layout::Split => (sequences, 1),
    };
    let window = (u64::from(shape.sliding_window) * seen + batch).min(full).next_multiple_of(256);
    let values = u64::from(shape.kv_heads) * u64::from(shape.key_length) * 2;
    let bytes = |cells: u64| match config.cache {
        CacheType::F16 => cells * streams * values * 2,
        CacheType::Q8_0 => cells * streams * values / 32 * 34,
        CacheType::F32 => cells * streams * values * 4,
    };
    (bytes(full), bytes(window))
}

fn micro_batch(config: &EngineConfig) -> u64 {
    config.micro_batch.min(config.batch).min(config.context) as u64
}

/// Bytes of what is computed on the way, at its widest: within the experts, or at the logits.
fn computing(model: &ModelFile, config: &EngineConfig) -> u64 {
    let shape = &model.shape;
    let (batch, wide) = (micro_batch(config), u64::from(shape.embedding_length));
    let heads = u64::from(shape.heads);
    let experts = u64::from(shape.experts_used) * u64::from(shape.expert_length) * 3;
    let outputs = OUTPUTS.max(config.sequences) as u64;
    let logits = outputs.min(batch) * model.vocabulary.tokens.len() as u64;
    let context = config.context as u64;
    // Keys that are seen, as a mask for each token of the batch; without flash attention their scores, for each head.
    let scores = if config.flash_attention == FlashAttention::Off { heads * 2 } else { 0 };
    let seen = context.next_multiple_of(256) * (2 + scores);
    4 * (batch * (experts + 4 * wide + heads * u64::from(shape.key_length) + seen)).max(logits + batch * wide)
}
