//! The machine: its memory, its processors and its devices, as far as this process may use them.
//!
//! Every function that reads the system takes the root of the file system, so that a test has a machine of its own.

mod devices;
mod drivers;
mod memory;
pub mod processors;

pub use devices::{Device, DeviceKind, Machine};
pub use drivers::Drivers;
pub use memory::{Memory, peak_memory};

use std::path::Path;

/// Returns the bytes that can still be written to the disk of a folder. `None` if the system does not report it.
#[cfg(unix)]
#[must_use]
pub fn free_disk_space(folder: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Returns the bytes that can still be written to the disk of a folder. `None` if the system does not report it.
#[cfg(not(unix))]
#[must_use]
pub fn free_disk_space(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests;
