//! The plan for loading a model: its settings, and the memory that they take.

use std::sync::LazyLock;

use crate::support;

use magistrate::engine::memory_plan::{LoadOptions, MemoryPlan, Workload};
use magistrate::engine::tune::Tuning;
use magistrate::engine::{CacheType, EngineConfig, FlashAttention, Layout};
use magistrate::gguf::{ModelFile, inspect};
use magistrate::machine::{Device, DeviceKind, Machine, Memory};
use support::synth::{self, Shape, TensorType};

const GB: u64 = 1_000_000_000;

/// Returns a model of the 20b's shape with a small vocabulary. Its digest takes seconds, so all tests share it.
fn large() -> ModelFile {
    static LARGE: LazyLock<ModelFile> = LazyLock::new(|| with(&Shape { ranks: Some(2_000), ..Shape::safeguard_20b() }));
    LARGE.clone()
}

fn with(shape: &Shape) -> ModelFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    synth::outline(&path, shape).unwrap();
    inspect(&path).unwrap()
}

fn machine(free: u64, gpus: &[(DeviceKind, u64)]) -> Machine {
    let device = |(number, &(kind, free)): (usize, &(DeviceKind, u64))| Device {
        name: format!("gpu{number}"),
        description: String::new(),
        backend: "some".to_owned(),
        kind,
        total: free,
        free,
    };
    let memory = Memory { total: free, free, limit: None };
    Machine { memory, devices: gpus.iter().enumerate().map(device).collect() }
}

fn options() -> LoadOptions {
    let base = EngineConfig::new("");
    LoadOptions {
        base,
        parallel: None,
        workers: None,
        layout: None,
        context: None,
        cache: None,
        micro_batch: None,
        gpu_layers: None,
        cpu_experts: None,
        memory: None,
    }
}

fn job() -> Workload {
    Workload { parallel: 8, tuned: None, policies: vec![700, 500] }
}

#[test]
fn where_there_is_room_all_that_is_wanted_is_chosen() {
    let plan = MemoryPlan::new(&large(), &options(), &job(), &machine(20 * GB, &[]));
    assert!(plan.fits());
    let EngineConfig { parallel, context, cache, gpu_layers, cpu_experts, sequences, .. } = plan.config;
    assert_eq!((parallel, context, cache, sequences), (8, 8192 + 1200, CacheType::F16, 24));
    assert_eq!((gpu_layers, cpu_experts, plan.gpu.bytes()), (None, 0, 0));
    let weights = large().types.values().map(|(_, bytes)| bytes).sum::<u64>();
    assert_eq!(plan.cpu.weights, weights);
}

#[test]
fn as_memory_gets_short_fewer_texts_are_judged_at_once_then_keys_are_rounded_then_the_context_shrinks() {
    let model = large();
    let options = LoadOptions { parallel: None, ..options() };
    let job = Workload { parallel: 32, ..job() };
    let wide = MemoryPlan::new(&model, &options, &job, &machine(20 * GB, &[]));
    let mut seen = vec![(32, CacheType::F16, wide.config.context)];
    let mut free = wide.cpu.bytes();
    loop {
        free -= 1;
        let plan = MemoryPlan::new(&model, &options, &job, &machine(free, &[]));
        let EngineConfig { parallel, cache, context, .. } = plan.config;
        seen.push((parallel, cache, context));
        if !plan.fits() {
            break;
        }
        assert!(plan.cpu.bytes() <= free);
        free = plan.cpu.bytes();
    }
    let (f16, q8) = (CacheType::F16, CacheType::Q8_0);
    let wanted = [
        (32, f16, 33_968),
        (16, f16, 17_584),
        (8, f16, 9_392),
        (4, f16, 9_392),
        (2, f16, 9_392),
        (1, f16, 9_392),
        (1, q8, 9_392),
        (1, q8, 2_748),
        (1, q8, 2_748),
    ];
    assert_eq!(seen, wanted, "the last one does not fit, and is the least that there is");
}

