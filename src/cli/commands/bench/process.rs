//! Benchmarks in processes of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;
use serde::Deserialize;

use crate::cli::waiting;

/// Returns the words of the command line, behind the program's name.
pub fn words() -> Result<Vec<String>, anyhow::Error> {
    let words: Option<_> = std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect();
    words.context("a flag is not UTF-8")
}

/// Returns a rate with enough digits to compare it, also if an item takes a minute.
pub fn per_second(rate: f64) -> String {
    if rate < 1.0 { format!("{rate:.4}") } else { format!("{rate:.2}") }
}

#[derive(Deserialize)]
struct Rate {
    items_per_s: f64,
}

/// Runs a benchmark in another process, and returns its items per second.
pub fn rate(flags: &[String]) -> Result<f64, anyhow::Error> {
    let program: PathBuf = std::env::current_exe().context("this program does not know where it is")?;
    // The last value of a flag counts. The flags of a comparison are left out, or the process would compare again.
    let mut alone = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--versus" | "--pairs" => drop(flags.next()),
            "--tune" | "--json" => {}
            other if other.starts_with("--versus=") || other.starts_with("--pairs=") => {}
            _ => alone.push(flag),
        }
    }
    let mut program = Command::new(program);
    waiting::leave_to(&mut program);
    let done = program.args(alone).arg("--json").stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(done.status.success(), "a run with these flags failed");
    let Rate { items_per_s } = serde_json::from_slice(&done.stdout).context("a run printed no report")?;
    Ok(items_per_s)
}
