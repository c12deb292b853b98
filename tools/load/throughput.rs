//! `throughput`: requests a second, and times, for some numbers of clients.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Report;
use crate::client::measure;
use crate::figures::{own_processor_seconds, rounded};
use crate::flags::Flags;
use crate::metrics::Metrics;
use crate::work::Work;

/// Measures each number of clients. Fails if a request failed.
pub fn run(mut flags: Flags) -> Result<Report, String> {
    let work = Work::new(&mut flags)?;
    let numbers: Vec<usize> = flags.list("clients", "1,8,64")?;
    let span = Duration::from_secs_f64(flags.value("seconds", 20.0)?);
    let warm_up = Duration::from_secs_f64(flags.value("warm-up", 3.0)?);
    let is_fresh = flags.value("fresh", false)?;
    flags.end()?;
    let (mut rows, mut holds) = (Vec::new(), true);
    for clients in numbers {
        let (own, earlier) = (own_processor_seconds(), Metrics::read(&work.target).ok());
        let sample = measure(&work, clients, warm_up, span, is_fresh);
        let mut row = sample.report();
        row["clients"] = clients.into();
        let own = own_processor_seconds().zip(own).map(|(now, before)| now - before);
        row["own_processor_share"] = own.map(|own| rounded(own / (warm_up + span).as_secs_f64())).into();
        let engine = earlier.and_then(|earlier| engine_mean(&Metrics::read(&work.target).ok()?, &earlier));
        row["engine_mean_ms"] = engine.map(rounded).into();
        // With several clients, texts wait for one another, and the difference is no overhead.
        let over = sample.whole_mean.zip(engine).filter(|_| clients == 1).map(|(whole, engine)| whole - engine);
        row["overhead_ms"] = over.map(rounded).into();
        holds &= sample.failed() == 0 && sample.times.count() > 0;
        rows.push(row);
    }
    Ok(Report { figures: json!({ "throughput": Value::Array(rows) }), holds })
}

/// Returns the mean time of a text in the engine, in milliseconds: the sum of its phases.
fn engine_mean(now: &Metrics, earlier: &Metrics) -> Option<f64> {
    let seconds: f64 = now.growth(earlier, "magistrate_item_seconds_sum", "phase").values().sum();
    let texts: f64 = now.growth(earlier, "magistrate_items_total", "verdict").values().sum();
    (texts > 0.0 && seconds > 0.0).then(|| seconds / texts * 1e3)
}