#[test]
fn a_model_whose_steps_are_short_is_shared_by_workers_where_a_cpu_has_the_threads_and_there_is_enough_to_do() {
    let (small, large) = (with(&Shape::tiny()), large());
    let workers = |model: &ModelFile, threads: usize, parallel: usize, gpu: bool| {
        let base = EngineConfig::new("").with_threads(threads);
        let gpus: &[(DeviceKind, u64)] = if gpu { &[(DeviceKind::Gpu, 4 * GB)] } else { &[] };
        let plan = MemoryPlan::new(
            model,
            &LoadOptions { base, ..options() },
            &Workload { parallel, ..job() },
            &machine(20 * GB, gpus),
        );
        plan.config.workers
    };
    assert_eq!(workers(&small, 2, 8, false), 2);
    assert_eq!(workers(&small, 8, 8, false), 2, "four texts for each");
    assert_eq!(workers(&small, 8, 32, false), 8);
    for (model, threads, parallel, gpu) in
        [(&large, 2, 8, false), (&small, 1, 8, false), (&small, 2, 1, false), (&small, 2, 8, true)]
    {
        assert_eq!(workers(model, threads, parallel, gpu), 1, "{threads} {parallel} {gpu}");
    }
    let pass = |model, options: &LoadOptions| {
        MemoryPlan::new(model, options, &job(), &machine(20 * GB, &[])).config.micro_batch
    };
    assert_eq!([&small, &large].map(|model| pass(model, &options())), [128, 512]);
    assert_eq!(pass(&small, &LoadOptions { micro_batch: Some(64), ..options() }), 64);
    let asked = LoadOptions { workers: Some(4), ..options() };
    let base = EngineConfig::new("").with_reproducible(true);
    let machine = machine(20 * GB, &[]);
    let plan = MemoryPlan::new(
        &large,
        &LoadOptions { base: asked.base.clone().with_threads(8), ..asked.clone() },
        &job(),
        &machine,
    );
    let alone = MemoryPlan::new(&large, &options(), &job(), &machine);
    assert_eq!((plan.config.workers, plan.config.sequences), (4, 18), "two texts for each, and 16 more sequences");
    assert!(plan.cpu.cells > 2 * alone.cpu.cells, "each has a cache of its own");
    assert_eq!(
        MemoryPlan::new(&small, &LoadOptions { base, ..asked }, &job(), &machine).config.workers,
        1,
        "one after the other"
    );
}

#[test]
fn what_was_measured_to_be_fastest_is_chosen_where_nothing_else_is_asked_for_and_it_fits() {
    let tuned = Tuning { parallel: 32, workers: 2, layout: Layout::Split };
    let job = Workload { tuned: Some(tuned), policies: vec![700], ..job() };
    let chosen = |options: &LoadOptions, free: u64| {
        let EngineConfig { parallel, workers, layout, .. } =
            MemoryPlan::new(&large(), options, &job, &machine(free, &[])).config;
        Tuning { parallel, workers, layout }
    };
    assert_eq!(chosen(&options(), 64 * GB), tuned);
    let less = chosen(&options(), 14 * GB);
    assert!(less.parallel < 32 && less.layout == Layout::Split, "{less:?}");
    let asked = Tuning { parallel: 4, workers: 4, layout: Layout::Unified };
    let flags = LoadOptions {
        parallel: Some(asked.parallel),
        workers: Some(asked.workers),
        layout: Some(asked.layout),
        ..options()
    };
    assert_eq!(chosen(&flags, 64 * GB), asked);
}

#[test]
fn what_was_asked_for_stays_whether_it_fits_or_not() {
    let asked = LoadOptions {
        parallel: Some(12),
        context: Some(50_000),
        cache: Some(CacheType::F16),
        gpu_layers: Some(3),
        cpu_experts: Some(2),
        ..options()
    };
    for free in [GB, 30 * GB] {
        let plan = MemoryPlan::new(&large(), &asked, &job(), &machine(free, &[(DeviceKind::Gpu, 4 * GB)]));
        let EngineConfig { parallel, context, cache, gpu_layers, cpu_experts, .. } = plan.config;
        assert_eq!((parallel, context, cache), (12, 50_000, CacheType::F16));
        assert_eq!((gpu_layers, cpu_experts), (Some(3), 2));
        assert_eq!(plan.fits(), free > GB);
    }
    let believed = LoadOptions { memory: Some(30 * GB), ..asked };
    assert!(MemoryPlan::new(&large(), &believed, &job(), &machine(GB, &[(DeviceKind::Gpu, 4 * GB)])).fits());
}

