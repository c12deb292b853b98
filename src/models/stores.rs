//! Finds the models that other programs have fetched to this machine.
//!
//! A store is a layout of folders. A file in it is a model if its header is one of gpt-oss. Nothing is moved, copied or
//! fetched. The caller decides the places of the folders.

mod found;
mod layouts;
mod manifest;
mod names;
mod parts;
mod places;

pub use found::Found;
#[cfg(feature = "hub")]
pub(super) use manifest::{Layer, Manifest, OLLAMA_MODEL, is_hex};
pub use names::{named, spelled_out, to_be_had, word};
pub use parts::parts;
#[cfg(feature = "hub")]
pub(super) use parts::stem;
pub use places::Places;
