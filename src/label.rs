//! Labeling many texts: records in, one row for each out.
//!
//! A record is read with all its columns, judged, and answered by exactly one row. This holds for damaged records, and
//! for runs that are killed and continued.

#[doc(hidden)]
pub mod about;
#[doc(hidden)]
pub mod anew;
#[doc(hidden)]
pub mod columns;
#[doc(hidden)]
pub mod config;
mod decode;
pub mod entry;
pub mod export;
#[doc(hidden)]
pub mod finished;
pub mod journal;
pub mod judge;
pub mod memo;
#[doc(hidden)]
pub mod merge;
#[doc(hidden)]
pub mod pieces;
#[doc(hidden)]
pub mod recall;
pub mod records;
#[doc(hidden)]
pub mod report;
pub mod row;
pub mod run;
#[doc(hidden)]
pub mod run_terms;
#[doc(hidden)]
pub mod shard;
pub mod sink;
pub mod source;
pub mod summary;
#[doc(hidden)]
pub mod survey;
#[doc(hidden)]
pub mod unpack;
#[doc(hidden)]
pub mod verify;
pub mod worker;
