//! What this machine has: memory, as far as this process may take it, and devices that compute.
//!
//! The one idea: in a container the kernel tells how much memory the machine has, and ends who takes more than the container's
//! limit. So both are read, and the smaller holds. Every path hangs on a root, so that a test has a machine of its own.

pub mod processors;

use std::fs;
use std::path::{Path, PathBuf};

/// Memory and devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// What the CPU computes in.
    pub memory: Memory,
    /// What llama.cpp was built to compute on and has found, the CPU among them.
    pub devices: Vec<Device>,
}

/// Memory of the CPU, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All there is.
    pub total: u64,
    /// What can be taken now, files that the kernel keeps at hand included: it gives these up.
    pub free: u64,
    /// What a control group allows, if one does.
    pub limit: Option<u64>,
}

/// What computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name, for `--device`.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Which of llama.cpp's backends drives it.
    pub backend: String,
    /// Of which kind it is.
    pub kind: Kind,
    /// Its memory in bytes.
    pub total: u64,
    /// What of it is free.
    pub free: u64,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The processor.
    Cpu,
    /// A graphics card with memory of its own.
    Gpu,
    /// A graphics processor that shares the CPU's memory.
    Integrated,
    /// Something that helps the CPU, in its memory.
    Accelerator,
}

impl Machine {
    /// Devices that take layers where nobody says which: all graphics cards; if there are none, an integrated one.
    pub fn gpus(&self) -> impl Iterator<Item = &Device> {
        let cards = self.devices.iter().any(|device| device.kind == Kind::Gpu);
        let wanted = if cards { Kind::Gpu } else { Kind::Integrated };
        self.devices.iter().filter(move |device| device.kind == wanted)
    }
}

/// Bytes that can be written on the disk that a folder is on, if that can be told.
#[cfg(unix)]
#[must_use]
pub fn room(folder: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Bytes that can be written on the disk that a folder is on, if that can be told.
#[cfg(not(unix))]
#[must_use]
pub fn room(_folder: &Path) -> Option<u64> {
    None
}

/// Returns the peak memory of this process in bytes. `None` where the system does not report it.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Graphics hardware that Linux has a driver for, whether or not llama.cpp was built to compute on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drivers {
    /// The version of NVIDIA's driver.
    pub nvidia: Option<String>,
    /// Whether there is AMD's driver for computing, which `ROCm` needs.
    pub amd: bool,
    /// Whether there is a device that renders, which most likely knows Vulkan.
    pub renders: bool,
}

impl Drivers {
    /// What Linux says of them, under this root: `/`, but for tests.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let told = fs::read_to_string(root.join("proc/driver/nvidia/version")).unwrap_or_default();
        // NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 ...
        let number =
            |word: &&str| word.contains('.') && word.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        let mut renderers = fs::read_dir(root.join("dev/dri")).into_iter().flatten().flatten();
        Self {
            nvidia: told.lines().next().and_then(|line| line.split_whitespace().find(number)).map(str::to_owned),
            amd: root.join("dev/kfd").exists(),
            renders: renderers.any(|entry| entry.file_name().to_string_lossy().starts_with("renderD")),
        }
    }
}

