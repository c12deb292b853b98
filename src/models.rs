//! Model files on this machine: finds them where other programs keep them, downloads them, and unpacks the built-in
//! one.

mod address;
mod error;
#[cfg(feature = "hub")]
pub mod fetch;
#[doc(hidden)]
#[cfg(feature = "nano")]
pub mod nano;
#[cfg(feature = "hub")]
pub mod pull;
pub mod stores;

pub use error::{FetchError, NanoError, PullError};
