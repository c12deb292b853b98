//! Memory of the CPU, as far as this process may take it.
//!
//! In a container the kernel reports the memory of the whole machine, and ends a process that takes more than the
//! container's limit. So both are read, and the smaller one counts.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory of the CPU, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Total memory.
    pub total: u64,
    /// Memory that can be taken now. It includes the file cache, which the kernel gives up when memory is short.
    pub free: u64,
    /// Limit of the control group, if it has one below the total.
    pub limit: Option<u64>,
}

impl Memory {
    /// Reads the memory below a root, which is `/` except in tests. `None` where the system is not Linux.
    #[must_use]
    pub fn read(root: &Path) -> Option<Self> {
        let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
        let kilobytes = |name| number(&info, name).map(|count| count.saturating_mul(1024));
        let (total, free) = (kilobytes("MemTotal:")?, kilobytes("MemAvailable:")?);
        let groups = groups(root);
        let limits = || groups.iter().filter(|group| group.limit < total);
        Some(Self {
            total,
            free: limits().map(|group| group.limit.saturating_sub(group.used)).fold(free, u64::min),
            limit: limits().map(|group| group.limit).min(),
        })
    }
}

/// A control group that this process is in.
struct Group {
    limit: u64,
    /// Memory in use, without the file cache, which the kernel gives up when memory is short.
    used: u64,
}

/// Returns the control groups of this process, from its own up to the root, of either version.
///
/// Inside a container the names in /proc/self/cgroup may be the host's. Only the group that is the root there is
/// mounted, so missing groups are skipped.
fn groups(root: &Path) -> Vec<Group> {
    let list = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut groups = Vec::new();
    for line in list.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (mount, read): (&str, fn(&Path) -> Option<Group>) = match (number, controllers) {
            ("0", "") => ("sys/fs/cgroup", second),
            (_, controllers) if controllers.split(',').any(|name| name == "memory") => ("sys/fs/cgroup/memory", first),
            _ => continue,
        };
        let mount = root.join(mount);
        let own: PathBuf = mount.join(path.trim_start_matches('/'));
        groups.extend(own.ancestors().take_while(|folder| folder.starts_with(&mount)).filter_map(read));
    }
    groups
}

/// Reads a control group of version 1.
fn first(folder: &Path) -> Option<Group> {
    let kept = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = ["total_inactive_file", "total_active_file"].iter().filter_map(|name| number(&kept, name)).sum();
    let used: u64 = value(&folder.join("memory.usage_in_bytes"))?;
    Some(Group { limit: value(&folder.join("memory.limit_in_bytes"))?, used: used.saturating_sub(files) })
}

/// Reads a control group of version 2. Its limit is `max` where there is no limit, and the group is then skipped.
fn second(folder: &Path) -> Option<Group> {
    let kept = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = ["inactive_file", "active_file"].iter().filter_map(|name| number(&kept, name)).sum();
    let used: u64 = value(&folder.join("memory.current"))?;
    Some(Group { limit: value(&folder.join("memory.max"))?, used: used.saturating_sub(files) })
}

/// Returns the number in a file.
fn value(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Returns the number behind a name in a text whose lines are names and numbers.
fn number(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == name).then(|| words.next()?.parse().ok())?
    })
}

/// Returns the peak memory of this process in bytes. `None` where the system does not report it.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(number(&status, "VmHWM:")?.saturating_mul(1024))
}