impl Memory {
    /// What Linux says of it, under this root: `/`, but for tests. `None` where there is no such thing.
    #[must_use]
    pub fn read(root: &Path) -> Option<Self> {
        let told = fs::read_to_string(root.join("proc/meminfo")).ok()?;
        let kilobytes = |name| number(&told, name).map(|count| count.saturating_mul(1024));
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
    /// Without files that the kernel keeps at hand.
    used: u64,
}

/// The control groups that hold this process, from its own up, of either version. Within a container the names in
/// /proc/self/cgroup may be the host's, of which nothing is mounted but what is the root there.
fn groups(root: &Path) -> Vec<Group> {
    let told = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut groups = Vec::new();
    for line in told.lines() {
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

fn first(folder: &Path) -> Option<Group> {
    let kept = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = ["total_inactive_file", "total_active_file"].iter().filter_map(|name| number(&kept, name)).sum();
    let used: u64 = value(&folder.join("memory.usage_in_bytes"))?;
    Some(Group { limit: value(&folder.join("memory.limit_in_bytes"))?, used: used.saturating_sub(files) })
}

/// The file says `max` where there is no limit.
fn second(folder: &Path) -> Option<Group> {
    let kept = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = ["inactive_file", "active_file"].iter().filter_map(|name| number(&kept, name)).sum();
    let used: u64 = value(&folder.join("memory.current"))?;
    Some(Group { limit: value(&folder.join("memory.max"))?, used: used.saturating_sub(files) })
}

fn value(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a name, where each line is a name and a number.
fn number(told: &str, name: &str) -> Option<u64> {
    told.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == name).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_found_under_the_root() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(Drivers::read(root.path()), Drivers::default());
        for folder in ["proc/driver/nvidia", "dev/dri"] {
            fs::create_dir_all(root.path().join(folder)).expect("written");
        }
        let version =
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2026\nGCC version:\n";
        fs::write(root.path().join("proc/driver/nvidia/version"), version).expect("written");
        fs::write(root.path().join("dev/dri/card0"), "").expect("written");
        let found = Drivers::read(root.path());
        assert_eq!((found.nvidia.as_deref(), found.amd, found.renders), (Some("550.54.14"), false, false));
        fs::write(root.path().join("dev/dri/renderD128"), "").expect("written");
        fs::write(root.path().join("dev/kfd"), "").expect("written");
        let found = Drivers::read(root.path());
        assert!(found.amd && found.renders);
    }

    const MEMINFO: &str = "MemTotal:       24000000 kB\nMemFree:         1000000 kB\nMemAvailable:   20000000 kB\n";

    fn machine(files: &[(&str, &str)]) -> Memory {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files.iter().chain(&[("proc/meminfo", MEMINFO)]) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        Memory::read(root.path()).expect("there is a meminfo")
    }

    #[test]
    fn without_a_control_group_what_is_available_is_free() {
        let memory = machine(&[]);
        assert_eq!(memory, Memory { total: 24_576_000_000, free: 20_480_000_000, limit: None });
        assert_eq!(Memory::read(Path::new("/nowhere")), None);
    }

    #[test]
    fn a_limit_of_version_2_holds_and_files_in_memory_do_not_count_as_taken() {
        let memory = machine(&[
            ("proc/self/cgroup", "0::/user/job\n"),
            ("sys/fs/cgroup/user/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user/job/memory.current", "900\n"),
            ("sys/fs/cgroup/user/memory.max", "8000000000\n"),
            ("sys/fs/cgroup/user/memory.current", "3000000000\n"),
            ("sys/fs/cgroup/user/memory.stat", "anon 1\ninactive_file 1500000000\nactive_file 500000000\n"),
        ]);
        assert_eq!((memory.limit, memory.free), (Some(8_000_000_000), 7_000_000_000));
    }

    #[test]
    fn a_limit_of_version_1_holds_though_the_path_is_the_hosts() {
        let memory = machine(&[
            ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000000\n"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "cache 1\ntotal_inactive_file 250000000\ntotal_active_file 250000000\n",
            ),
        ]);
        assert_eq!((memory.limit, memory.free), (Some(4_000_000_000), 3_500_000_000));
    }

    #[test]
    fn a_limit_beyond_the_machine_is_none() {
        let memory = machine(&[
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n"),
        ]);
        assert_eq!((memory.limit, memory.free), (None, 20_480_000_000));
    }

    #[test]
    fn nothing_is_free_beyond_a_limit() {
        let memory = machine(&[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "1000\n"),
            ("sys/fs/cgroup/memory.current", "5000\n"),
        ]);
        assert_eq!((memory.limit, memory.free), (Some(1000), 0));
    }

    #[test]
    fn an_integrated_device_is_used_only_where_there_is_no_card() {
        let device = |name: &str, kind| Device {
            name: name.into(),
            description: String::new(),
            backend: String::new(),
            kind,
            total: 1,
            free: 1,
        };
        let names = |devices: &[Device]| -> Vec<String> {
            let machine = Machine { devices: devices.to_vec(), ..Machine::default() };
            machine.gpus().map(|device| device.name.clone()).collect()
        };
        let (cpu, own, card) = (device("cpu", Kind::Cpu), device("own", Kind::Integrated), device("card", Kind::Gpu));
        assert_eq!(names(&[cpu.clone(), own.clone(), card.clone()]), ["card"]);
        assert_eq!(names(&[cpu.clone(), own]), ["own"]);
        assert!(names(&[cpu]).is_empty());
    }
}
