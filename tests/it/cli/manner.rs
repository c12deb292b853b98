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
        (&["server"], "did you mean 'serve'?"),
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
fn a_noun_without_a_verb_lists_its_things() {
    let stage = Stage::new();
    for (noun, verb) in [("policy", "list"), ("cache", "show"), ("config", "show"), ("model", "list")] {
        let (alone, whole) = (stage.run(&[noun]), stage.run(&[noun, verb]));
        assert_eq!((alone.code, alone.stdout, alone.stderr), (0, whole.stdout, whole.stderr), "{noun}");
    }
}

#[test]
fn small_verbs_print_json_too() {
    let stage = Stage::new().file("in.txt", "Hello\nWorld\n");
    let model = crate::support::demonstration().display().to_string();
    assert_eq!(stage.run(&[&super::LABEL[..], &["in.txt", "-o", "out.jsonl"]].concat()).code, 0);
    for (args, field) in [
        (&["cache", "show", "--json"][..], "/parts/0/bytes"),
        (&["prompt", "-p", "rules.md", "--json", "Hello"], "/prompt"),
        (&["prompt", "-p", "rules.md", "--json", "--tokens", "Hello"], "/tokens/0"),
        (&["merge", "out.jsonl", "-o", "again.csv", "--json"], "/files/0"),
        (&["label", "-p", "rules.md", "in.txt", "--effort", "none", "--dry-run", "--json"], "/seconds"),
        (&["model", "path", &model, "--json"], "/path"),
        (&["model", "verify", &model, "--json"], "/files/0/sha256"),
    ] {
        let run = stage.run(args);
        let shown: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"));
        assert!(run.code == 0 && shown.pointer(field).is_some(), "{run}");
    }
}

#[test]
fn a_wrong_number_is_refused_in_words() {
    let stage = Stage::new();
    for (flag, value, words) in [
        ("--temperature", "-1", "not a number from 0 up"),
        ("--seed", "-1", "not a whole number"),
        ("--gpu-layers", "-1", "not a whole number from 0 up"),
        ("--budget", "x", "not a whole number"),
        ("--parallel", "0", "it is at least 1"),
    ] {
        let run = stage.run(&["check", "-p", "rules.md", flag, value, "Hello"]);
        assert!(run.code == 2 && run.stderr.lines().next().unwrap().ends_with(words), "{run}");
    }
}

#[test]
fn doctor_names_the_next_command() {
    let run = Stage::new().run(&["doctor", "--no-canary"]);
    assert!(run.code == 0 && run.stderr.contains("next: magistrate "), "{run}");
}

#[test]
fn the_version_is_that_of_the_program_under_every_verb() {
    let stage = Stage::new();
    let version = format!("magistrate {}\n", env!("CARGO_PKG_VERSION"));
    for args in [&["--version"][..], &["-V"], &["check", "--version"], &["policy", "lint", "-V"], &["version"]] {
        assert_eq!(stage.run(args).stdout, version);
    }
}
