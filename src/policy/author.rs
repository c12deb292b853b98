//! Helps to write a policy: drafts, imports from prose, and the differences between two versions.

pub mod diff;
pub mod draft;
pub mod import;
