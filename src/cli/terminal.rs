//! The terminal: how results, errors and progress are shown to people.

pub mod error;
