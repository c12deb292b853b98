//! SIGINT and SIGTERM: the first asks a run to end, the second ends the process at once. Each is answered on stderr.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::ending::interrupts::{self, Watched};

/// The line after a stop where the finished rows are kept.
pub const SAVED: &str = "Progress is saved. Run the same command again to continue.";

/// A stop that signals ask for.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Set by the first signal.
    pub flag: Arc<AtomicBool>,
    /// The number of texts that are being judged. A run sets it, and the answer to a signal shows it.
    pub at_work: Arc<AtomicUsize>,
}

impl Stop {
    /// Returns a stop that no signal asks for.
    pub fn never() -> Self {
        Self { flag: Arc::default(), at_work: Arc::default() }
    }

    /// Reports whether a stop was asked for.
    pub fn is_asked(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }
}

/// Returns a stop that the first signal asks for. `keeps`: a run that ends at once loses nothing that was finished.
pub fn on_signal(keeps: bool) -> Result<Stop, anyhow::Error> {
    let stop = Stop::never();
    watch(&stop, if keeps { SAVED } else { "stopped" }, interrupts::watch)?;
    Ok(stop)
}

/// Ends the process at the first signal, with the bar removed. For work that cannot be continued.
pub fn at_once() -> Result<(), anyhow::Error> {
    watch(&Stop::never(), "stopped: nothing was measured", interrupts::end_at_once)
}

/// Returns a flag that the first signal sets, without a line. For work that ends at once and loses nothing.
pub fn quietly() -> Result<Arc<AtomicBool>, anyhow::Error> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag not set, and sets it.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .context("signals cannot be caught")?;
    }
    Ok(flag)
}

fn watch(
    stop: &Stop,
    last: &'static str,
    handle: fn(i32, Watched) -> std::io::Result<()>,
) -> Result<(), anyhow::Error> {
    let terminal = std::io::stderr().is_terminal();
    for signal in [SIGINT, SIGTERM] {
        let Stop { flag, at_work } = stop.clone();
        handle(signal, Watched { stop: flag, at_work, terminal, last }).context("signals cannot be caught")?;
    }
    Ok(())
}
