//! The memory plan: settings with which a model fits, computed before it is loaded.
//!
//! The memory that llama.cpp takes follows from the sizes in the file's header and from a few settings. Settings that
//! the user left open are chosen here, and made smaller in a fixed order until everything fits.

use serde::{Deserialize, Serialize};

use super::backend::Layout;
use super::config::{CacheType, EngineConfig, FlashAttention, OUTPUTS};
use super::tune::Tuning;
use crate::gguf::ModelFile;
use crate::machine::{Device, DeviceKind, Machine};

/// The settings that the user asked for. A setting that is `None` is chosen by the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadOptions {
    /// The settings that the plan never changes.
    pub base: EngineConfig,
    /// Most contents in flight, of all workers together.
    pub parallel: Option<usize>,
    /// Number of workers.
    pub workers: Option<usize>,
    /// KV-cache layout.
    pub layout: Option<Layout>,
    /// Size of a worker's KV cache in tokens.
    pub context: Option<usize>,
    /// Precision of keys and values.
    pub cache: Option<CacheType>,
    /// Most tokens in one pass over the weights.
    pub micro_batch: Option<usize>,
    /// Number of layers on GPUs, counted from the last.
    pub gpu_layers: Option<u32>,
    /// Number of layers whose experts stay on the CPU, counted from the first.
    pub cpu_experts: Option<u32>,
    /// Most bytes of the CPU's memory. It replaces the free memory that the machine reports.
    pub memory: Option<u64>,
}

/// The workload to plan for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Most contents in flight, if no measurement is known.
    pub parallel: usize,
    /// The setting that was measured to be the fastest on this machine.
    pub tuned: Option<Tuning>,
    /// The number of tokens of each policy.
    pub policies: Vec<usize>,
}

impl Workload {
    /// Returns the number of contents that should be in flight.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.tuned.map_or(self.parallel, |tuned| tuned.parallel)
    }
}

/// The chosen settings, and the memory that they take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The settings for loading the model.
    pub config: EngineConfig,
    /// The CPU memory that they take.
    pub cpu: Need,
    /// The GPU memory that they take, of all GPUs together.
    pub gpu: Need,
    /// Available CPU memory in bytes.
    pub cpu_room: u64,
    /// Available GPU memory in bytes, of all GPUs together.
    pub gpu_room: u64,
}

/// The need of one kind of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Weights. On the CPU they are the mapped file.
    pub weights: u64,
    /// The rearranged copy of the weights.
    pub repacked: u64,
    /// Keys and values.
    pub cells: u64,
    /// Intermediate results and logits.
    pub computing: u64,
    /// The program and the vocabulary.
    pub program: u64,
}

impl Need {
    /// Returns the sum.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.weights + self.repacked + self.cells + self.computing + self.program
    }
}

impl MemoryPlan {
    /// Chooses the settings that were left open. If the plan does not fit, no other choice would fit either.
    #[must_use]
    pub fn new(model: &ModelFile, options: &LoadOptions, workload: &Workload, machine: &Machine) -> Self {
        let gpus = gpus(&options.base.devices, machine);
        let (sizes, last) = sizes(model, options, workload, !gpus.is_empty());
        let plan = |size| Self::of(model, options, size, &gpus, machine);
        sizes.into_iter().map(plan).find(Self::fits).unwrap_or_else(|| plan(last))
    }

    /// Returns another plan after this one ran out of memory: one that takes at least a tenth less.
    #[must_use]
    pub fn again(&self, model: &ModelFile, options: &LoadOptions, workload: &Workload, machine: &Machine) -> Self {
        let less = |bytes: u64| bytes / 10 * 9;
        let options = LoadOptions { memory: Some(less(self.cpu.bytes())), ..options.clone() };
        let mut machine = machine.clone();
        let room = gpus(&options.base.devices, &machine).iter().map(|device| device.free).sum::<u64>().max(1);
        for device in &mut machine.devices {
            // Each device gives up its share of the difference.
            let share = u128::from(device.free) * u128::from(less(self.gpu.bytes())) / u128::from(room);
            device.free = device.free.min(u64::try_from(share).unwrap_or(u64::MAX).saturating_add(MARGIN));
        }
        Self::new(model, &options, workload, &machine)
    }

