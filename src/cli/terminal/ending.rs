//! The end of the process: by the program itself, or with code 2.
//!
//! The one idea: an exit code of 0 or 1 is a verdict, so only [`leave`] and [`exit`] give one. Every other end has code
//! 2: a C library that calls `exit(1)`, a panic, a model file cut during its use.
//!
//! `unsafe` is needed because no safe wrapper registers an `atexit` function or reads a signal's address.
#![allow(unsafe_code)]

pub mod interrupts;
mod raw;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod truncation;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use self::raw::write_stderr;
use super::exit;

/// Set once the program ends by its own word.
static OWN_WORD: AtomicBool = AtomicBool::new(false);

/// Runs the command, and returns its exit code. A panic in it becomes code 2.
pub fn guarded(command: impl FnOnce() -> ExitCode) -> ExitCode {
    // SAFETY: `unasked` is a function that takes nothing and lives for ever. If it cannot be registered, exit codes of
    // libraries come through unchanged.
    unsafe { libc::atexit(unasked) };
    #[cfg(unix)]
    signals::watch();
    let code = catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        // The panic message has the reason and the place.
        write_stderr(b"error: magistrate failed. This is a fault of its own: please report it\n");
        ExitCode::from(exit::ERROR)
    });
    leave(code)
}

/// Marks a code as the program's own word, to be returned from `main`.
fn leave(code: ExitCode) -> ExitCode {
    OWN_WORD.store(true, Ordering::SeqCst);
    code
}

/// Ends the process with this code.
pub fn exit(code: u8) -> ! {
    OWN_WORD.store(true, Ordering::SeqCst);
    std::process::exit(code.into())
}

/// Runs at the end of the process. Turns an end that the program did not ask for into code 2.
extern "C" fn unasked() {
    if OWN_WORD.load(Ordering::SeqCst) {
        return;
    }
    write_stderr(
        b"error: a library ended the process before it was done\n\
          hint: threads or memory are short; see the line above, and try --threads 1\n",
    );
    // SAFETY: it ends the process, and runs nothing of ours.
    unsafe { libc::_exit(exit::ERROR.into()) }
}
