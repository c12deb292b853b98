//! The packages of `scripts/package`, where some have been built. A build takes an hour, so no test makes one.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the folder in which `scripts/package` leaves its packages.
fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("package/dist")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn built_packages_contain_the_parts_that_they_promise() {
    let dist = built();
    if !dist.join("SHA256SUMS").exists() {
        eprintln!("skipped: no packages are in {}: scripts/package builds them", dist.display());
        return;
    }
    let mut command = Command::new(root().join("scripts/package"));
    let output = command.arg("--check").arg(&dist).output().expect("scripts/package can be run");
    let (shown, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}{faults}");
    assert!(shown.contains("fine"), "nothing was checked: {shown}");
}

/// A test of the workflow's hosts would need those hosts.
#[test]
fn files_for_other_systems_have_this_version_and_say_that_they_were_not_run() {
    let version = env!("CARGO_PKG_VERSION");
    for (name, line) in [
        ("packaging/homebrew/magistrate.rb", format!("/tags/v{version}.tar.gz\"")),
        ("packaging/aur/PKGBUILD", format!("pkgver={version}\n")),
        ("packaging/nix/flake.nix", "Cargo.toml".to_owned()),
        (".github/workflows/release.yml", "scripts/package --check".to_owned()),
    ] {
        let text = read(name);
        assert!(text.starts_with("# Not run."), "{name} was not run here, and does not begin with that");
        assert!(text.contains(&line), "{name} lacks {line:?}");
    }
}

#[test]
fn the_unit_of_systemd_runs_without_rights_and_stops_in_order() {
    let unit = read("integrations/systemd/magistrate.service");
    for line in [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "KillSignal=SIGTERM",
    ] {
        assert!(unit.lines().any(|found| found == line), "the unit lacks {line}");
    }
    let seconds = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    assert!(seconds.and_then(|seconds| seconds.parse().ok()).is_some_and(|seconds: u32| seconds > 30));
}
