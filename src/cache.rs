//! The cache folder: files that magistrate can make again.
//!
//! Only its user may read the folder. A folder that another user could have filled is refused, and no file in it is
//! trusted without a check. The user may keep other files there, so magistrate's own files are known by their names.

mod clear;
mod error;
mod folder;
mod rooms;
mod trim;

pub use clear::{Cleared, clear};
pub use error::CacheError;
#[cfg(feature = "cache")]
pub use folder::folder;
pub use folder::{make, own, put};
pub use rooms::{ROOMS, VARIABLE, is_ours};
pub use trim::trim;

#[cfg(test)]
mod tests;
