//! The page in a headless browser: `scripts/page-test` drives it.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

#[test]
fn the_page_does_its_work_in_a_browser() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/page-test");
    let output = Command::new(script).arg("--program").arg(cargo_bin!("magistrate")).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout);
    // Without a browser or the registry it names the reason.
    eprintln!("{lines}");
    assert_eq!(output.status.code(), Some(0), "{lines}{}", String::from_utf8_lossy(&output.stderr));
    assert!(lines.contains("skipped: ") || lines.contains("# fail 0"), "no test was run: {lines}");
}
