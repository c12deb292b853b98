//! Texts that cannot be used.

use insta::{assert_snapshot, with_settings};

use super::{Run, SECRET, Stage, transcript};

#[test]
fn a_text_that_cannot_be_used_is_never_repeated() {
    let stage = Stage::new().file("folder/text", "").file("latin1.txt", b"quetzal caf\xE9");
    let check = |stdin: &[u8], args: &[&str]| stage.run_on(stdin, &[&["check", "-p", "rules.md"], args].concat());
    assert_transcript!(
        [
            check(b"", &["-f", "none.txt"]),
            check(b"", &["-f", "folder"]),
            check(b"", &["-f", "latin1.txt"]),
            check(b"quetzal caf\xE9", &[]),
            check(b"", &[]),
            check(b"\n", &[]),
            check(b"", &[""]),
            check(b"", &["-f", "rules.md", "a quetzal"]),
        ]
        .map(Run::keeps_the_secret)
    );
}

#[test]
fn a_text_that_is_taken_for_something_else_is_never_repeated() {
    let stage = Stage::new();
    assert_transcript!([
        stage.fails(&["check", "-p", "rules.md", "Buy"]),
        stage.fails(&["check", "-p", "rules.md", "--jsn"]),
        stage.run(&["check", "-p", "rules.md", "- a quetzal"]).keeps_the_secret(),
        stage.run(&["check", "-p", "rules.md", "--- a quetzal"]).keeps_the_secret(),
        stage.run(&["check", "-p", "rules.md", "-zquetzal"]).keeps_the_secret(),
        stage.run(&["a quetzal"]).keeps_the_secret(),
        stage.run(&["chek", "a quetzal"]).keeps_the_secret(),
        stage.run(&["policy", "list", "a quetzal"]).keeps_the_secret(),
    ]);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;

    let text = std::ffi::OsStr::from_bytes(b"quetzal caf\xE9");
    let output = Stage::new().command(&["check", "-p", "rules.md"]).arg(text).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.starts_with("error: invalid UTF-8") && !stderr.contains(SECRET), "{stderr}");
}
