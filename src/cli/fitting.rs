//! Models that do not fit into memory, and the ones that would.

use magistrate::engine::memory_plan::{LoadOptions, MemoryPlan, Workload};
use magistrate::gguf::{self, ModelFile};
use magistrate::machine::Machine;

use super::models::places;
use super::terminal::error::hinted;
use super::terminal::load_plan;
use super::terminal::units::megabytes;

/// Texts that `label` and other verbs on many texts judge at once if there is room.
pub const SEVERAL: usize = 8;
/// Texts that `check` judges at once.
pub const ONE: usize = 1;

/// Returns the error that refuses a model, with the models that would fit.
pub fn refusal(
    model: &ModelFile,
    plan: &MemoryPlan,
    load_options: &LoadOptions,
    workload: &Workload,
    machine: &Machine,
) -> anyhow::Error {
    let report = report(model, plan, load_options, workload, machine);
    hinted(anyhow::anyhow!("{}", report.trim_end()), "--memory SIZE allows more, and loads the model anyway")
}

/// Reports the memory that a model takes, and if it does not fit the models that would.
pub fn report(
    model: &ModelFile,
    plan: &MemoryPlan,
    load_options: &LoadOptions,
    workload: &Workload,
    machine: &Machine,
) -> String {
    let mut text = load_plan::table(model, plan, load_options, machine);
    if !plan.fits() {
        let others = alternatives(model, load_options, workload, machine);
        text.extend(others.iter().map(|one| format!("would fit: {one}\n")));
        if others.is_empty() {
            text.push_str("no model that is here would fit, and gpt-oss is not published in less than MXFP4\n");
        }
    } else if plan.gpu.bytes() == 0 && !plan.config.repack && workload.at_once() > ONE {
        // Only a CPU's weights are rearranged, and one text is not worth the slower start.
        let mut repacked = load_options.clone();
        repacked.base.repack = true;
        let repacked = MemoryPlan::new(model, &repacked, workload, machine);
        if repacked.fits() && repacked.cpu.repacked > 0 {
            let size = megabytes(repacked.cpu.bytes());
            text.push_str(&format!("--repack fits, too, in {size}: a slower start, then faster\n"));
        }
    }
    text
}

/// Returns the models that would fit: the same with less, a smaller quantization, another model of this machine.
fn alternatives(model: &ModelFile, load_options: &LoadOptions, workload: &Workload, machine: &Machine) -> Vec<String> {
    let mut found = Vec::new();
    let mut less = LoadOptions {
        parallel: None,
        context: None,
        cache: None,
        cpu_experts: None,
        gpu_layers: None,
        ..load_options.clone()
    };
    less.base.repack = false;
    let fitting = |model: &ModelFile| Some(MemoryPlan::new(model, &less, workload, machine)).filter(MemoryPlan::fits);
    // If there is no flag to leave out, this is the plan that does not fit.
    if let Some(plan) = (less != *load_options).then(|| fitting(model)).flatten() {
        found.push(format!("{}, with {}", model.name, load_plan::flags(&plan)));
    }
    if let Some(smaller) = model.in_mxfp4()
        && let Some(plan) = fitting(&smaller)
    {
        let size = megabytes(plan.cpu.weights + plan.gpu.weights);
        found.push(format!("a file of it whose experts are in MXFP4, as they were published: {size} of weights"));
    }
    let others = places().find().into_iter().filter(|other| other.path != model.path && other.unusable.is_none());
    for other in others {
        let fits = gguf::inspect(&other.path).ok().and_then(|file| fitting(&file));
        if let Some(plan) = fits {
            found.push(format!("{}, with {}", other.name, load_plan::flags(&plan)));
        }
    }
    // A smaller published model, which is not here.
    if found.is_empty()
        && let Some(twenty) = gguf::published("20b")
        && model.shape.blocks > twenty.shape.blocks
        && let Some(plan) = fitting(&twenty)
    {
        let flags = load_plan::flags(&plan);
        found.push(format!("{} (`magistrate model pull 20b`), with {flags}", twenty.name));
    }
    found
}
