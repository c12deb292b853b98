//! Processors: the number of threads that should compute, and the load that decides how they wait for one another.
//!
//! A thread that shares its core with other work is late at every operation. Threads that spin until it comes keep that
//! other work from ending. So the number of threads follows the cores that this process may use, and the way of waiting
//! follows the load.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The processors of this machine, as far as this process may use them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processors {
    /// Logical processors of the whole machine.
    pub machine: usize,
    /// Logical processors that the affinity mask allows.
    pub allowed: usize,
    /// Physical cores among the allowed processors. Only the fast ones if the CPU has cores of two speeds.
    pub cores: usize,
    /// Processors' worth of time that the container's quota allows, if there is a quota.
    pub quota: Option<usize>,
}

/// The number of logical processors up to which all are used, even if they share cores. llama.cpp has the same limit.
const FEW: usize = 4;

impl Processors {
    /// Reads the processors of this machine.
    #[must_use]
    pub fn here() -> Self {
        Self::read(Path::new("/"), thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }

    /// Reads them under a root, which is `/` except in tests. `parallelism` is the standard library's count: the
    /// smaller of the affinity mask and the quota.
    #[must_use]
    pub fn read(root: &Path, parallelism: usize) -> Self {
        let list = |path: &str| fs::read_to_string(root.join(path)).ok().map(|text| numbers(text.trim()));
        let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
        let mask =
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(|text| numbers(text.trim()));
        let machine = list("sys/devices/system/cpu/online").map_or(parallelism, |all| all.len());
        let Some(allowed) = mask.filter(|allowed| !allowed.is_empty()) else {
            return Self { machine: machine.max(parallelism), allowed: parallelism, cores: parallelism, quota: None };
        };
        // Linux has this file only for a CPU with cores of two speeds. A mask of slow cores alone leaves those.
        let fast = list("sys/devices/cpu_core/cpus").filter(|fast| fast.iter().any(|one| allowed.contains(one)));
        // A core is identified by the list of its processors, which all of them share.
        let mut cores: Vec<Vec<usize>> = allowed
            .iter()
            .filter(|one| fast.as_ref().is_none_or(|fast| fast.contains(one)))
            .map(|one| {
                let siblings = format!("sys/devices/system/cpu/cpu{one}/topology/thread_siblings_list");
                list(&siblings).filter(|siblings| siblings.contains(one)).unwrap_or_else(|| vec![*one])
            })
            .collect();
        cores.sort();
        cores.dedup();
        let quota = (parallelism < allowed.len()).then_some(parallelism);
        Self { machine: machine.max(allowed.len()), allowed: allowed.len(), cores: cores.len(), quota }
    }

    /// Returns the number of threads that should compute: one for each physical core, within the quota. Four logical
    /// processors or fewer are all used.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = if self.allowed <= FEW { self.allowed } else { self.cores };
        cores.min(self.quota.unwrap_or(cores)).max(1)
    }

    /// Reports whether `others` running programs and our threads together want more processors than there are.
    fn are_busy(&self, others: usize) -> bool {
        // Spinning uses up a quota as work does, so it disturbs everything that shares the quota.
        others > 0 && (others + self.threads() > self.machine || self.quota.is_some())
    }
}

/// Reports whether other programs want the processors that our threads would take, for all of `patience`. A program
/// that only starts beside us does not count. On a quiet machine the first look decides.
///
/// Returns false where the system does not report the running threads.
#[must_use]
pub fn busy(root: &Path, processors: &Processors, patience: Duration) -> bool {
    const LOOKS: u32 = 8;
    (0..LOOKS).all(|look| {
        if look > 0 {
            thread::sleep(patience / (LOOKS - 1));
        }
        others_running(root).is_some_and(|others| processors.are_busy(others))
    })
}

/// Returns the number of threads of other programs that run or want to run now. `None` where the system does not report
/// it.
fn others_running(root: &Path) -> Option<usize> {
    let text = fs::read_to_string(root.join("proc/stat")).ok()?;
    let running: usize = text.lines().find_map(|line| line.strip_prefix("procs_running "))?.trim().parse().ok()?;
    // This thread is one of them.
    Some(running.saturating_sub(1))
}

