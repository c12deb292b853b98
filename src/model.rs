//! What a model file says about itself, read and checked before llama.cpp sees it.
//!
//! The one idea: llama.cpp answers a file that it does not like with "no model", or with an abort of the process. So all
//! that it would read of the header is read here first, and what it would refuse is refused with a reason and a remedy.
//!
//! Nothing here loads a model, fetches one, or knows the memory that it needs. The tensors' data is believed.

mod checks;
mod error;
#[cfg(feature = "hub")]
pub mod fetch;
mod ggml;
pub mod gguf;
mod inspect;
#[cfg(feature = "nano")]
pub mod nano;
mod parts;
#[cfg(feature = "hub")]
pub mod pull;
pub mod rewrite;
#[cfg(test)]
mod sample;
pub mod stores;
mod trained;

pub use checks::Shape;
pub use error::{ModelError, Problem};
pub use ggml::Type;
pub use inspect::{Block, Demonstration, ModelFile, Opened, Weights, inspect, sha256, tokenizer};
pub use trained::TRAINED_FOR;

#[cfg(test)]
mod tests;
