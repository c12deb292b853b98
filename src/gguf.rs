//! GGUF files: reads a gpt-oss model file's header, checks it and describes the model, before llama.cpp sees it.
//!
//! llama.cpp answers a file that it cannot use with "no model", or with an abort of the process. So the whole header is
//! read here first. A file that llama.cpp would refuse is refused with a reason and a remedy.
//!
//! Nothing here loads a model, fetches one or estimates memory. The data of the tensors is not checked.

mod checks;
mod digest;
mod error;
mod ggml;
pub mod header;
mod inspect;
mod limits;
mod model;
mod parts;
mod published;
pub mod rewrite;
#[cfg(test)]
mod sample;
mod source;
mod tokenizer_json;
mod trained;
#[doc(hidden)]
pub mod value;
#[doc(hidden)]
pub mod write;

pub use checks::Shape;
pub use digest::sha256;
pub use error::{GgufError, ModelError, Problem};
pub use ggml::Type;
pub(crate) use inspect::kind;
pub use inspect::{Opened, inspect, tokenizer};
pub use model::{Block, Demonstration, ModelFile, Weights};
pub use published::published;
pub use trained::TRAINED_FOR;

#[cfg(test)]
mod tests;
