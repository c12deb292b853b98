//! The time that threads spin before they sleep is chosen before the model is loaded. A variable of the user is kept.
#![cfg(all(feature = "cli", target_os = "linux"))]

use assert_cmd::Command;
use tempfile::TempDir;

fn magistrate(cache: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_magistrate"));
    for variable in ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "MAGISTRATE_SPINCOUNT_CHOSEN", "MAGISTRATE_MODEL"] {
        command.env_remove(variable);
    }
    command.env("MAGISTRATE_CACHE", cache.path());
    command
}

fn stdout_of(command: &mut Command) -> String {
    String::from_utf8(command.output().expect("it runs").stdout).expect("UTF-8")
}

#[test]
fn doctor_says_how_many_threads_compute_how_they_wait_and_why() {
    let cache = TempDir::new().expect("a folder");
    let doctor = |name: Option<(&str, &str)>| {
        let mut command = magistrate(&cache);
        command.args(["doctor", "--no-canary"]).envs(name);
        stdout_of(&mut command)
    };
    let chosen = doctor(None);
    let expected = [
        "they spin 100 times before they sleep, as other programs want",
        "they spin 10000 times before they sleep, as the cores",
    ];
    assert!(expected.iter().any(|words| chosen.contains(words)), "{chosen}");
    let kept = doctor(Some(("GOMP_SPINCOUNT", "77")));
    assert!(kept.contains("they spin 77 times before they sleep, as GOMP_SPINCOUNT is set"), "{kept}");
    let kept = doctor(Some(("OMP_WAIT_POLICY", "passive")));
    assert!(kept.contains("they wait as OMP_WAIT_POLICY=passive sets"), "{kept}");
}

#[test]
fn a_program_started_again_still_reads_its_stdin_and_gives_its_exit_code() {
    let cache = TempDir::new().expect("a folder");
    let mut command = magistrate(&cache);
    command.args(["check", "-m", "models/random.gguf", "-p", "spam", "--effort", "none", "--min-mass", "0", "--json"]);
    let done = command.write_stdin("Call me at eight.").output().expect("it runs");
    assert!(matches!(done.status.code(), Some(0 | 1)), "{done:?}");
    assert!(done.stdout.starts_with(b"{"), "{done:?}");
}

#[test]
fn a_bench_beside_busy_programs_prints_one_report_and_leaves_none_of_them_behind() {
    let cache = TempDir::new().expect("a folder");
    let mut command = magistrate(&cache);
    command.args(["bench", "-m", "models/random.gguf", "--policy", "64", "--content", "16", "--output", "2"]);
    let report = stdout_of(command.args(["--items", "2", "--busy", "2", "--json"]));
    let report: serde_json::Value = serde_json::from_str(&report).expect("one JSON object");
    assert_eq!(report["items"], 2);
    // Programs of this test, and not of another run of the tests beside it.
    let ours = format!("MAGISTRATE_CACHE={}", cache.path().display());
    let computing = std::fs::read_dir("/proc").expect("Linux").flatten().any(|entry| {
        let has = |file: &str, text: &str| {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(text)
        };
        has("cmdline", "--compute") && has("environ", &ours)
    });
    assert!(!computing, "a program still computes");
}
