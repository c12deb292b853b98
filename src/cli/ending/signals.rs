//! Handlers for crashes whose reason is known: SIGABRT, and SIGBUS after a mapped file was cut.
//!
//! A handler calls only what may be called there: it reads a file, writes to stderr and ends the process.

use std::mem::MaybeUninit;

use super::{exit, say};

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs the handlers.
pub fn watch() {
    handle(libc::SIGABRT, aborted);
    #[cfg(target_os = "linux")]
    cut::watch();
}

/// Installs a handler, and returns the one before it.
fn handle(signal: libc::c_int, handler: Handler) -> libc::sigaction {
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

fn end() -> ! {
    // SAFETY: it ends the process, and runs nothing of ours.
    unsafe { libc::_exit(exit::ERROR.into()) }
}

/// Ends the process after an abort: memory was refused, a C++ exception was not caught, or llama.cpp asserted. The
/// reason has been printed by then.
extern "C" fn aborted(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    say(b"error: magistrate had to stop; the line above says why\n\
          hint: if memory is short, try --parallel 1, a smaller --context or a smaller model\n");
    end()
}

/// A file that is cut while it is mapped. The kernel sends SIGBUS to a thread that reads beyond its new end.
#[cfg(target_os = "linux")]
mod cut {
    use std::fs::File;
    use std::io::Read;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{end, handle, say};
    use crate::cli::output::tricky;

    /// Rust's own handler, which reports stack overflows.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    /// Set by the first thread that reports. Several threads may meet the same hole at once.
    static TOLD: AtomicBool = AtomicBool::new(false);

    pub fn watch() {
        let _ = BEFORE.set(handle(libc::SIGBUS, told));
    }

    extern "C" fn told(_: libc::c_int, about: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel passes a siginfo of a SIGBUS, which has an address.
        let address = unsafe { (*about).si_addr() } as usize;
        let mut line = [0; 1024];
        if let Some(name) = File::open("/proc/self/maps").ok().and_then(|maps| mapped(maps, address, &mut line)) {
            if TOLD.swap(true, Ordering::SeqCst) {
                loop {
                    // SAFETY: it waits for a signal, which does no harm.
                    unsafe { libc::pause() };
                }
            }
            say(b"error: ");
            for character in std::str::from_utf8(name).unwrap_or("a mapped file").chars() {
                let character = if tricky(character) { '?' } else { character };
                say(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            say(b": the file was cut or replaced while it was in use\n\
                  hint: leave a model's file alone while it is used, then run the command again\n");
            end();
        }
        // No file is mapped there. The handler before ours sees the signal when the instruction is tried again.
        if let Some(before) = BEFORE.get() {
            // SAFETY: it is what the kernel gave us.
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
}
