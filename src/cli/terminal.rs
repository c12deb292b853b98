//! The terminal: output, progress, errors, exit codes and the end of the process.

pub mod ending;
pub mod error;
pub mod exit;
pub mod load_plan;
pub mod manner;
pub mod output;
pub mod progress;
pub mod row;
pub mod stop;
pub mod summary;
pub mod units;
