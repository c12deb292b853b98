//! A plan to load a model, as a table and as flags.

use magistrate::engine::memory_plan::{LoadOptions, MemoryPlan, Need, Workload};
use magistrate::engine::{CacheType, Layout};
use magistrate::gguf::ModelFile;
use magistrate::machine::Machine;

use super::units::megabytes;

/// Returns a note if memory allows less than was asked for, or less than the default.
pub fn note(plan: &MemoryPlan, load_options: &LoadOptions, workload: &Workload) -> Option<String> {
    let less = plan.config.parallel < load_options.parallel.unwrap_or(workload.at_once())
        || load_options.cache.is_none() && plan.config.cache != CacheType::default();
    less.then(|| format!("note: memory is short, so the model is loaded with {}", flags(plan)))
}

/// Returns a plan as flags.
pub fn flags(plan: &MemoryPlan) -> String {
    let config = &plan.config;
    let mut text = format!("--parallel {} --context {}", config.parallel, config.context);
    if config.workers > 1 {
        text.push_str(&format!(" --workers {}", config.workers));
    }
    if config.layout == Layout::Split {
        text.push_str(" --layout split");
    }
    if config.cache == CacheType::Q8_0 {
        text.push_str(" --kv q8_0");
    }
    if config.repack {
        text.push_str(" --repack");
    }
    if let Some(layers) = config.gpu_layers {
        text.push_str(&format!(" --gpu-layers {layers}"));
    }
    if config.cpu_experts > 0 {
        text.push_str(&format!(" --cpu-experts {}", config.cpu_experts));
    }
    text
}

/// Returns a table of the memory that a model takes, and the flags by which it is loaded.
pub fn table(model: &ModelFile, plan: &MemoryPlan, load_options: &LoadOptions, machine: &Machine) -> String {
    let fits = plan.fits();
    let mut text = format!("{} {}\n\n", model.name, if fits { "fits" } else { "does not fit" });
    let uses_gpu = plan.gpu.bytes() > 0;
    let on_gpu = |bytes| if uses_gpu { megabytes(bytes) } else { String::new() };
    text.push_str(&line("", "memory", if uses_gpu { "GPU" } else { "" }));
    for (what, of) in ROWS {
        let (cpu, gpu) = (of(&plan.cpu), of(&plan.gpu));
        if cpu + gpu > 0 {
            text.push_str(&line(what, &megabytes(cpu), &on_gpu(gpu)));
        }
    }
    text.push_str(&line("together", &megabytes(plan.cpu.bytes()), &on_gpu(plan.gpu.bytes())));
    text.push_str(&line("free", &megabytes(plan.cpu_room), &on_gpu(plan.gpu_room)));
    text.push('\n');
    if let Some(memory) = load_options.memory {
        text.push_str(&format!("--memory allows {}\n", megabytes(memory)));
    } else if let Some(limit) = machine.memory.limit {
        let total = megabytes(machine.memory.total);
        text.push_str(&format!("a control group allows {} of the machine's {total}\n", megabytes(limit)));
    }
    text.push_str(&format!(
        "{} {}\n",
        if fits { "loaded with" } else { "the smallest configuration tried:" },
        flags(plan)
    ));
    text
}

/// A row of the table: its name, and its bytes of a need.
type NeedRow = (&'static str, fn(&Need) -> u64);

const ROWS: [NeedRow; 5] = [
    ("weights", |need| need.weights),
    ("weights, rearranged", |need| need.repacked),
    ("keys and values", |need| need.cells),
    ("computing", |need| need.computing),
    ("program, vocabulary", |need| need.program),
];

fn line(what: &str, cpu: &str, gpu: &str) -> String {
    format!("{what:<20}  {cpu:>10}  {gpu:>10}").trim_end().to_owned() + "\n"
}
