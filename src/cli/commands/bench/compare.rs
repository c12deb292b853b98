//! `bench --versus`: two sets of flags, compared in pairs of runs.

use std::process::ExitCode;

use serde::Serialize;

use super::flags::BenchFlags;
use super::process::{per_second, rate, words};
use crate::cli::terminal::{exit, output};

/// Runs both in turn. Each has a process of its own, so that neither profits from the other's memory.
pub fn run(flags: &BenchFlags, others: &str) -> Result<ExitCode, anyhow::Error> {
    let one = words()?;
    // The last value of a flag counts, so the other flags come last.
    let two: Vec<String> = one.iter().cloned().chain(others.split_whitespace().map(str::to_owned)).collect();
    let mut pairs = Vec::new();
    for _ in 0..flags.pairs {
        let (one, two) = (rate(&one)?, rate(&two)?);
        pairs.push(Pair { one, two, ratio: two / one });
        if !flags.json {
            let (first, second) = (per_second(one), per_second(two));
            output::print(&format!("{first} items/s, with {others} {second}: {:.2} times\n", two / one))?;
        }
    }
    if flags.json {
        output::data(&format!("{}\n", serde_json::to_string(&pairs)?))?;
    }
    Ok(ExitCode::from(exit::DONE))
}

#[derive(Serialize)]
struct Pair {
    one: f64,
    two: f64,
    ratio: f64,
}
