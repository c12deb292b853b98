//! `bench --tune`: searches the fastest setting for a model on this machine, and remembers it.
//!
//! The one idea: each step is measured in processes of their own, in turn with the best so far, on work of the user's
//! choice.

use std::process::ExitCode;

use magistrate::engine::Layout;
use magistrate::engine::memory_plan::{LoadOptions, MemoryPlan, Workload};
use magistrate::engine::tune::{Tuning, climb};
use magistrate::gguf::Opened;
use serde::Serialize;

use super::flags::BenchFlags;
use super::process::{rate, words};
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::{exit, output};
use crate::cli::{devices, tuned};

/// Searches the fastest setting, prints each step, and remembers the result.
pub fn run(flags: &BenchFlags) -> Result<ExitCode, anyhow::Error> {
    let Opened { file, .. } = Opened::read(&flags.model.path()?)?;
    let load_options = flags.engine.resolve(file.path.clone());
    ensure_hint!(!load_options.base.reproducible, "--reproducible judges one text after the other", "tune without it");
    let machine = devices::machine()?;
    let planned = |setting: Option<Tuning>| {
        let asked = LoadOptions {
            parallel: setting.map(|setting| setting.parallel),
            workers: setting.map(|setting| setting.workers),
            layout: setting.map(|setting| setting.layout),
            ..load_options.clone()
        };
        MemoryPlan::new(&file, &asked, &Workload { parallel: SEVERAL, tuned: None, policies: Vec::new() }, &machine)
    };
    let plan = planned(None);
    let start = Tuning { parallel: plan.config.parallel, workers: plan.config.workers, layout: plan.config.layout };
    // Workers share the CPU's threads. With a GPU there is nothing to share.
    let workers = if plan.gpu.bytes() == 0 { load_options.base.threads } else { 1 };
    let fits = |setting: Tuning| {
        let Tuning { parallel, workers: some, .. } = setting;
        parallel <= tuned::MOST && some <= workers.min(parallel) && planned(Some(setting)).fits()
    };

    let line = words()?;
    let measure = |setting: Tuning, items: usize| {
        let more = format!("{} --items {items}", flags_of(setting));
        rate(&[&line[..], &more.split(' ').map(str::to_owned).collect::<Vec<_>>()].concat())
    };
    let first = measure(start, flags.items.unwrap_or(2 * start.parallel))?;
    let mut tried = Vec::new();
    let best = climb(start, fits, |one, two| {
        let items = flags.items.unwrap_or_else(|| enough(first, one.parallel.max(two.parallel)));
        let mut pairs = Vec::new();
        for _ in 0..flags.pairs {
            pairs.push((measure(one, items)?, measure(two, items)?));
        }
        let mut ratios: Vec<f64> = pairs.iter().map(|(one, two)| two / one).collect();
        ratios.sort_by(f64::total_cmp);
        let times = ratios[ratios.len() / 2];
        if !flags.json {
            output::print(&format!("{}  {times:.2} times {}\n", flags_of(two), flags_of(one)))?;
        }
        tried.push(Tried { one, two, pairs, times });
        anyhow::Ok(times)
    })?;
    tuned::remember(&file, &load_options, &machine, best)?;
    if flags.json {
        output::data(&format!("{}\n", serde_json::to_string(&Tuned { fastest: best, tried })?))?;
    } else {
        output::print(&format!("fastest: {}\n", flags_of(best)))?;
    }
    output::summary(&format!(
        "note: label, eval, verify and bench judge {} with this from now on; flags go before it, and magistrate cache \
         clear forgets it",
        file.name
    ));
    Ok(ExitCode::from(exit::DONE))
}

/// Returns items for a few seconds: a multiple of the number at once, so that the last ones carry no weight.
fn enough(rate: f64, parallel: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most")]
    let items = (rate.min(10_000.0) * SECONDS) as usize;
    items.max(2 * parallel).next_multiple_of(parallel)
}

/// The least seconds of a run.
const SECONDS: f64 = 4.0;

/// Returns a setting as flags.
fn flags_of(setting: Tuning) -> String {
    let Tuning { parallel, workers, layout } = setting;
    let layout = match layout {
        Layout::Unified => "unified",
        Layout::Split => "split",
    };
    format!("--parallel {parallel} --workers {workers} --layout {layout}")
}

#[derive(Serialize)]
struct Tuned {
    fastest: Tuning,
    tried: Vec<Tried>,
}

/// Two settings, the items per second of each in pairs, and the median of the ratios.
#[derive(Serialize)]
struct Tried {
    one: Tuning,
    two: Tuning,
    pairs: Vec<(f64, f64)>,
    times: f64,
}
