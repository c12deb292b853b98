//! How long threads that compute wait for one another before they sleep.
//!
//! The one idea: OpenMP reads it from a variable when the program is loaded, before any of our code runs. So the program
//! chooses a value, sets the variable and starts itself again, before it has read or written anything. Whoever has set a
//! variable keeps it.
//!
//! ggml lets threads wait at each operation. By default GNU OpenMP spins for milliseconds there. On a quiet machine that
//! is the fastest; beside other programs it keeps the late thread from its core. BENCHMARKS.md has the figures.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use magistrate::machine::processors::{self, Processors};

/// Spins on a machine whose cores are free: the late thread is late by microseconds.
const QUIET: u32 = 10_000;
/// Spins where other programs want the same cores: the late thread may have to wait for a core, so others sleep.
const BUSY: u32 = 100;

/// The variable of GNU OpenMP that holds the count.
const SPINS: &str = "GOMP_SPINCOUNT";
/// The variable of all OpenMP libraries that asks for spinning or for sleeping.
const POLICY: &str = "OMP_WAIT_POLICY";
/// The variable that tells a program started again, and what it starts, that the count is our choice.
const CHOSEN: &str = "MAGISTRATE_SPINCOUNT_CHOSEN";

/// Starts the program again with a wait that fits the load of the machine, unless a variable says how to wait. On a busy
/// machine it looks for as long as `patience` before it believes so.
///
/// If that fails, the program goes on as it is, which is only slower.
pub fn settle(patience: Duration) {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !cfg!(target_os = "linux") || set(SPINS) || set(POLICY) {
        return;
    }
    let busy = processors::busy(Path::new("/"), &Processors::here(), patience);
    let spins = if busy { BUSY } else { QUIET };
    #[cfg(unix)]
    if let Ok(program) = std::env::current_exe() {
        use std::os::unix::process::CommandExt;
        let mut again = Command::new(program);
        let mut words = std::env::args_os();
        if let Some(name) = words.next() {
            again.arg0(name);
        }
        let _ = again.args(words).env(SPINS, spins.to_string()).env(CHOSEN, "1").exec();
    }
}

/// Lets a program that is about to be started choose for itself: our own choice may be old.
pub fn leave_to(program: &mut Command) {
    if std::env::var_os(CHOSEN).is_some() {
        program.env_remove(SPINS).env_remove(CHOSEN);
    }
}

/// Describes the wait and the reason for it, for `doctor`.
pub fn described() -> String {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable(SPINS), variable(POLICY)) {
        (Some(spins), _) if variable(CHOSEN).is_some() => {
            let why =
                if spins == BUSY.to_string() { "other programs want the same cores" } else { "the cores are free" };
            format!("they spin {spins} times before they sleep, as {why}")
        }
        (Some(spins), _) => format!("they spin {spins} times before they sleep, as {SPINS} says"),
        (None, Some(policy)) => format!("they wait as {POLICY}={policy} says"),
        (None, None) => "they wait as the OpenMP library has it".to_owned(),
    }
}