/// Parses a list of numbers such as `0-3,8`. Returns an empty list for another form.
fn numbers(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, end) = part.split_once('-').unwrap_or((part, part));
        let (first, end): (usize, usize) = (first.parse().ok()?, end.parse().ok()?);
        // A nonsense range would fill the memory.
        (end < 1 << 16).then_some(first..=end)
    };
    list.split(',').map(range).collect::<Option<Vec<_>>>().unwrap_or_default().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processors(parallelism: usize, files: &[(&str, &str)]) -> Processors {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        Processors::read(root.path(), parallelism)
    }

    /// Eight logical processors on four cores: 0 and 4 share one, 1 and 5, and so on.
    fn hyperthreaded(allowed: &str, parallelism: usize) -> Processors {
        let siblings: Vec<(String, String)> = (0..8)
            .map(|one| {
                let path = format!("sys/devices/system/cpu/cpu{one}/topology/thread_siblings_list");
                (path, format!("{},{}\n", one % 4, one % 4 + 4))
            })
            .collect();
        let status = format!("Name:\tmagistrate\nCpus_allowed_list:\t{allowed}\n");
        let mut files: Vec<(&str, &str)> = siblings.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.extend([("proc/self/status", status.as_str()), ("sys/devices/system/cpu/online", "0-7\n")]);
        processors(parallelism, &files)
    }

    #[test]
    fn one_thread_computes_on_each_physical_core() {
        let all = hyperthreaded("0-7", 8);
        assert_eq!(all, Processors { machine: 8, allowed: 8, cores: 4, quota: None });
        assert_eq!(all.threads(), 4);
    }

    #[test]
    fn few_processors_are_all_used_though_they_share_cores() {
        assert_eq!(hyperthreaded("0,4", 2).threads(), 2);
    }

    #[test]
    fn the_affinity_mask_and_the_quota_bound_the_threads() {
        assert_eq!(hyperthreaded("0-2,4-6", 6).threads(), 3);
        let within = hyperthreaded("0-7", 3);
        assert_eq!((within.quota, within.threads()), (Some(3), 3));
        assert_eq!(hyperthreaded("0-7", 1).threads(), 1);
    }

    #[test]
    fn of_cores_of_two_speeds_the_fast_ones_compute() {
        let status = "Cpus_allowed_list:\t0-11\n";
        let mut files = vec![("proc/self/status", status), ("sys/devices/cpu_core/cpus", "0-7\n")];
        assert_eq!(processors(12, &files).cores, 8);
        files[0].1 = "Cpus_allowed_list:\t8-11\n";
        assert_eq!(processors(4, &files).cores, 4, "a mask of slow cores alone leaves those");
    }

    #[test]
    fn where_the_system_tells_nothing_all_that_the_library_counts_are_used() {
        assert_eq!(processors(6, &[]).threads(), 6);
        assert_eq!(processors(6, &[("proc/self/status", "Cpus_allowed_list:\t?\n")]).threads(), 6);
    }

    #[test]
    fn a_machine_is_busy_where_others_want_the_cores_that_threads_take() {
        let all = Processors { machine: 8, allowed: 8, cores: 4, quota: None };
        assert!(!all.are_busy(0) && !all.are_busy(4) && all.are_busy(5));
        let few = Processors { machine: 2, allowed: 2, cores: 2, quota: None };
        assert!(!few.are_busy(0) && few.are_busy(1));
        assert!(Processors { quota: Some(2), machine: 64, allowed: 64, cores: 32 }.are_busy(1));
    }

    #[test]
    fn a_machine_is_busy_if_others_run_whenever_one_looks() {
        let root = tempfile::tempdir().expect("a folder");
        let few = Processors { machine: 2, allowed: 2, cores: 2, quota: None };
        assert!(!busy(root.path(), &few, Duration::ZERO), "nothing is known");
        fs::create_dir(root.path().join("proc")).expect("made");
        let runs = |count: u32| {
            let text = format!("cpu 1 2\nprocs_running {count}\nprocs_blocked 0\n");
            fs::write(root.path().join("proc/stat"), text).expect("written");
            busy(root.path(), &few, Duration::ZERO)
        };
        assert!(!runs(1), "this thread alone");
        assert!(runs(2) && runs(3));
    }
}
