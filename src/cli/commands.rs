//! The verbs, one file each. No verb uses another.

pub mod bench;
pub mod cache;
pub mod calibrate;
pub mod check;
pub mod completions;
pub mod config;
#[cfg(unix)]
pub mod daemon;
pub mod dev;
pub mod doctor;
pub mod eval;
pub mod label;
pub mod man;
pub mod merge;
pub mod model;
pub mod policy;
pub mod prompt;
pub mod review;
#[cfg(feature = "serve")]
pub mod serve;
pub mod verify;
pub mod warm;
pub mod worker;
