//! The Python package: `scripts/python-test` runs its tests.
//!
//! This test runs the parts that need no package, and those of Ray and Spark where they were installed. CI runs all, with
//! pandas, polars, pyarrow, datasets, mypy and a notebook, whose packages take minutes to install.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

/// Runs parts. A part that cannot be run is named with the reason.
fn run(parts: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/python-test");
    let mut command = Command::new("python3");
    command.arg(script).arg("--installed").arg("--program").arg(cargo_bin!("magistrate")).args(parts);
    let Ok(output) = command.output() else {
        eprintln!("skipped: there is no python3");
        return;
    };
    let lines = String::from_utf8_lossy(&output.stdout);
    eprintln!("{lines}");
    assert_eq!(output.status.code(), Some(0), "{lines}{}", String::from_utf8_lossy(&output.stderr));
    for part in parts {
        assert!(lines.lines().any(|line| line.contains(part)), "{part} has no line: {lines}");
    }
}

#[test]
fn the_python_package_judges_labels_evaluates_and_continues_what_was_stopped() {
    run(&["core", "worker", "examples"]);
}

#[test]
fn ray_and_spark_have_the_rows_of_label_whatever_dies() {
    run(&["ray", "spark"]);
}
