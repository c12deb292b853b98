//! Remote engines: another program computes, on this machine or on another.
//!
//! Prompts, headers and the decision stay here; only the probabilities of tokens come from a server. A remote engine
//! takes its requests from the same queue as a worker of llama.cpp, so [`Session`](super::Session) and everything above
//! it is the same for both.
//!
//! Three levels say how much of that a server allows. At [`Level::Exact`] it reads our token ids and gives the
//! log-probabilities of the answers. At [`Level::Logprobs`] and [`Level::Chat`] it speaks in messages, with and without
//! them.

#[cfg(feature = "remote")]
mod chat;
#[cfg(feature = "remote")]
mod client;
#[cfg(feature = "remote")]
mod connect;
mod error;
#[cfg(feature = "remote")]
mod exact;
#[cfg(feature = "remote")]
mod guard;
#[cfg(feature = "remote")]
mod host;
mod server;

#[cfg(feature = "remote")]
pub use connect::Connection;
pub use error::RemoteError;
#[cfg(feature = "remote")]
pub(super) use host::serve;
pub use server::{Kind, Level, ROUNDING, RemoteKey, RemoteOptions, RemoteServer};
