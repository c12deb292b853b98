//! Help and version of the command.

use insta::{assert_snapshot, with_settings};

use super::{Stage, transcript};

#[test]
fn without_arguments_it_shows_what_it_can_do() {
    let stage = Stage::new();
    // The first steps depend on the models that are here.
    let home = stage.path("home").display().to_string();
    let bare = ["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "OLLAMA_MODELS"].map(|name| (name, home.as_str()));
    assert_transcript!([stage.run_with(b"", &[], &bare), stage.run(&["--help"]), stage.run(&["policy"])]);
}
