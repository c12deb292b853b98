//! Drivers of graphics hardware on Linux.

use std::fs;
use std::path::Path;

/// Graphics hardware with a Linux driver, even if llama.cpp was not built to compute on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drivers {
    /// Version of NVIDIA's driver. `None` without that driver.
    pub nvidia: Option<String>,
    /// True if AMD's driver for computing is loaded, which `ROCm` needs.
    pub amd: bool,
    /// True if a device renders. It then most likely supports Vulkan.
    pub renders: bool,
}

impl Drivers {
    /// Reads the drivers below a root, which is `/` except in tests.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let version = fs::read_to_string(root.join("proc/driver/nvidia/version")).unwrap_or_default();
        // NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 ...
        let number =
            |word: &&str| word.contains('.') && word.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        let mut renderers = fs::read_dir(root.join("dev/dri")).into_iter().flatten().flatten();
        Self {
            nvidia: version.lines().next().and_then(|line| line.split_whitespace().find(number)).map(str::to_owned),
            amd: root.join("dev/kfd").exists(),
            renders: renderers.any(|entry| entry.file_name().to_string_lossy().starts_with("renderD")),
        }
    }
}
