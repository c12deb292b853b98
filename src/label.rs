//! Many texts at once: records in, a row for each out.
//!
//! The one idea: a record costs only itself. It is read with everything that came with it, judged, and answered by
//! exactly one row, however damaged it is.

pub mod columns;
pub mod judge;
pub mod pieces;
pub mod records;
pub mod row;
pub mod run;
pub mod summary;
