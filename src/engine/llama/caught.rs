//! Calls into llama.cpp that may throw.
//!
//! Functions that may unwind are declared as `C-unwind`, and C++ code runs each call and catches its exceptions.

use std::ffi::{CStr, c_char, c_void};

use llama_cpp_sys_2 as sys;

// The functions of llama.cpp that allocate, under the names and types of the binding.
unsafe extern "C-unwind" {
    pub fn llama_model_load_from_file(path: *const c_char, params: sys::llama_model_params) -> *mut sys::llama_model;
    pub fn llama_init_from_model(
        model: *mut sys::llama_model,
        params: sys::llama_context_params,
    ) -> *mut sys::llama_context;
    pub fn llama_decode(context: *mut sys::llama_context, batch: sys::llama_batch) -> i32;
    pub fn llama_memory_seq_cp(
        memory: sys::llama_memory_t,
        from: sys::llama_seq_id,
        to: sys::llama_seq_id,
        first: sys::llama_pos,
        last: sys::llama_pos,
    );
    pub fn llama_memory_seq_rm(
        memory: sys::llama_memory_t,
        seq: sys::llama_seq_id,
        first: sys::llama_pos,
        last: sys::llama_pos,
    ) -> bool;
    pub fn llama_state_seq_get_size_ext(context: *mut sys::llama_context, seq: sys::llama_seq_id, flags: u32) -> usize;
    pub fn llama_state_seq_get_data_ext(
        context: *mut sys::llama_context,
        to: *mut u8,
        size: usize,
        seq: sys::llama_seq_id,
        flags: u32,
    ) -> usize;
    pub fn llama_state_seq_set_data_ext(
        context: *mut sys::llama_context,
        from: *const u8,
        size: usize,
        seq: sys::llama_seq_id,
        flags: u32,
    ) -> usize;
    #[cfg(test)]
    fn magistrate_throw(text: *const c_char);
}

unsafe extern "C" {
    fn magistrate_caught(
        call: unsafe extern "C-unwind" fn(*mut c_void),
        data: *mut c_void,
        message: *mut c_char,
        room: usize,
    ) -> bool;
}

/// Runs a call into llama.cpp. An exception becomes an error with the exception's text.
///
/// The call must not panic: C++ would catch the panic.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    struct Errand<Call, T> {
        call: Option<Call>,
        done: Option<T>,
    }
    unsafe extern "C-unwind" fn run<Call: FnOnce() -> T, T>(data: *mut c_void) {
        // SAFETY: `caught` passes a pointer to an errand of these types, which outlives the call and has no other user.
        let errand = unsafe { &mut *data.cast::<Errand<Call, T>>() };
        errand.done = errand.call.take().map(|call| call());
    }
    fn through<Call: FnOnce() -> T, T>(errand: &mut Errand<Call, T>, message: &mut [c_char]) -> bool {
        let data = std::ptr::from_mut(errand).cast::<c_void>();
        // SAFETY: `run` gets the errand that it expects, and the length is that of the buffer.
        unsafe { magistrate_caught(run::<Call, T>, data, message.as_mut_ptr(), message.len()) }
    }
    let mut errand = Errand { call: Some(call), done: None };
    let mut message = [0; 256];
    match (through(&mut errand, &mut message), errand.done) {
        (false, Some(done)) => Ok(done),
        _ => {
            // SAFETY: the array ends with a NUL at the latest.
            let message = unsafe { CStr::from_ptr(message.as_ptr()) };
            Err(format!("llama.cpp failed: {}", message.to_string_lossy()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_thrown_is_an_error_in_its_own_words() {
        assert_eq!(caught(|| 6 * 7), Ok(42));
        let dropped = std::rc::Rc::new(());
        let held = std::rc::Rc::clone(&dropped);
        let thrown = caught(move || {
            // SAFETY: the text lives forever. The function copies it and throws.
            unsafe { magistrate_throw(c"out of \xF0\x9F\x98\x80 memory".as_ptr()) }
            drop(held);
        });
        assert_eq!(thrown, Err("llama.cpp failed: out of \u{1F600} memory".to_owned()));
        assert_eq!(std::rc::Rc::strong_count(&dropped), 1, "what the call held is dropped");
    }
}
