//! The fastest setting for a model on this machine, as `bench --tune` found it.

use std::path::PathBuf;

use anyhow::Context;
use magistrate::cache;
use magistrate::digest::Hash;
use magistrate::engine::llama_version;
use magistrate::engine::memory_plan::LoadOptions;
use magistrate::engine::tune::Tuning;
use magistrate::gguf::ModelFile;
use magistrate::machine::Machine;

/// Returns the fastest setting for a model on this machine, with flags like these. `None` if no setting is remembered.
pub fn remembered(model: &ModelFile, load_options: &LoadOptions, machine: &Machine) -> Option<Tuning> {
    let bytes = std::fs::read(place(model, load_options, machine).ok()?).ok()?;
    // A file of another version, or a torn one, counts as missing.
    let setting: Tuning = serde_json::from_slice(&bytes).ok()?;
    let sound = (1..=MOST).contains(&setting.parallel) && (1..=setting.parallel).contains(&setting.workers);
    sound.then_some(setting).filter(|setting| setting.workers <= load_options.base.threads)
}

/// The most texts at once that are tried.
pub const MOST: usize = 128;

/// Returns the file of a setting. Its name covers everything that the speed depends on, except the setting itself.
fn place(model: &ModelFile, load_options: &LoadOptions, machine: &Machine) -> std::io::Result<PathBuf> {
    let LoadOptions { cache, micro_batch, gpu_layers, cpu_experts, .. } = load_options;
    let base = &load_options.base;
    let devices: Vec<_> = machine.devices.iter().map(|device| (&device.name, &device.description)).collect();
    let all = format!(
        "{} {} {devices:?} {} {:?} {gpu_layers:?} {cpu_experts:?} {cache:?} {micro_batch:?} {} {:?} {:?}",
        llama_version(),
        model.digest,
        base.threads,
        base.devices,
        base.repack,
        base.kernels,
        base.flash_attention
    );
    Ok(cache::folder()?.join("tuned").join(Hash::of(all.as_bytes()).to_string()).with_extension("json"))
}

/// Remembers a setting.
pub fn remember(
    model: &ModelFile,
    load_options: &LoadOptions,
    machine: &Machine,
    setting: Tuning,
) -> Result<(), anyhow::Error> {
    let path = &place(model, load_options, machine)?;
    let folder = path.parent().unwrap_or(path);
    cache::make(folder)
        .and_then(|()| cache::put(path, &serde_json::to_vec(&setting)?))
        .with_context(|| format!("{} cannot be written", path.display()))
}
