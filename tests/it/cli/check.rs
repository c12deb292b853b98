//! `check`: the verdict on one text.

use insta::{assert_snapshot, with_settings};
use magistrate::policy::PolicyLibrary;
use serde_json::{Value, json};

use super::{RULES, Stage, transcript};

#[test]
fn only_the_fields_that_are_asked_for_are_printed_and_no_more_is_computed() {
    let stage = Stage::new();
    let check = ["check", "-p", "spam", "--budget", "4"];
    let whole = stage.json(&check);
    let some = stage.json(&[&check[..], &["--fields", "usage,verdict,probability"]].concat());
    let names: Vec<&String> = some.as_object().unwrap().keys().collect();
    assert_eq!(names, ["verdict", "probability", "usage"]);
    assert_eq!(some["verdict"], whole["verdict"]);
    assert!(whole["usage"]["rationale_tokens"].as_u64() > Some(0));
    assert_eq!(some["usage"]["rationale_tokens"], 0);
    assert_transcript!([
        stage.run(&[&check[..], &["--json", "--fields", "verdict,colour", "Hello"]].concat()),
        stage.run(&[&check[..], &["--fields", "verdict", "Hello"]].concat()),
    ]);
}

#[test]
fn a_cascade_says_in_the_row_and_at_the_end_what_it_had_to_reason_about() {
    let stage = Stage::new().file("in.txt", "Hello\nSee you at nine.\n");
    let check = ["check", "-p", "rules.md", "--budget", "4"];
    let row = stage.json(&[&check[..], &["--cascade", "0:1"]].concat());
    assert_eq!(row["cascade"]["escalated"], true);
    let row = stage.json(&[&check[..], &["--cascade", "1:1"]].concat());
    assert_eq!(row["cascade"], serde_json::json!({"probability": row["probability"], "escalated": false}));
    assert_eq!(row["usage"]["reasoning_tokens"], 0);
    let run = stage.run(&["label", "-p", "rules.md", "--budget", "4", "--cascade", "0:1", "in.txt"]);
    assert!(run.stderr.contains("cascade  2 of 2 escalated\n"), "{run}");
    assert_transcript!([
        stage.run(&[&check[..], &["--cascade", "0.7:0.2", "Hello"]].concat()),
        stage.run(&[&check[..], &["--cascade", "0.5", "Hello"]].concat()),
        stage.run(&[&check[..], &["--cascade", "0.2:0.7", "--effort", "none", "Hello"]].concat()),
    ]);
}

#[test]
fn a_long_text_is_checked_in_pieces_where_that_is_asked_for() {
    let stage = Stage::new().file("long.txt", "Some words of a text. ".repeat(900));
    let check = |args: &[&str]| {
        stage.run(&[&["check", "-p", "rules.md", "--effort", "none", "--json", "-f", "long.txt"], args].concat())
    };
    let refused: Value = serde_json::from_str(&check(&["--context", "2000"]).stdout).unwrap();
    assert_eq!(refused["error"]["code"], "too-long");
    let pieces: Value = serde_json::from_str(&check(&["--context", "2000", "--chunk=500"]).stdout).unwrap();
    assert_eq!((&pieces["status"], &pieces["pieces"]["tokens"]), (&"ok".into(), &500.into()), "{pieces}");
}

#[test]
fn a_verdict_comes_first_then_what_it_rests_on() {
    let stage = Stage::new().file("text.txt", "Hello");
    let check = ["check", "-p", "rules.md", "--budget", "8"];
    let with = |args: &[&str]| stage.run(&[&check, args].concat());
    assert_transcript!([
        with(&["Hello"]).undecided(),
        with(&["-f", "text.txt"]).undecided(),
        stage.run_on(b"Hello\n", &check).undecided(),
        with(&["--reasoning", "Hello"]).undecided(),
        with(&["--effort", "none", "--reasoning", "Hello"]).undecided(),
    ]);
}

#[test]
fn exit_codes_tell_the_verdict() {
    let stage = Stage::new();
    let with = |args: &[&str]| stage.run(&[&["check", "-p", "rules.md", "--budget", "8"], args, &["Hello"]].concat());
    assert_transcript!([
        with(&["--threshold", "1"]).redacted(),
        with(&["--threshold", "0"]).redacted(),
        with(&["--min-mass", "1"]).redacted(),
        with(&["--context", "8"]).redacted(),
    ]);
}

