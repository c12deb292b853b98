//! Standard output and standard error that cannot be written.

use std::fs;
use std::process::Stdio;

use super::Stage;

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let stage = Stage::new();
    let runs: [&[&str]; 4] =
        [&["policy", "schema"], &["--help"], &["prompt", "-p", "spam", "Hello"], &["policy", "list"]];
    for args in runs {
        let output = stage.command(args).stdin(Stdio::null()).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("panic") && !stderr.contains("error"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_verdict_comes_even_if_nobody_hears_the_notes() {
    let stage = Stage::new();
    let check = ["check", "-p", "rules.md", "--effort", "none", "--threshold", "1", "Hello"];
    let output = stage.command(&check).stdin(Stdio::null()).stderr(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(b"rules: safe\n"));
}

/// Returns the writing end of a pipe without a reader.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_an_error() {
    let stage = Stage::new();
    let full = fs::File::create("/dev/full").unwrap();
    let output = stage.command(&["policy", "list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.starts_with(b"error: stdout cannot be written\n  caused by: "));
}
