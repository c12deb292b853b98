//! Figures of a sample, and figures that the system keeps about a process.

use std::fs;

use serde_json::{Value, json};

/// Times in nanoseconds, in ascending order.
pub struct Times(Vec<u64>);

impl Times {
    /// Sorts times.
    pub fn new(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Returns the number of times.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the smallest time that at least a share of all times does not exceed, in milliseconds. `None` without times.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few times"
    )]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.max(1) - 1).map(|&time| time as f64 / 1e6)
    }

    /// Returns the mean in milliseconds. `None` without times.
    #[allow(clippy::cast_precision_loss, reason = "few times")]
    pub fn mean(&self) -> Option<f64> {
        let sum: u64 = self.0.iter().sum();
        (!self.0.is_empty()).then(|| sum as f64 / 1e6 / self.0.len() as f64)
    }

    /// Returns the usual figures, in milliseconds.
    pub fn summary(&self) -> Value {
        let figure = |share| self.quantile(share).map(rounded);
        json!({
            "mean_ms": self.mean().map(rounded),
            "p50_ms": figure(0.5),
            "p95_ms": figure(0.95),
            "p99_ms": figure(0.99),
            "most_ms": figure(1.0),
        })
    }
}

/// Returns a figure with four digits that count.
#[allow(clippy::cast_possible_truncation, reason = "an exponent is small")]
pub fn rounded(figure: f64) -> f64 {
    if figure == 0.0 || !figure.is_finite() {
        return figure;
    }
    let scale = 10f64.powi(3 - figure.abs().log10().floor() as i32);
    (figure * scale).round() / scale
}

/// Returns the middle one of some figures, the lower one of two.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied()
}

/// The state of a process.
pub struct Process {
    /// Resident memory in MB of a million bytes.
    pub memory: f64,
    pub threads: u64,
    /// Open files and sockets. `None` if the system refuses to list them.
    pub files: Option<usize>,
}

impl Process {
    /// Reads the state of a process. Only Linux reports it.
    pub fn read(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
        #[allow(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
        let memory = (number("VmRSS:")? * 1024) as f64 / 1e6;
        Some(Self { memory, threads: number("Threads:")?, files })
    }

    /// Returns the state as JSON.
    pub fn report(&self) -> Value {
        json!({ "memory_mb": rounded(self.memory), "threads": self.threads, "files": self.files })
    }
}

/// Returns the seconds of processor time that this program has used. Only Linux reports it.
pub fn own_processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // The 14th and 15th field, in hundredths of a second.
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
