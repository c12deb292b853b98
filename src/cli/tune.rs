//! `bench --tune`: what is the fastest here for a model, tried once and remembered.
//!
//! The one idea: each step is measured in processes of their own, in turn with what was best so far, on work of the user's
//! choice. What is found lies in the cache, under all that it hangs on, and is taken where no flag says otherwise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use magistrate::cache;
use magistrate::engine::plan::{Job, Plan, Wishes};
use magistrate::engine::tune::{Setting, climb};
use magistrate::engine::{LLAMA, Layout};
use magistrate::gguf::{ModelFile, Opened};
use magistrate::machine::Machine;
use serde::Serialize;

use super::bench::{Bench, rate};
use super::{exit, fit, output};

/// What was found to be the fastest for a model on this machine, with flags like these.
pub fn remembered(model: &ModelFile, wishes: &Wishes, machine: &Machine) -> Option<Setting> {
    let bytes = std::fs::read(place(model, wishes, machine).ok()?).ok()?;
    // A file of another version, or a torn one, is as good as none.
    let setting: Setting = serde_json::from_slice(&bytes).ok()?;
    let sound = (1..=MOST).contains(&setting.parallel) && (1..=setting.parallel).contains(&setting.workers);
    sound.then_some(setting).filter(|setting| setting.workers <= wishes.base.threads)
}

/// Contents at once that are tried, at most.
const MOST: usize = 128;

/// Where it lies: all that speed hangs on is in its name, but for the settings that are looked for.
fn place(model: &ModelFile, wishes: &Wishes, machine: &Machine) -> std::io::Result<PathBuf> {
    let Wishes { cache, micro_batch, gpu_layers, cpu_experts, .. } = wishes;
    let base = &wishes.base;
    let devices: Vec<_> = machine.devices.iter().map(|device| (&device.name, &device.description)).collect();
    let all = format!(
        "{LLAMA} {} {devices:?} {} {:?} {gpu_layers:?} {cpu_experts:?} {cache:?} {micro_batch:?} {} {:?}",
        model.digest, base.threads, base.devices, base.repack, base.flash_attention
    );
    Ok(cache::folder()?.join("tuned").join(super::name_of(&all, 16)).with_extension("json"))
}

impl Bench {
    /// Looks for the fastest setting, tells each step that was tried, and remembers what was found.
    pub fn tune(&self) -> Result<ExitCode, anyhow::Error> {
        let Opened { file, .. } = Opened::read(&self.model.path()?)?;
        let wishes = self.engine.wishes(file.path.clone())?;
        anyhow::ensure!(
            !wishes.base.reproducible,
            "--reproducible judges one text after the other\nhint: tune without it"
        );
        let machine = fit::machine()?;
        let planned = |setting: Option<Setting>| {
            let asked = Wishes {
                parallel: setting.map(|setting| setting.parallel),
                workers: setting.map(|setting| setting.workers),
                layout: setting.map(|setting| setting.layout),
                ..wishes.clone()
            };
            Plan::new(&file, &asked, &Job { parallel: fit::MANY, tuned: None, policies: Vec::new() }, &machine)
        };
        let plan = planned(None);
        let start =
            Setting { parallel: plan.config.parallel, workers: plan.config.workers, layout: plan.config.layout };
        // Workers share the CPU's threads: where a GPU computes there is nothing to share.
        let workers = if plan.gpu.bytes() == 0 { wishes.base.threads } else { 1 };
        let fits = |setting: Setting| {
            let Setting { parallel, workers: some, .. } = setting;
            parallel <= MOST && some <= workers.min(parallel) && planned(Some(setting)).fits()
        };

        let flags = super::arguments().context("a flag is not UTF-8")?;
        let measure = |setting: Setting, items: usize| {
            let Setting { parallel, workers, .. } = setting;
            let more =
                format!("--parallel {parallel} --workers {workers} --layout {} --items {items}", layout_of(setting));
            rate(&[&flags[..], &more.split(' ').map(str::to_owned).collect::<Vec<_>>()].concat())
        };
        let first = measure(start, self.items.unwrap_or(2 * start.parallel))?;
        let mut tried = Vec::new();
        let best = climb(start, fits, |one, two| {
            let items = self.items.unwrap_or_else(|| enough(first, one.parallel.max(two.parallel)));
            let mut pairs = Vec::new();
            for _ in 0..self.pairs {
                pairs.push((measure(one, items)?, measure(two, items)?));
            }
            let mut ratios: Vec<f64> = pairs.iter().map(|(one, two)| two / one).collect();
            ratios.sort_by(f64::total_cmp);
            let times = ratios[ratios.len() / 2];
            if !self.json {
                output::print(&format!("{}  {times:.2} times {}\n", flags_of(two), flags_of(one)))?;
            }
            tried.push(Tried { one, two, pairs, times });
            anyhow::Ok(times)
        })?;
        remember(&place(&file, &wishes, &machine)?, best)?;
        if self.json {
            output::data(&format!("{}\n", serde_json::to_string(&Tuned { fastest: best, tried })?))?;
        } else {
            output::print(&format!("fastest: {}\n", flags_of(best)))?;
        }
        output::say(&format!(
            "note: label, eval, verify and bench judge {} with this from now on; flags go before it, and magistrate cache \
             clear forgets it",
            file.name
        ));
        Ok(ExitCode::from(exit::DONE))
    }
}

fn remember(path: &Path, setting: Setting) -> Result<(), anyhow::Error> {
    let folder = path.parent().unwrap_or(path);
    cache::make(folder)
        .and_then(|()| cache::put(path, &serde_json::to_vec(&setting)?))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Items enough for a few seconds, so many times as many as are judged at once that their last ones do not weigh.
fn enough(rate: f64, parallel: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most")]
    let items = (rate.min(10_000.0) * SECONDS) as usize;
    items.max(2 * parallel).next_multiple_of(parallel)
}

/// How long a run lasts, at the least.
const SECONDS: f64 = 4.0;

/// A setting as flags.
fn flags_of(setting: Setting) -> String {
    let Setting { parallel, workers, .. } = setting;
    format!("--parallel {parallel} --workers {workers} --layout {}", layout_of(setting))
}

fn layout_of(setting: Setting) -> &'static str {
    match setting.layout {
        Layout::Unified => "unified",
        Layout::Split => "split",
    }
}

#[derive(Serialize)]
struct Tuned {
    fastest: Setting,
    tried: Vec<Tried>,
}

/// Two settings, how many items a second each did, in pairs, and the median of the ratios.
#[derive(Serialize)]
struct Tried {
    one: Setting,
    two: Setting,
    pairs: Vec<(f64, f64)>,
    times: f64,
}
