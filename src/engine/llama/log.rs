//! llama.cpp's log: the only source of reasons for a failure.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::io::Write as _;

use llama_cpp_sys_2 as sys;

thread_local! {
    /// llama.cpp's first error message on this thread.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the first error that llama.cpp logs.
pub extern "C" fn keep(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() || level != sys::GGML_LOG_LEVEL_ERROR {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    COMPLAINT.with_borrow_mut(|complaint| {
        // The first message is the cause. Later ones only report that a caller failed, too.
        if complaint.is_empty() {
            text.trim().clone_into(complaint);
        }
    });
}

/// Prints the reason before llama.cpp ends the process. llama.cpp by itself would also run a debugger, which writes to
/// stdout.
pub extern "C" fn last_words(message: *const c_char) {
    // SAFETY: ggml passes a NUL-terminated string that lives for this call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let _ = writeln!(std::io::stderr(), "error: llama.cpp ends the process: {message}");
}

/// Forgets earlier messages on this thread.
pub fn forget_log() {
    COMPLAINT.with_borrow_mut(String::clear);
}

/// Takes llama.cpp's first message since the log was last cleared. Returns `otherwise` if llama.cpp logged no error.
pub fn complaint(otherwise: &str) -> String {
    let message = COMPLAINT.take();
    if message.is_empty() { otherwise.to_owned() } else { message }
}