#[test]
fn a_card_takes_all_layers_or_all_but_some_experts_or_a_few_layers_or_none() {
    let model = large();
    let placed = |free| {
        let plan = MemoryPlan::new(&model, &options(), &job(), &machine(20 * GB, &[(DeviceKind::Gpu, free)]));
        assert!(plan.fits(), "{free}");
        assert!(plan.gpu.bytes() <= free, "{free}");
        let all = plan.cpu.weights + plan.gpu.weights;
        assert_eq!(all, model.types.values().map(|(_, bytes)| bytes).sum::<u64>(), "each tensor is somewhere, once");
        (plan.config.gpu_layers, plan.config.cpu_experts)
    };
    assert_eq!(placed(24 * GB), (None, 0));
    let (layers, experts) = placed(8 * GB);
    assert_eq!(layers, None);
    assert!((8..20).contains(&experts), "{experts}");
    let (layers, experts) = placed(1_600_000_000);
    assert_eq!(experts, 24, "all experts stay on the CPU");
    assert!(layers.is_some_and(|layers| (2..24).contains(&layers)), "{layers:?}");
    assert_eq!(placed(GB), (Some(0), 24));
    assert_eq!(MemoryPlan::new(&model, &options(), &job(), &machine(20 * GB, &[])).config.gpu_layers, None);
}

#[test]
fn two_cards_share_and_one_that_is_not_named_takes_nothing() {
    let two = machine(20 * GB, &[(DeviceKind::Gpu, 9 * GB), (DeviceKind::Gpu, 9 * GB)]);
    let plan = MemoryPlan::new(&large(), &options(), &job(), &two);
    assert_eq!((plan.config.gpu_layers, plan.config.cpu_experts, plan.gpu_room), (None, 0, 18 * GB - 2 * (1 << 30)));
    let mut named = options();
    named.base.devices = vec!["GPU1".to_owned()];
    assert_eq!(MemoryPlan::new(&large(), &named, &job(), &two).gpu_room, 9 * GB - (1 << 30));
    named.base.devices = vec!["CPU".to_owned()];
    assert_eq!(MemoryPlan::new(&large(), &named, &job(), &two).gpu.bytes(), 0);
}

#[test]
fn what_an_integrated_device_takes_is_the_cpus_memory() {
    let plan = MemoryPlan::new(&large(), &options(), &job(), &machine(10 * GB, &[(DeviceKind::Integrated, 20 * GB)]));
    assert!(plan.gpu.bytes() <= plan.gpu_room && !plan.fits(), "{plan:?}");
    assert!(
        MemoryPlan::new(&large(), &options(), &job(), &machine(13 * GB, &[(DeviceKind::Integrated, 20 * GB)])).fits()
    );
}

#[test]
fn a_second_try_asks_for_less_than_the_first() {
    let model = large();
    for gpus in
        [&[][..], &[(DeviceKind::Gpu, 8 * GB)], &[(DeviceKind::Gpu, 24 * GB)], &[(DeviceKind::Integrated, 30 * GB)]]
    {
        let machine = machine(20 * GB, gpus);
        let first = MemoryPlan::new(&model, &options(), &job(), &machine);
        let second = first.again(&model, &options(), &job(), &machine);
        assert_ne!(second.config, first.config);
        let all = |plan: &MemoryPlan| (plan.cpu.bytes(), plan.gpu.bytes());
        let less = if gpus.is_empty() { all(&second).0 < all(&first).0 } else { all(&second).1 < all(&first).1 };
        assert!(less, "{:?} after {:?}", all(&second), all(&first));
    }
}

#[test]
fn repacking_split_layout_wide_keys_and_no_flash_attention_each_take_more() {
    let model = large();
    let need = |change: &dyn Fn(&mut LoadOptions)| {
        let mut options = options();
        change(&mut options);
        MemoryPlan::new(&model, &options, &job(), &machine(64 * GB, &[])).cpu
    };
    let plain = need(&|_| ());
    assert!(need(&|it| it.base.repack = true).repacked > 10 * GB);
    assert!(need(&|it| it.layout = Some(Layout::Split)).cells > 8 * plain.cells);
    assert_eq!(need(&|it| it.cache = Some(CacheType::F32)).cells, 2 * plain.cells);
    assert_eq!(need(&|it| it.cache = Some(CacheType::Q8_0)).cells, plain.cells * 17 / 32);
    assert!(need(&|it| it.base.flash_attention = FlashAttention::Off).computing > 5 * plain.computing);
    assert!(need(&|it| it.micro_batch = Some(2048)).computing > 3 * plain.computing);
}

#[test]
fn experts_in_a_wider_type_would_be_smaller_in_mxfp4() {
    let wide = with(&Shape { expert: TensorType::Q8_0, ..Shape::small() });
    let smaller = wide.in_mxfp4().unwrap();
    let plain = with(&Shape::small());
    let bytes = |model: &ModelFile| model.weights.blocks.iter().map(|block| block.experts + block.rest).sum::<u64>();
    assert_eq!(bytes(&smaller), bytes(&plain));
    assert!(plain.in_mxfp4().is_none());
}
