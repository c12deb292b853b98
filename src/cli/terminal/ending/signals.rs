//! Handlers for crashes whose reason is known: SIGABRT, and SIGBUS after a mapped file was cut.
//!
//! A handler calls only functions that are safe in a handler: it reads a file, writes to stderr and ends the process.

use super::raw::{end, handle, write_stderr};
#[cfg(target_os = "linux")]
use super::truncation;

/// Installs the handlers.
pub fn watch() {
    handle(libc::SIGABRT, aborted);
    #[cfg(target_os = "linux")]
    truncation::watch();
}

/// Ends the process after an abort: memory was refused, a C++ exception was not caught, or llama.cpp asserted. The
/// reason has been printed by then.
extern "C" fn aborted(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    write_stderr(
        b"error: magistrate had to stop; the line above says why\n\
          hint: if memory is short, try --parallel 1, a smaller --context or a smaller model\n",
    );
    end()
}
