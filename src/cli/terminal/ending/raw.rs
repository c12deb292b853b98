//! Calls of the system that are allowed in a signal handler: output without a lock, and the end of the process.
//!
//! `unsafe` is needed because the standard library has no safe form of them.
#![allow(unsafe_code)]

#[cfg(unix)]
use std::mem::MaybeUninit;

#[cfg(unix)]
use crate::cli::terminal::exit;

/// Writes to stderr without a lock or an allocation.
pub fn write_stderr(text: &[u8]) {
    // SAFETY: the pointer and the length are those of a slice. A failed write is ignored.
    #[allow(clippy::cast_possible_truncation, reason = "the length is an usize on Unix and an int on Windows")]
    let _ = unsafe { libc::write(2, text.as_ptr().cast(), text.len() as _) };
}

/// A signal handler.
#[cfg(unix)]
pub type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs a handler, and returns the one before it.
#[cfg(unix)]
pub fn handle(signal: libc::c_int, handler: Handler) -> libc::sigaction {
    let mut before = MaybeUninit::zeroed();
    // SAFETY: all bytes zero are a valid sigaction, and the handler has the signature that SA_SIGINFO asks for.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(signal, &raw const action, before.as_mut_ptr());
        before.assume_init()
    }
}

/// Ends the process with code 2.
#[cfg(unix)]
pub fn end() -> ! {
    // SAFETY: it ends the process, and runs nothing of ours.
    unsafe { libc::_exit(exit::ERROR.into()) }
}
