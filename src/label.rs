//! Many texts at once: records in, a row for each out.
//!
//! The one idea: a record costs only itself. It is read with everything that came with it, judged, and answered by
//! exactly one row, however damaged it is, and however often the run is killed on the way.

pub mod columns;
pub mod config;
pub mod entry;
pub mod export;
pub mod journal;
pub mod judge;
pub mod memo;
pub mod merge;
pub mod pieces;
pub mod plan;
pub mod records;
pub mod row;
pub mod run;
pub mod shard;
pub mod sink;
pub mod source;
pub mod summary;
mod unpack;
pub mod verify;
