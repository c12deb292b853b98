//! Helps to write a policy: drafts, imports from prose, golden sets, and the differences between two versions.

pub mod diff;
pub mod draft;
pub mod golden_yaml;
pub mod import;
