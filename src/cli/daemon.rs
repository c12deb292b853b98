//! A daemon's socket and protocol, and the client's side of it.
//!
//! The one idea: a check sends resolved values, and gets back the output that it would have written. So nothing can
//! differ but the time. A check that gets no answer judges by itself. A daemon serves one model, loaded in one way, and
//! both name its socket.

pub mod client;
pub mod peer;
pub mod protocol;
pub mod socket;
