//! A handler for SIGBUS: the kernel sends it to a thread that reads beyond the new end of a mapped file that was cut.
//!
//! `unsafe` is needed because no safe wrapper reads a signal's address.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::raw::{end, handle, write_stderr};
use crate::cli::terminal::output::tricky;

/// Rust's own handler, which reports stack overflows.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Set by the first thread that reports. Several threads may meet the same hole at once.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler.
pub fn watch() {
    let _ = BEFORE.set(handle(libc::SIGBUS, report));
}

extern "C" fn report(_: libc::c_int, about: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a siginfo of a SIGBUS, which has an address.
    let address = unsafe { (*about).si_addr() } as usize;
    let mut line = [0; 1024];
    if let Some(name) = File::open("/proc/self/maps").ok().and_then(|maps| mapped(maps, address, &mut line)) {
        if REPORTED.swap(true, Ordering::SeqCst) {
            loop {
                // SAFETY: it waits for a signal, which does no harm.
                unsafe { libc::pause() };
            }
        }
        write_stderr(b"error: ");
        for character in std::str::from_utf8(name).unwrap_or("a mapped file").chars() {
            let character = if tricky(character) { '?' } else { character };
            write_stderr(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        write_stderr(
            b": the file was cut or replaced while it was in use\n\
              hint: leave a model's file alone while it is used, then run the command again\n",
        );
        end();
    }
    // No file is mapped there. The earlier handler sees the signal when the instruction runs again.
    if let Some(before) = BEFORE.get() {
        // SAFETY: the action came from the kernel.
        unsafe { libc::sigaction(libc::SIGBUS, before, std::ptr::null_mut()) };
    }
}

/// Finds the file that is mapped at an address, in the lines of `/proc/self/maps`. It allocates nothing: each line
/// is read into `line`, and a longer one is cut.
fn mapped(mut maps: impl Read, address: usize, line: &mut [u8]) -> Option<&[u8]> {
    let mut length = 0;
    let mut piece = [0; 512];
    while let Ok(read @ 1..) = maps.read(&mut piece) {
        for &byte in &piece[..read] {
            if byte != b'\n' {
                if let Some(place) = line.get_mut(length) {
                    (*place, length) = (byte, length + 1);
                }
            } else if let Some(start) = name_at(&line[..length], address) {
                return Some(&line[start..length]);
            } else {
                length = 0;
            }
        }
    }
    None
}

/// Returns where the file's name begins in a line, if the line's range holds the address. A line is `from-to
/// permissions offset device inode /name`.
fn name_at(line: &[u8], address: usize) -> Option<usize> {
    let range = std::str::from_utf8(line.split(|&byte| byte == b' ').next()?).ok()?;
    let (from, to) = range.split_once('-')?;
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    let within = (number(from)?..number(to)?).contains(&address);
    line.iter().position(|&byte| byte == b'/').filter(|_| within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon\n\
        7f00-7f80 rw-p 00000000 00:00 0 \n\
        7f80-8000 r--s 00001000 08:02 99                         /models/my model.gguf\n\
        8000-9000 rw-p 00000000 00:00 0                          [stack]\n";

    #[test]
    fn a_mapped_file_is_found_by_an_address_in_it() {
        let found = |address| {
            let mut line = [0; 128];
            mapped(MAPS.as_bytes(), address, &mut line).map(|name| String::from_utf8(name.to_vec()).unwrap())
        };
        assert_eq!(found(0x0040_0000).unwrap(), "/usr/bin/dbus-daemon");
        assert_eq!(found(0x7f80).unwrap(), "/models/my model.gguf");
        assert_eq!(found(0x7fff).unwrap(), "/models/my model.gguf");
        for nothing in [0, 0x7f00, 0x8000, 0x8fff, usize::MAX] {
            assert_eq!(found(nothing), None, "{nothing:x}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_cut() {
        let maps = format!("10-20 r--s 0 08:02 99 /{}\n", "a".repeat(100));
        let mut line = [0; 32];
        assert_eq!(mapped(maps.as_bytes(), 0x10, &mut line).unwrap(), b"/aaaaaaaaa");
    }
}
