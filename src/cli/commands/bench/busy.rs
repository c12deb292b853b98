//! `bench --busy`: the same measurement on a busy machine.
//!
//! The one idea: the other programs are processes that run before the measurement starts. The measurement is a process
//! of its own, too, and meets them like any other program.

use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::process;
use crate::cli::terminal::{ending, exit};
use crate::cli::waiting;

/// Runs this command line again without `--busy`, beside `count` processes that compute.
///
/// # Errors
///
/// When a process cannot be started.
pub fn beside(count: usize) -> Result<ExitCode, anyhow::Error> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let words = process::words()?;
    let start = || Command::new(&program).args(["bench", "--compute"]).stdin(Stdio::piped()).spawn().map(Other);
    let _others = (0..count).map(|_| start()).collect::<Result<Vec<_>, _>>().context("no process can be started")?;
    // The others need a moment until they compute.
    std::thread::sleep(Duration::from_millis(100));
    let mut measurement = Command::new(&program);
    waiting::leave_to(&mut measurement);
    let done = measurement.args(without(words)).status().context("no process can be started")?;
    let code = done.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::ERROR);
    Ok(ExitCode::from(code))
}

/// Returns the words of a command line without `--busy` and its number.
fn without(words: Vec<String>) -> Vec<String> {
    let mut rest = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--busy" => drop(words.next()),
            one if one.starts_with("--busy=") => {}
            _ => rest.push(word),
        }
    }
    rest
}

/// A process that computes. Dropping it ends it.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Computes until stdin is closed, which happens when the parent process ends.
pub fn compute() -> ! {
    let computing = std::thread::Builder::new().spawn(|| {
        let mut sum = 1_u64;
        loop {
            sum = std::hint::black_box(sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    });
    if computing.is_err() {
        ending::exit(exit::ERROR);
    }
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    ending::exit(exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_beside_others_has_the_same_flags_but_busy() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(without(words("bench --busy 2 --items 8")), words("bench --items 8"));
        assert_eq!(without(words("bench --json --busy=2")), words("bench --json"));
    }
}
