//! The review queue: texts that a person should look at, and the decisions of reviewers about them.
//!
//! A folder has two journals of JSON lines, to which lines are only added. A decision never changes an item. The server
//! writes the folder; `eval`, `calibrate` and `review export` read it.

pub mod agreement;
mod folder;
pub mod index;
pub mod item;
mod journal;
pub mod reader;
pub mod store;

#[cfg(test)]
mod tests;
