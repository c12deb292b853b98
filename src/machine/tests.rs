use std::fs;

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
        ("sys/fs/cgroup/memory/memory.stat", "cache 1\ntotal_inactive_file 250000000\ntotal_active_file 250000000\n"),
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
    let (cpu, own, card) =
        (device("cpu", DeviceKind::Cpu), device("own", DeviceKind::Integrated), device("card", DeviceKind::Gpu));
    assert_eq!(names(&[cpu.clone(), own.clone(), card.clone()]), ["card"]);
    assert_eq!(names(&[cpu.clone(), own]), ["own"]);
    assert!(names(&[cpu]).is_empty());
}
