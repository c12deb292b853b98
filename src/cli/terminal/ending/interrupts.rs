//! Handlers for SIGINT and SIGTERM, which answer on stderr at once.
//!
//! A handler may interrupt any code, so it reads atomics, writes to stderr and ends the process, and does no more.
//! `unsafe` is needed because a handler that did more would be undefined behavior.
#![allow(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::low_level::{emulate_default_handler, register};

use super::raw::write_stderr;

/// The values that a handler reads.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Set by the first signal.
    pub stop: Arc<AtomicBool>,
    /// The number of texts that are being judged.
    pub at_work: Arc<AtomicUsize>,
    /// True if stderr is a terminal, where a bar may stand on the last line.
    pub terminal: bool,
    /// The last line before the second signal ends the process.
    pub last: &'static str,
}

/// Answers a signal: the first asks for a stop, and the second ends the process.
pub fn watch(signal: i32, watched: Watched) -> io::Result<()> {
    // SAFETY: `answer` calls only functions that are safe in a handler. It neither allocates nor locks.
    unsafe { register(signal, move || answer(signal, &watched)) }.map(|_| ())
}

/// Ends the process at the first signal, after a last line.
pub fn end_at_once(signal: i32, watched: Watched) -> io::Result<()> {
    watched.stop.store(true, Ordering::SeqCst);
    watch(signal, watched)
}

fn answer(signal: i32, watched: &Watched) {
    let Watched { stop, at_work, terminal, last } = watched;
    if *terminal {
        // The bar on this line is removed.
        write_stderr(b"\r\x1b[2K");
    }
    if stop.swap(true, Ordering::SeqCst) {
        if !last.is_empty() {
            write_stderr(last.as_bytes());
            write_stderr(b"\n");
        }
        let _ = emulate_default_handler(signal);
        return;
    }
    write_stderr(b"stopping");
    let texts = at_work.load(Ordering::SeqCst);
    if texts > 0 {
        let mut digits = [0; 20];
        write_stderr(b": finishing ");
        write_stderr(decimal(texts, &mut digits));
        write_stderr(if texts == 1 { b" text" } else { b" texts" });
    }
    write_stderr(b" (Ctrl-C again to stop now)\n");
}

/// Writes a number into a buffer, without an allocation.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        #[allow(clippy::cast_possible_truncation, reason = "a digit")]
        let digit = (number % 10) as u8;
        digits[at] = b'0' + digit;
        number /= 10;
        if number == 0 || at == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn a_number_is_written_without_an_allocation() {
        for number in [0, 8, 10, 12_345, usize::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
