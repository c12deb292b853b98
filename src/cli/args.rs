//! The flags that several verbs share, and the library's values that they resolve to.

pub mod check;
pub mod engine;
pub mod global;
pub mod golden;
pub mod input;
pub mod journal;
pub mod judging;
pub mod labels;
pub mod model;
pub mod new_file;
pub mod policy;
pub mod prompt;
#[cfg(feature = "remote")]
pub mod remote;
pub mod target;
pub mod text;
