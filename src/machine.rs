//! The machine: its memory, its processors and its devices, as far as this process may use them.
//!
//! Functions that read a description of the machine take the root of the file system. A test can thus have a machine of
//! its own.

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
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Returns the bytes that can still be written to the disk of a folder. `None` if the system does not report it.
#[cfg(not(unix))]
#[must_use]
pub fn free_disk_space(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests;
