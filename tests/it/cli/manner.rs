//! The flags of every verb, and errors for programs.

use serde_json::Value;

use super::{SECRET, Stage};

#[test]
fn quiet_leaves_results_and_errors() {
    let stage = Stage::new().file("in.txt", "Hello\n");
    let label = ["label", "-p", "rules.md", "--effort", "none", "--threshold", "0", "--fields", "verdict", "in.txt"];
    let loud = stage.run(&label);
    assert!(loud.stderr.contains("note: ") && loud.stderr.contains("rows/s"), "{loud}");
    for quiet in [[&label[..], &["-q"]].concat(), [&["label", "--quiet"], &label[1..]].concat()] {
        let run = stage.run(&quiet);
        assert_eq!((run.code, &run.stdout, run.stderr.as_str()), (loud.code, &loud.stdout, ""), "{run}");
    }
    let error = stage.run(&["check", "-q", "-p", "nowhere.yaml", "Hello"]);
    assert!(error.code == 2 && error.stderr.starts_with("error: "), "{error}");
}

#[test]
fn verbose_can_be_repeated_and_names_the_model() {
    let run = Stage::new().run(&["check", "-v", "-v", "-p", "rules.md", "--effort", "none", "Hello"]);
    assert!(run.stderr.contains("model: ") && run.stderr.contains("the model is loaded: "), "{run}");
}

#[test]
fn color_is_there_on_request_and_never_otherwise() {
    let stage = Stage::new();
    let colored = |args: &[&str]| stage.run(args).stderr.contains("\u{1b}[1;31merror:\u{1b}[0m");
    assert!(colored(&["policy", "show", "nowhere.yaml", "--color", "always"]));
    assert!(!colored(&["policy", "show", "nowhere.yaml"]));
    assert!(stage.run(&["--color=always", "check", "--help"]).stdout.contains('\u{1b}'));
    assert!(!stage.run(&["check", "--help"]).stdout.contains('\u{1b}'));
    let run = stage.run_with(b"", &["policy", "show", "nowhere.yaml"], &[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")]);
    assert!(run.stderr.starts_with('\u{1b}'), "{run}");
}

#[test]
fn with_json_an_error_is_json_too() {
    let stage = Stage::new().file("latin.txt", b"caf\xE9");
    for (args, code) in [
        (&["check", "-p", "nowhere", "Hello", "--json"][..], "policy"),
        (&["check", "-p", "rules.md", "--json", ""], "empty"),
        (&["check", "-p", "rules.md", "--json", "-f", "latin.txt"], "not-utf8"),
        (&["check", "-p", "rules.md", "--json", "-m", "nowhere.gguf", "Hello"], "model"),
        (&["check", "-p", "rules.md", "--json", "--nowhere"], "usage"),
        (&["model", "inspect", "nowhere.gguf", "--json"], "model"),
    ] {
        let run = stage.run(args);
        let error: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"));
        assert_eq!((run.code, &error["error"]["code"]), (2, &code.into()), "{run}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(run.stderr.starts_with(&format!("error: {message}")), "{run}");
        assert!(error["error"]["hints"].is_array(), "{run}");
    }
    let run = stage.run(&["check", "-p", "rules.md", "--json", "a word", SECRET]);
    assert!(run.code == 2 && !run.stdout.contains(SECRET) && run.stdout.contains("usage"), "{run}");
}

#[test]
fn a_flag_or_a_verb_that_does_not_exist_gets_the_right_suggestion() {
    let stage = Stage::new();
    for (args, tip) in [
        (
            &["check", "-p", "rules.md", "--text_column", "Post"][..],
            "'--text-column' is a flag of `magistrate calibrate`",
        ),
        (&["label", "-p", "rules.md", "--text_column", "Post"], "did you mean '--text-column'?"),
        (&["check", "--silent"], "did you mean '--quiet'?"),
        (&["check", "--thresold", "1"], "did you mean '--threshold'?"),
        (&["serve"], "did you mean 'daemon'?"),
        (&["chek"], "did you mean 'check'?"),
        (&["lint"], "did you mean 'magistrate policy lint'?"),
        (&["policy", "lnt"], "did you mean 'lint'?"),
    ] {
        let run = stage.run(args);
        assert!(run.code == 2 && run.stderr.contains(&format!("  tip: {tip}")), "{run}");
    }
    let run = stage.run(&["frobnicate"]);
    assert!(run.stderr.contains("'frobnicate'") && !run.stderr.contains("tip:"), "{run}");
}

#[test]
fn the_version_is_that_of_the_program_under_every_verb() {
    let stage = Stage::new();
    let version = format!("magistrate {}\n", env!("CARGO_PKG_VERSION"));
    for args in [&["--version"][..], &["-V"], &["check", "--version"], &["policy", "lint", "-V"], &["version"]] {
        assert_eq!(stage.run(args).stdout, version);
    }
}
