//! llama.cpp's log, which alone says why something failed.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::io::Write as _;

use llama_cpp_sys_2 as sys;

thread_local! {
    /// llama.cpp's first complaint on this thread. Its log alone says why something failed.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps an error that llama.cpp logs.
pub extern "C" fn keep(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() || level != sys::GGML_LOG_LEVEL_ERROR {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    COMPLAINT.with_borrow_mut(|complaint| {
        // The first complaint is the cause, what follows only passes it on.
        if complaint.is_empty() {
            text.trim().clone_into(complaint);
        }
    });
}

/// Says why llama.cpp is about to end the process. Left to itself it would also run a debugger, which writes to stdout.
pub extern "C" fn last_words(message: *const c_char) {
    // SAFETY: ggml passes a NUL-terminated string that lives for this call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let _ = writeln!(std::io::stderr(), "error: llama.cpp ends the process: {message}");
}

/// Forgets earlier complaints on this thread.
pub fn forget_log() {
    COMPLAINT.with_borrow_mut(String::clear);
}

/// Returns llama.cpp's complaint since it was last asked, else `otherwise`.
pub fn said(otherwise: &str) -> String {
    let complaint = COMPLAINT.take();
    if complaint.is_empty() { otherwise.to_owned() } else { complaint }
}
