//! Help and version of the command.

use insta::{assert_snapshot, with_settings};

use super::{Stage, transcript};

#[test]
fn without_arguments_it_shows_what_it_can_do() {
    let stage = Stage::new();
    assert_transcript!([stage.run(&[]), stage.run(&["--help"]), stage.run(&["policy"])]);
}

#[test]
fn every_verb_has_help() {
    let stage = Stage::new();
    let verbs: [&[&str]; 18] = [
        &["check"],
        &["label"],
        &["merge"],
        &["verify"],
        &["eval"],
        &["calibrate"],
        &["bench"],
        &["daemon"],
        &["prompt"],
        &["policy"],
        &["policy", "show"],
        &["policy", "new"],
        &["policy", "import"],
        &["policy", "lint"],
        &["model"],
        &["model", "fit"],
        &["model", "pull"],
        &["cache"],
    ];
    assert_transcript!(verbs.map(|verb| stage.run(&[verb, &["--help"]].concat())));
}

#[test]
fn the_version_is_the_packages() {
    let run = Stage::new().run(&["--version"]);
    assert_eq!(run.stdout, format!("magistrate {}\n", env!("CARGO_PKG_VERSION")));
}