    /// Reports whether the need is within the available memory.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.cpu.bytes() <= self.cpu_room && self.gpu.bytes() <= self.gpu_room
    }

    /// Returns the plan of one size, with as many layers and experts on GPUs as fit there.
    fn of(model: &ModelFile, options: &LoadOptions, size: Size, gpus: &[&Device], machine: &Machine) -> Self {
        let Size { parallel, workers, layout, context, cache } = size;
        let base = &options.base;
        let pass = if short(model, !gpus.is_empty()) { SHORT_PASS } else { base.micro_batch };
        let micro_batch = options.micro_batch.unwrap_or(pass);
        let config = EngineConfig {
            parallel,
            workers,
            // 16 more, for policies and for forks that score answers.
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
                // The GPU computes in the CPU's memory.
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
            // Experts move to the CPU first: they are most of the weights, and a token uses few of them. Whole layers
            // follow.
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

/// Bytes of a GPU that stay free, as drivers and displays take some. llama.cpp leaves the same.
const MARGIN: u64 = 1 << 30;

/// One of the sizes that the plan tries.
#[derive(Clone, Copy)]
struct Size {
    parallel: usize,
    workers: usize,
    layout: Layout,
    context: usize,
    cache: CacheType,
}

/// Returns the sizes to try, the wanted one first, and the smallest useful one.
fn sizes(model: &ModelFile, options: &LoadOptions, workload: &Workload, gpus: bool) -> (Vec<Size>, Size) {
    let most = usize::try_from(model.shape.context_length).unwrap_or(usize::MAX);
    let policies: usize = workload.policies.iter().sum();
    let longest = workload.policies.iter().copied().max().unwrap_or(0);
    let layout = options.layout.or(workload.tuned.map(|tuned| tuned.layout)).unwrap_or_default();
    let context = |parallel: usize| match layout {
        Layout::Unified => policies.saturating_add(parallel.saturating_mul(1024).max(8192)).min(most),
        Layout::Split => longest.saturating_add(4096).min(most),
    };
    let size = |parallel| {
        let workers = workers(model, options, workload, parallel, gpus);
        Size {
            parallel,
            workers,
            layout,
            context: options.context.unwrap_or_else(|| context(parallel.div_ceil(workers))),
            cache: options.cache.unwrap_or_default(),
        }
    };
    let first = options.parallel.unwrap_or(workload.at_once()).max(1);
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

/// Returns the number of workers. Several pay where a step of the model is so short that threads mostly wait for one
/// another.
fn workers(model: &ModelFile, options: &LoadOptions, workload: &Workload, parallel: usize, gpus: bool) -> usize {
    let EngineConfig { threads, reproducible, .. } = options.base;
    match options.workers.or(workload.tuned.map(|tuned| tuned.workers)) {
        // Texts are judged one by one, so other workers would be idle.
        _ if reproducible => 1,
        Some(workers) => workers.clamp(1, parallel),
        None if short(model, gpus) => threads.min(parallel / SHARE).max(1),
        None => 1,
    }
}

/// Reports whether a step of a model on the CPU is short: its weights fit into the CPU's caches. Demonstration models
/// are so small.
fn short(model: &ModelFile, gpus: bool) -> bool {
    let layers: u64 = model.weights.blocks.iter().map(|block| block.experts + block.rest).sum();
    !gpus && layers + model.weights.output <= SHORT
}

// The next three are measured: "Workers and pass size" in BENCHMARKS.md.

/// Most bytes of weights for a short step.
const SHORT: u64 = 16 << 20;

/// Micro-batch for short steps. The intermediate results then stay in the caches, too.
const SHORT_PASS: usize = 128;
/// Least contents in flight for each worker. With fewer, emptier steps cost more than a worker gains.
const SHARE: usize = 4;

/// Returns the GPUs among the named devices, or all GPUs if no name is given.
fn gpus<'machine>(names: &[String], machine: &'machine Machine) -> Vec<&'machine Device> {
    if names.is_empty() {
        return machine.gpus().collect();
    }
    let wanted = |device: &&Device| names.iter().any(|name| name.eq_ignore_ascii_case(&device.name));
    machine.devices.iter().filter(wanted).filter(|device| device.kind != DeviceKind::Cpu).collect()
}

/// Reports whether a device computes in the CPU's memory.
fn shares(device: &Device) -> bool {
    device.kind == DeviceKind::Integrated || device.backend.starts_with("MTL") || device.backend.starts_with("Metal")
}

/// Returns the need of CPU and GPU memory under these settings.
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
        // In gpt-oss every second layer has a sliding window, the first layer included.
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
    // Workers share the weights. Each has everything else for itself.
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

/// Bytes of the program itself. Measured.
const PROGRAM: u64 = 12 << 20;
/// Bytes of an entry of the vocabulary or of a merge, in llama.cpp and here together. Measured.
const ENTRY: u64 = 180;

/// Returns the bytes of keys and values of a full layer, and of a layer with a sliding window.
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
    // As llama.cpp sizes it: a window for each sequence of a stream, and room for one pass.
    let window = (u64::from(shape.sliding_window) * seen + batch).min(full).next_multiple_of(256);
    let values = u64::from(shape.kv_heads) * u64::from(shape.key_length) * 2;
    let bytes = |cells: u64| match config.cache {
        CacheType::F16 => cells * streams * values * 2,
        // 32 values and their scale take 34 bytes.
        CacheType::Q8_0 => cells * streams * values / 32 * 34,
        CacheType::F32 => cells * streams * values * 4,
    };
    (bytes(full), bytes(window))
}

fn micro_batch(config: &EngineConfig) -> u64 {
    config.micro_batch.min(config.batch).min(config.context) as u64
}

/// Returns the bytes of intermediate results where they are widest: within the experts, or at the logits.
fn computing(model: &ModelFile, config: &EngineConfig) -> u64 {
    let shape = &model.shape;
    let (batch, wide) = (micro_batch(config), u64::from(shape.embedding_length));
    let heads = u64::from(shape.heads);
    let experts = u64::from(shape.experts_used) * u64::from(shape.expert_length) * 3;
    let outputs = OUTPUTS.max(config.sequences) as u64;
    let logits = outputs.min(batch) * model.vocabulary.tokens.len() as u64;
    let context = config.context as u64;
    // A mask over all keys for each token of the batch. Without flash attention also the scores, for each head.
    let scores = if config.flash_attention == FlashAttention::Off { heads * 2 } else { 0 };
    let seen = context.next_multiple_of(256) * (2 + scores);
    4 * (batch * (experts + 4 * wide + heads * u64::from(shape.key_length) + seen)).max(logits + batch * wide)
}
