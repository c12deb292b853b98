//! Measurements: the speed of this machine, and the share of the time that llama.cpp takes.
//!
//! Work is counted in tokens, so any model will do, random weights included, and another program can get the same work.
//! It runs on the schedule that judges contents. The printing of the report is not known here.

mod report;
mod run;
mod work;

pub use report::Report;
pub use run::{Share, Shared};
pub use work::{Counts, Work};
