//! Help and version of the command.

use insta::{assert_snapshot, with_settings};

use super::{Stage, transcript};

#[test]
fn without_arguments_it_shows_what_it_can_do() {
    let stage = Stage::new();
    assert_transcript!([stage.run(&[]), stage.run(&["--help"]), stage.run(&["policy"])]);
}
