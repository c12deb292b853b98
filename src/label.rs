//! Labeling many texts: records in, one row for each out.
//!
//! A record is read with all its columns, judged, and answered by exactly one row. This holds for damaged records, and
//! for runs that are killed and continued.

pub mod columns;
pub mod config;
pub mod entry;
pub mod export;
pub mod journal;
pub mod judge;
pub mod memo;
pub mod merge;
pub mod pieces;
pub mod records;
pub mod row;
pub mod run;
pub mod shard;
pub mod sink;
pub mod source;
pub mod summary;
pub mod survey;
pub mod unpack;
pub mod verify;
