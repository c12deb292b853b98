//! `soak`: a long run, in which the server's memory must not grow.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Report;
use crate::client::work_until;
use crate::figures::{Process, rounded};
use crate::flags::Flags;
use crate::work::Work;

/// Readings of the server's process, and the requests between them.
struct Reading {
    seconds: f64,
    process: Process,
    answered: u64,
}

/// Lets clients work, and reads the server's memory at regular times.
pub fn run(mut flags: Flags) -> Result<Report, String> {
    let work = Work::new(&mut flags)?;
    let seconds = flags.value("seconds", 1200.0)?;
    let clients = flags.value("clients", 8)?;
    let every = flags.value("every", 10.0)?;
    let from = flags.value("from", 120.0)?;
    let most_growth = flags.value("most-growth", 20.0)?;
    let pid: u32 = flags.optional("pid")?.ok_or("--pid is missing")?;
    flags.end()?;
    Process::read(pid).ok_or_else(|| format!("the memory of process {pid} cannot be read"))?;

    let (answered, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let failures = Mutex::new(BTreeMap::<String, u64>::new());
    let count = |answer: Result<u64, String>| match answer {
        Ok(_) => {
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Err(why) => *failures.lock().expect("no client panics").entry(why).or_default() += 1,
    };
    let readings = thread::scope(|scope| {
        scope.spawn(|| work_until(&work, clients, &stop, &count));
        let readings = watch(pid, seconds, every, &answered);
        stop.store(true, Ordering::Relaxed);
        readings
    });

    let held: Vec<&Reading> = readings.iter().filter(|reading| reading.seconds >= from).collect();
    let (first, last) = held.first().zip(held.last()).ok_or("the run is shorter than --from")?;
    let most = held.iter().map(|reading| reading.process.memory).fold(0.0, f64::max);
    let growth = most - first.process.memory;
    let failures = failures.into_inner().expect("no client panics");
    let is_whole = last.seconds + every >= seconds;
    let holds = is_whole && growth <= most_growth && failures.is_empty() && rate(first, last) > 0.0;
    let figures = json!({
        "seconds": rounded(last.seconds), "requests": last.answered, "failures": failures,
        "requests_per_s": rounded(rate(first, last)),
        "memory_mb": {
            "from": rounded(first.process.memory), "most_after": rounded(most), "end": rounded(last.process.memory),
            "growth": rounded(growth),
        },
        "readings": readings.windows(2).map(report).collect::<Vec<_>>(),
        "server_ended": !is_whole, "holds": holds,
    });
    Ok(Report { figures, holds })
}

/// Reads the process until the time is over, or until the process ends.
fn watch(pid: u32, seconds: f64, every: f64, answered: &AtomicU64) -> Vec<Reading> {
    let begun = Instant::now();
    let mut readings = Vec::new();
    let mut next = 0.0;
    loop {
        let now = begun.elapsed().as_secs_f64();
        let Some(process) = Process::read(pid) else { return readings };
        readings.push(Reading { seconds: now, process, answered: answered.load(Ordering::Relaxed) });
        if now >= seconds {
            return readings;
        }
        next += every;
        thread::sleep(Duration::from_secs_f64((next - begun.elapsed().as_secs_f64()).max(0.0)));
    }
}

/// Returns the requests a second between two readings.
#[allow(clippy::cast_precision_loss, reason = "few requests")]
fn rate(earlier: &Reading, later: &Reading) -> f64 {
    (later.answered - earlier.answered) as f64 / (later.seconds - earlier.seconds).max(f64::EPSILON)
}

fn report(pair: &[Reading]) -> serde_json::Value {
    let (earlier, later) = (&pair[0], &pair[1]);
    let mut report = later.process.report();
    report["second"] = rounded(later.seconds).into();
    report["requests_per_s"] = rounded(rate(earlier, later)).into();
    report
}
