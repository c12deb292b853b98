//! The start of llama.cpp: its callbacks, and its backends where those are libraries.

#[cfg(feature = "dynamic-backends")]
use std::ffi::CString;
use std::sync::OnceLock;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;

use super::log::{keep, last_words};
use crate::engine::error::EngineError;

/// Returns llama.cpp's global state, which is made once for each process.
///
/// # Errors
///
/// [`EngineError::Start`] or [`EngineError::NoBackend`], on every call the same.
pub fn initialized() -> Result<&'static LlamaBackend, EngineError> {
    static BACKEND: OnceLock<Result<LlamaBackend, StartError>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            // SAFETY: the callbacks are plain functions that live forever and take no user data.
            unsafe {
                sys::llama_log_set(Some(keep), std::ptr::null_mut());
                sys::ggml_set_abort_callback(Some(last_words));
            }
            #[cfg(feature = "dynamic-backends")]
            load_backends()?;
            super::operations::add_operations();
            LlamaBackend::init().map_err(|error| StartError::Failed(error.to_string()))
        })
        .as_ref()
        .map_err(StartError::to_engine)
}

/// The reason why llama.cpp does not start. It is kept for later calls. An [`EngineError`] could not be copied for
/// them.
enum StartError {
    Failed(String),
    #[cfg(feature = "dynamic-backends")]
    NoBackend(String),
}

impl StartError {
    fn to_engine(&self) -> EngineError {
        match self {
            Self::Failed(reason) => EngineError::Start(reason.clone()),
            #[cfg(feature = "dynamic-backends")]
            Self::NoBackend(folder) => EngineError::NoBackend { folder: folder.clone(), variable: BACKENDS },
        }
    }
}

/// Loads the best backend of each kind for this machine.
///
/// The folder is named explicitly. llama.cpp by itself would also look in the current folder, and run a library that
/// somebody else put there.
#[cfg(feature = "dynamic-backends")]
fn load_backends() -> Result<(), StartError> {
    let folder = backends_folder();
    let path = folder.to_str().and_then(|path| CString::new(path).ok());
    let path =
        path.ok_or_else(|| StartError::Failed(format!("{}: its path cannot be given to llama.cpp", folder.display())))?;
    // SAFETY: `path` is NUL-terminated and outlives the call. The count takes nothing.
    let count = unsafe {
        sys::ggml_backend_load_all_from_path(path.as_ptr());
        sys::ggml_backend_reg_count()
    };
    if count == 0 {
        return Err(StartError::NoBackend(folder.display().to_string()));
    }
    Ok(())
}

/// The environment variable that names the folder of llama.cpp's backends, where they are libraries.
#[cfg(feature = "dynamic-backends")]
const BACKENDS: &str = "MAGISTRATE_BACKENDS";

/// Returns the folder of llama.cpp's backends: the one in [`BACKENDS`], else `backends` beside the program, else
/// `lib/magistrate/backends` beside the program's folder, else the folder of the build.
#[cfg(feature = "dynamic-backends")]
fn backends_folder() -> std::path::PathBuf {
    if let Some(named) = std::env::var_os(BACKENDS).filter(|path| !path.is_empty()) {
        return named.into();
    }
    let program = std::env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    let installed = program.parent().map(|folder| folder.with_file_name("lib").join("magistrate/backends"));
    let places = [Some(program.with_file_name("backends")), installed];
    let found = places.into_iter().flatten().find(|folder| folder.is_dir());
    found.unwrap_or_else(|| env!("MAGISTRATE_BUILT_BACKENDS").into())
}
