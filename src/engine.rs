//! The engine: a model in memory, and sessions that judge contents with it.
//!
//! A policy is decoded once. A [`Session`] pins the policy's prefix in the KV cache; each content forks that sequence,
//! adds its own few tokens, and is cleared when it is judged.
//!
//! From the foot up: [`backend`] is the interface to llama.cpp, and `llama` the only file group that implements it.
//! `item` decodes one content, [`schedule`] many at once. The worker loop runs a schedule on a thread of its own.
//! [`Engine`] and [`Session`] send it requests. [`memory_plan`] chooses the settings with which a model fits.

pub mod backend;
mod branch;
mod completion;
mod config;
#[doc(hidden)]
pub mod decode_plan;
mod error;
mod handle;
mod item;
#[doc(hidden)]
pub mod kernels;
#[doc(hidden)]
#[cfg(feature = "llama")]
pub mod llama;
#[doc(hidden)]
pub mod memory_plan;
#[doc(hidden)]
pub mod observed;
mod prefixes;
mod queue;
mod reading;
pub mod remote;
mod sample;
#[doc(hidden)]
pub mod schedule;
mod scoring;
pub mod scripted;
mod sequence;
mod session;
mod store;
#[doc(hidden)]
pub mod tune;
mod turn;
mod worker;

pub use backend::Layout;
pub use completion::{Cascade, Completion, Reasoning, ReasoningEnd, Usage};
pub use config::{Band, CacheType, EngineConfig, FlashAttention, Kernels, Mode, Sampling, SessionOptions};
pub use error::EngineError;
pub use handle::{Engine, Progress};

pub use prefixes::{Beginning, Store, Window};
pub use session::{Abandoned, Pending, Plan, Session};
pub use store::llama_version;
