//! The time that computing threads wait for one another before they sleep.
//!
//! The one idea: OpenMP reads it from a variable when the program is loaded, before our code runs. So the program sets
//! the variable and starts itself again, before it has read or written anything. A variable that the user has set is
//! kept.
//!
//! ggml's threads wait for one another at each operation. By default GNU OpenMP spins there for milliseconds. On a
//! quiet machine that is fastest. Beside other programs it keeps the late thread from its core. BENCHMARKS.md has the
//! figures.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use magistrate::machine::processors::{self, Processors};

/// Spins on a quiet machine, where a late thread is late by microseconds.
const QUIET: u32 = 10_000;
/// Spins on a busy machine, where a late thread may need the core on which another spins.
const BUSY: u32 = 100;

/// The variable of GNU OpenMP that holds the count.
const SPINS: &str = "GOMP_SPINCOUNT";
/// The variable of all OpenMP libraries that chooses between spinning and sleeping.
const POLICY: &str = "OMP_WAIT_POLICY";
/// The variable that marks the count as our choice, for the restarted program and those that it starts.
const CHOSEN: &str = "MAGISTRATE_SPINCOUNT_CHOSEN";

/// Starts the program again with a wait that fits the machine's load, unless a variable is set. The machine counts as
/// busy only if other programs compute for all of `patience`.
///
/// If that fails, the program continues without the change, only slower.
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
        // The program keeps the name by which it was called.
        let mut words = std::env::args_os();
        if let Some(name) = words.next() {
            again.arg0(name);
        }
        let _ = again.args(words).env(SPINS, spins.to_string()).env(CHOSEN, "1").exec();
    }
}

/// Removes our choice from a program that is about to start, so that it chooses for itself. Ours may be old.
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
        (Some(spins), _) => format!("they spin {spins} times before they sleep, as {SPINS} is set"),
        (None, Some(policy)) => format!("they wait as {POLICY}={policy} sets"),
        (None, None) => "they wait as the OpenMP library has it".to_owned(),
    }
}
