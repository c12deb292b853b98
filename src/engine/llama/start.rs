//! The start of llama.cpp: its callbacks, and where they are libraries its backends.

#[cfg(feature = "dynamic-backends")]
use std::ffi::CString;
use std::sync::OnceLock;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;

use super::log::{keep, last_words};
use crate::engine::EngineError;

/// Returns llama.cpp's own state, which is made once for each process.
pub fn initialized() -> Result<&'static LlamaBackend, EngineError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            // SAFETY: the callbacks are plain functions that live for ever and take no user data.
            unsafe {
                sys::llama_log_set(Some(keep), std::ptr::null_mut());
                sys::ggml_set_abort_callback(Some(last_words));
            }
            #[cfg(feature = "dynamic-backends")]
            load_backends()?;
            LlamaBackend::init().map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(|error| EngineError::Start(error.clone()))
}

/// Loads the best backend of each kind for this machine. llama.cpp left to itself would look in the current folder, too, and
/// run what somebody put there.
#[cfg(feature = "dynamic-backends")]
fn load_backends() -> Result<(), String> {
    let folder = backends_folder();
    let path = folder.to_str().and_then(|path| CString::new(path).ok());
    let path = path.ok_or_else(|| format!("{}: its path cannot be given to llama.cpp", folder.display()))?;
    // SAFETY: `path` is NUL-terminated and outlives the call; counting takes nothing.
    let count = unsafe {
        sys::ggml_backend_load_all_from_path(path.as_ptr());
        sys::ggml_backend_reg_count()
    };
    if count == 0 {
        return Err(format!(
            "{}: there is no backend for this CPU\nhint: put the folder `backends` beside the program, or name it in {}",
            folder.display(),
            BACKENDS
        ));
    }
    Ok(())
}

/// The environment variable that names the folder of llama.cpp's backends, where they are libraries.
#[cfg(feature = "dynamic-backends")]
const BACKENDS: &str = "MAGISTRATE_BACKENDS";

/// Returns the folder of llama.cpp's backends: as [`BACKENDS`] says, else beside the program, else where they were built.
#[cfg(feature = "dynamic-backends")]
fn backends_folder() -> std::path::PathBuf {
    if let Some(named) = std::env::var_os(BACKENDS).filter(|path| !path.is_empty()) {
        return named.into();
    }
    let program = std::env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    let beside = program.with_file_name("backends");
    if beside.is_dir() { beside } else { env!("MAGISTRATE_BUILT_BACKENDS").into() }
}