#[test]
fn several_policies_give_a_verdict_each() {
    let stage = Stage::new().file("other.txt", RULES);
    let with = |args: &[&str]| {
        stage.run(&[&["check", "-p", "rules.md", "-p", "other.txt", "--effort", "none"], args, &["Hello"]].concat())
    };
    assert_transcript!([
        with(&["--threshold", "1"]).redacted(),
        with(&["--threshold", "0"]).redacted(),
        with(&["--min-mass", "1"]).redacted(),
    ]);
}

#[test]
fn a_policy_without_room_takes_no_verdict_from_the_others() {
    let long = format!("{}{RULES}", "Nor any of this. ".repeat(300));
    let stage = Stage::new().file("long.md", long);
    let check = ["check", "-p", "long.md", "-p", "rules.md", "--effort", "none", "--context", "1024"];
    let run = stage.fails(&[&check[..], &["--threshold", "0"]].concat());
    assert_eq!(run.code, 2);
    let rows = stage.json(&check);
    assert_eq!(rows["verdicts"]["long"]["error"]["code"], "too-long");
    assert_eq!(rows["verdicts"]["rules"]["status"], "ok");
    assert_transcript!([run.redacted()]);
}

#[test]
fn a_structured_policy_names_the_category_and_says_why() {
    let run = Stage::new().run(&["check", "-p", "spam", "--effort", "none", "--threshold", "0", "Hello"]);
    let first = run.stdout.lines().next().unwrap();
    let named = PolicyLibrary::shipped()
        .get("spam")
        .unwrap()
        .categories()
        .iter()
        .any(|category| first == format!("spam: violation  {} {}", category.code, category.title));
    assert!(named && run.code == 1, "{run}");
}

#[test]
fn labels_of_the_command_line_replace_those_of_a_text() {
    let stage = Stage::new().file("bare.txt", "No advertising.");
    let row = stage.json(&["check", "-p", "bare.txt", "--labels", "BAD=violation,FINE=safe", "--threshold", "0"]);
    assert_eq!((&row["verdict"], &row["label"]), (&json!("violation"), &json!("BAD")));
}

#[test]
fn steps_are_timed_on_stderr_if_asked_for() {
    let run = Stage::new().run(&["check", "-p", "rules.md", "--effort", "none", "--verbose", "Hello"]);
    let timed: Vec<&str> = run.stderr.lines().filter_map(|line| line.strip_suffix(" s")?.split(": ").next()).collect();
    assert_eq!(timed, ["the model is loaded", "rules is decoded", "the text is judged"], "{run}");
}

#[test]
fn policies_of_one_name_are_told_apart_and_each_gets_its_labels() {
    let stage = Stage::new()
        .file("spam/policy.md", RULES)
        .file("fraud/policy.md", "No fraud.\nReturn exactly one word: REMOVE or KEEP\n")
        .file("digits", "No insults.\nReturn exactly `0` (fine) or `1` (toxic).\n")
        .file("mine.yaml", PolicyLibrary::shipped().source("spam").unwrap());
    let ids = |args: &[&str]| {
        let row = stage.json(&[&["check", "--effort", "none", "--threshold", "0", "--min-mass", "0"], args].concat());
        let one = |row: &Value| format!("{}:{}", row["policy"]["id"].as_str().unwrap(), row["label"].as_str().unwrap());
        let several = row["verdicts"].as_object().map(|rows| rows.values().map(one).collect::<Vec<_>>().join(" "));
        several.unwrap_or_else(|| one(&row))
    };
    let keep = "fraud:REMOVE=violation,KEEP=safe";
    let two = ["-p", "spam/policy.md", "-p", "fraud/policy.md", "-p", "digits"];
    assert_eq!(ids(&[&two[..], &["--labels", keep]].concat()), "digits:1 fraud:REMOVE spam:INVALID");
    assert_eq!(ids(&["-p", "spam", "-p", "own=mine.yaml"]), "own:1 spam:1");
    assert_eq!(ids(&["-p", "own=spam/policy.md"]), "own:INVALID");
    // Labels that name the policy are accepted, with a note.
    let run = stage.run(&["check", "-p", "rules.md", "--labels", "rules:VALID=violation,INVALID=safe", "Hello"]);
    assert!(run.code != 2 && run.stderr.contains("note: the labels define `VALID` as a violation"), "{run}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_policy_can_come_from_a_pipe() {
    let stage = Stage::new();
    let args =
        ["check", "-p", "/dev/stdin", "--effort", "none", "--threshold", "0", "--min-mass", "0", "--json", "Hello"];
    for policy in [RULES, PolicyLibrary::shipped().source("spam").unwrap()] {
        let run = stage.run_on(policy.as_bytes(), &args);
        assert_eq!(run.code, 1, "{run}");
    }
}
