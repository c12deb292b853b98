//! `slow`: the times of honest clients beside connections that waste the server's time.

#[path = "slow/attack.rs"]
mod attack;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Report;
use crate::client::{Sample, measure};
use crate::figures::{Process, median, rounded};
use crate::flags::Flags;
use crate::work::Work;

/// Most growth of the 99th percentile of honest clients.
const MOST_RATIO: f64 = 1.1;

/// Settings of a run.
struct Plan {
    connections: usize,
    clients: usize,
    span: Duration,
    warm_up: Duration,
    pid: Option<u32>,
    is_fresh: bool,
}

/// Measures honest clients without and with slow connections, in turn, because the speed of a machine drifts.
pub fn run(mut flags: Flags) -> Result<Report, String> {
    let work = Work::new(&mut flags)?;
    let rounds: usize = flags.value("rounds", 3)?;
    let plan = Plan {
        connections: flags.value("connections", 1000)?,
        clients: flags.value("clients", 8)?,
        span: Duration::from_secs_f64(flags.value("seconds", 20.0)?),
        warm_up: Duration::from_secs_f64(flags.value("warm-up", 3.0)?),
        pid: flags.optional("pid")?,
        is_fresh: flags.value("fresh", false)?,
    };
    flags.end()?;
    let (mut rows, mut ratios, mut failed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let memory_before = memory(plan.pid);
        let before = honest(&work, &plan);
        let during = beside(&work, &plan)?;
        // Closed connections leave the server within moments.
        thread::sleep(Duration::from_secs(3));
        let ratio =
            during.sample.times.quantile(0.99).zip(before.times.quantile(0.99)).map(|(with, without)| with / without);
        ratios.extend(ratio);
        failed += before.failed() + during.sample.failed();
        rows.push(json!({
            "without": before.report(), "with": during.sample.report(), "p99_ratio": ratio.map(rounded),
            "connections": during.counts,
            "memory_mb": { "before": memory_before, "most": during.most_memory, "after": memory(plan.pid) },
        }));
    }
    let ratio = median(ratios);
    let holds = failed == 0 && ratio.is_some_and(|ratio| ratio <= MOST_RATIO);
    let figures = json!({ "rounds": rows, "median_p99_ratio": ratio.map(rounded), "failed_honest_requests": failed, "holds": holds });
    Ok(Report { figures, holds })
}

fn honest(work: &Work, plan: &Plan) -> Sample {
    measure(work, plan.clients, plan.warm_up, plan.span, plan.is_fresh)
}

/// A measurement beside slow connections.
struct Beside {
    sample: Sample,
    counts: Value,
    /// The most resident memory of the server in MB.
    most_memory: Option<f64>,
}

fn beside(work: &Work, plan: &Plan) -> Result<Beside, String> {
    let (ready, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let attacker = scope.spawn(|| attack::attack(work, plan.connections, &ready, &stop));
        let watcher = scope.spawn(|| {
            let mut most = None;
            while !stop.load(Ordering::Relaxed) {
                most = memory(plan.pid).into_iter().chain(most).max_by(f64::total_cmp);
                thread::sleep(Duration::from_millis(500));
            }
            most
        });
        let begun = Instant::now();
        while !ready.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_mins(1) {
            thread::sleep(Duration::from_millis(50));
        }
        let sample = honest(work, plan);
        stop.store(true, Ordering::Relaxed);
        let counts = attacker.join().map_err(|_| "the slow connections failed")?.report();
        let most_memory = watcher.join().map_err(|_| "the reader of the memory failed")?;
        Ok(Beside { sample, counts, most_memory })
    })
}

fn memory(pid: Option<u32>) -> Option<f64> {
    Some(rounded(Process::read(pid?)?.memory))
}
