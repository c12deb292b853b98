//! One measurement: the rate, how full batches are, and the share of the time inside llama.cpp.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use magistrate::bench::{Counts, Report, Shared, Work};
use magistrate::content::{self, Content};
use magistrate::engine::memory_plan::{MemoryPlan, Workload};
use magistrate::engine::{SessionOptions, llama};
use magistrate::gguf::Opened;
use magistrate::tokenizer::Tokenizer;

use super::flags::BenchFlags;
use super::process::per_second;
use crate::cli::fitting::SEVERAL;
use crate::cli::terminal::error::{bail_hint, ensure_hint};
use crate::cli::terminal::{exit, output, stop};
use crate::cli::{devices, tuned};

pub fn run(flags: &BenchFlags) -> Result<ExitCode, anyhow::Error> {
    stop::at_once()?;
    let report = measure(flags)?;
    if flags.json {
        output::data(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        output::print(&table(flags, &report))?;
    }
    Ok(ExitCode::from(exit::DONE))
}

fn measure(flags: &BenchFlags) -> Result<Report, anyhow::Error> {
    let Opened { file, tokenizer } = Opened::read(&flags.model.path()?)?;
    let work = work(flags, &tokenizer)?;
    let mut load_options = flags.engine.resolve(file.path.clone());
    let machine = devices::machine()?;
    let tuned = tuned::remembered(&file, &load_options, &machine);
    let workload = Workload { parallel: SEVERAL, tuned, policies: Vec::new() };
    load_options.parallel.get_or_insert(workload.at_once());
    // A first plan gives the layout and the number of places. The context for this work depends on both.
    let first = MemoryPlan::new(&file, &load_options, &workload, &machine).config;
    load_options.context.get_or_insert(work.cells(first.layout, first.places()));
    let MemoryPlan { config, cpu, .. } = MemoryPlan::new(&file, &load_options, &workload, &machine);
    let never = AtomicBool::new(false);
    let common = Shared::new(&work, config.workers);
    let shares = llama::with_backends(&file, &config, |_| true, &never, |_, backend| common.run(backend, &config))?;
    let shares = shares.into_iter().collect::<Result<Vec<_>, _>>().context("the work was not done")?;
    Ok(Report { planned_memory: Some(cpu.bytes()), ..Report::of(&work, &shares) })
}

fn work(flags: &BenchFlags, tokenizer: &Arc<Tokenizer>) -> Result<Work, anyhow::Error> {
    let most = flags.items.unwrap_or(64);
    ensure_hint!(most > 0, "there is nothing to measure", "--items is at least 1");
    let path = match (flags.policy.parse(), &flags.data) {
        (Ok(policy), None) => {
            let BenchFlags { content, output, fixed, .. } = *flags;
            anyhow::ensure!(policy > 0 && content > 0, "--policy and --content are at least 1 token");
            return Ok(Work::counted(tokenizer, Counts { policy, content, output, fixed, items: most }));
        }
        (Err(_), Some(path)) => path,
        (Ok(_), Some(_)) => bail_hint!("--data is judged by a policy", "name one, such as -p spam"),
        (Err(_), None) => bail_hint!("there are no texts for the policy", "name a file of them with --data"),
    };
    let policy = magistrate::policy::load(&flags.policy, None)?;
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let text = content::readable(&bytes).with_context(|| format!("{} cannot be judged", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(most);
    let contents = lines.map(Content::of).collect::<Result<Vec<Content>, _>>();
    let contents = contents.with_context(|| format!("{} cannot be judged", path.display()))?;
    anyhow::ensure!(!contents.is_empty(), "{} holds no texts", path.display());
    let options = SessionOptions::default().with_effort(flags.effort);
    Ok(Work::judging(tokenizer, &policy, &options, &contents)?)
}

fn table(flags: &BenchFlags, report: &Report) -> String {
    let Report { items, seconds, batches, policy_tokens, .. } = report;
    let memory = report.peak_memory.zip(report.planned_memory).map_or_else(String::new, |(bytes, planned)| {
        format!("memory     {} MB at most, {} MB planned\n", bytes / 1_000_000, planned / 1_000_000)
    });
    let each = match &flags.data {
        Some(path) => format!("of {}", path.display()),
        None => {
            let BenchFlags { content, output, .. } = flags;
            format!("of {content} + {output} tokens, of which {} appended", flags.fixed.min(*output))
        }
    };
    format!(
        "work       {items} items {each}, behind a policy of {policy_tokens} tokens\n\
         items      {}/s, {seconds:.2} s in all\n\
         tokens     {:.0}/s of contents, {:.0}/s written\n\
         batches    {batches}, of {:.1} tokens\n\
         llama.cpp  {:.1} % of the time, {:.1} % of it in waiting for results\n\
         policy     decoded in {:.3} s, {} tokens reused\n{memory}",
        per_second(report.items_per_s),
        report.prompt_tokens_per_s,
        report.output_tokens_per_s,
        report.batch_fill,
        report.inside * 100.0,
        report.waiting / report.inside.max(1e-9) * 100.0,
        report.policy_seconds,
        report.reused_tokens,
    )
}
