//! The command with `--remote`: runs that meet every fault, and the note about the server.

#![cfg(feature = "cli")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use magistrate::tokenizer::Token;
use serde_json::Value;

use super::{noise, tokenizer};
use crate::support;
use crate::support::remote::{Answer, Program, Stub, moody, stub};

/// A model that finds a violation in a text with an exclamation mark.
pub(super) fn finder() -> impl Fn(&[Token], &mut [f32]) + Send + Sync + 'static {
    let token = |text: &str| tokenizer().encode(text)[0];
    let (bad, no, yes) = (token("!"), token("0"), token("1"));
    let end = tokenizer().control(magistrate::harmony::Control::Return);
    move |history, logits| {
        let answered = history.last().is_some_and(|last| *last == no || *last == yes);
        let answer = if history.contains(&bad) { yes } else { no };
        logits[if answered { end } else { answer }.0 as usize] = 20.0;
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(cargo_bin("magistrate"));
    command.args(arguments).current_dir(folder).env("MAGISTRATE_NO_CONFIG", "1").env("MAGISTRATE_CACHE", folder);
    command.output().unwrap()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns a folder with a policy and texts. Every 97th text is one that a faulty server never answers.
pub(super) fn stage(rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.md"), "# Rules\nNo shouting.\nReturn exactly one of 0 or 1.\n").unwrap();
    let row = |row: usize| {
        let shout = if row.is_multiple_of(3) { "!" } else { "" };
        let poison = if row.is_multiple_of(97) { " poison" } else { "" };
        format!("{{\"id\":{row},\"text\":\"Text {row}{poison}{shout}\"}}\n")
    };
    fs::write(folder.path().join("texts.jsonl"), (0..rows).map(row).collect::<String>()).unwrap();
    folder
}

fn label(folder: &Path, stub: &Stub, output: &str) -> Output {
    let model = support::demonstration();
    let arguments = [
        "label",
        "-p",
        "rules.md",
        "--labels",
        "0=safe,1=violation",
        "--effort",
        "none",
        "texts.jsonl",
        "-o",
        output,
        "--remote",
        &stub.url,
        "--remote-timeout",
        "1",
        "--min-mass",
        "0",
        "-m",
        model.to_str().unwrap(),
    ];
    run(folder, &arguments)
}

/// Returns the rows of an output, and those of them that are errors.
fn rows(folder: &Path, output: &str) -> (Vec<Value>, usize) {
    let rows: Vec<Value> = fs::read_to_string(folder.join(output))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let errors = rows.iter().filter(|row| row["status"] == "error").count();
    (rows, errors)
}

/// Spoils some answers in each of the ways in which servers fail, while `faulty`.
fn spoiled(faulty: &AtomicBool, path: &str, number: u64, body: &Value, answer: Answer) -> Answer {
    if !faulty.load(Ordering::Relaxed) || path != "/v1/completions" {
        return answer;
    }
    let poison = tokenizer().encode(" poison");
    let poison: Vec<Value> = poison.iter().map(|token| token.0.into()).collect();
    let prompt = body["prompt"].as_array().map_or(&[][..], Vec::as_slice);
    if prompt.windows(poison.len()).any(|window| window == poison) {
        return Answer::status(200, "<html>no JSON</html>");
    }
    match number % 300 {
        0 => Answer::status(500, r#"{"error":{"message":"out of memory"}}"#),
        40 => Answer { headers: "Retry-After: 0\r\n".to_owned(), ..Answer::status(429, "") },
        80 => Answer::status(429, "{}"),
        120 => Answer { cut: Some(answer.body.len() / 2), ..answer },
        160 => Answer { cut: Some(0), ..answer },
        200 => Answer::status(200, r#"{"choices":[{"index":0,"logprobs":{"top_logprobs":[{"token_id:1":0.5}]}}]}"#),
        240 => Answer::status(200, r#"{"choices":[]}"#),
        280 if number % 1800 == 280 => Answer { wait: Duration::from_secs(3), ..answer },
        _ => answer,
    }
}

#[test]
fn whatever_a_server_does_each_row_ends_once_and_a_second_run_mends_the_rest() {
    const ROWS: usize = 10_000;
    let (folder, faulty) = (stage(ROWS), Arc::new(AtomicBool::new(true)));
    let mood = Arc::clone(&faulty);
    let server = moody(Program::Vllm, &tokenizer(), false, finder(), move |path, number, body, answer| {
        spoiled(&mood, path, number, body, answer)
    });
    let done = label(folder.path(), &server, "out.jsonl");
    let (first, errors) = rows(folder.path(), "out.jsonl");
    assert_eq!(first.len(), ROWS, "{}", text(&done.stderr));
    assert!((ROWS.div_ceil(97)..ROWS / 20).contains(&errors), "{errors} errors");
    for row in first.iter().filter(|row| row["status"] == "error") {
        assert_eq!((&row["verdict"], &row["error"]["code"]), (&Value::Null, &"engine".into()));
        assert!(!row["error"]["message"].as_str().unwrap().is_empty());
    }
    faulty.store(false, Ordering::Relaxed);
    let again = label(folder.path(), &server, "out.jsonl");
    let (mended, errors) = rows(folder.path(), "out.jsonl");
    assert_eq!((mended.len(), errors), (ROWS, 0), "{}", text(&again.stderr));
    let clean = label(folder.path(), &stub(Program::Vllm, &tokenizer(), finder()), "clean.jsonl");
    assert!(clean.stderr.starts_with(b"note: texts are sent to http://127.0.0.1:"), "{}", text(&clean.stderr));
    assert_eq!(
        fs::read(folder.path().join("out.jsonl")).unwrap(),
        fs::read(folder.path().join("clean.jsonl")).unwrap()
    );
    let violations = mended.iter().filter(|row| row["verdict"] == "violation").count();
    assert_eq!(violations, ROWS.div_ceil(3));
    assert_eq!(mended[0]["model"]["id"], "remote:vllm:gpt-oss-safeguard-20b@0.33.0");
}

#[test]
fn a_run_is_not_continued_with_another_model() {
    let (folder, swapped) = (stage(50), Arc::new(AtomicBool::new(false)));
    let other = Arc::clone(&swapped);
    let server = stub(Program::Sglang, &tokenizer(), move |history: &[Token], logits: &mut [f32]| {
        noise(history, logits);
        if other.load(Ordering::Relaxed) {
            logits.reverse();
        }
    });
    assert!(label(folder.path(), &server, "out.jsonl").status.success());
    fs::write(folder.path().join("texts.jsonl"), "{\"id\":0,\"text\":\"Text 0 poison!\"}\n{\"text\":\"new\"}\n")
        .unwrap();
    swapped.store(true, Ordering::Relaxed);
    let refused = label(folder.path(), &server, "out.jsonl");
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("canary"), "{}", text(&refused.stderr));
}

#[test]
fn a_server_is_named_by_a_flag_and_never_by_a_variable() {
    let folder = stage(1);
    let server = stub(Program::LlamaServer, &tokenizer(), finder());
    let model = support::demonstration();
    let model = model.to_str().unwrap();
    let check = |more: &[&str], variable: &str| {
        let arguments = [
            &["check", "-p", "rules.md", "--labels", "0=safe,1=violation", "--effort", "none", "--min-mass", "0"][..],
            &["-m", model, "Hello!"],
            more,
        ]
        .concat();
        let mut command = Command::new(cargo_bin("magistrate"));
        command.args(arguments).current_dir(folder.path()).env("MAGISTRATE_CACHE", folder.path());
        command.env("MAGISTRATE_NO_CONFIG", "1").env("MAGISTRATE_REMOTE", variable).output().unwrap()
    };
    let unasked = check(&[], &server.url);
    assert!(server.asked.lock().unwrap().is_empty(), "{}", text(&unasked.stderr));
    let asked = check(&["--engine", &server.url, "--json"], "");
    let row: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((&row["verdict"], asked.status.code()), (&"violation".into(), Some(1)), "{}", text(&asked.stderr));
    assert!(text(&asked.stderr).contains("llama-server:gpt-oss-safeguard-20b@b9000, at the level exact"));
    let refused = check(&["--remote", &server.url, "--reproducible"], "");
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn settings_that_need_more_than_a_level_gives_are_refused_before_a_text_is_sent() {
    let folder = stage(1);
    let server = stub(Program::Chat { logprobs: false }, &tokenizer(), finder());
    for (flags, what) in [
        (&["--threshold", "0.8"][..], "a threshold needs more than a server gives at the level chat"),
        (&["--sure", "0.9", "--effort", "low"], "an early end of the reasoning needs more"),
        (&["--cascade", "0.2:0.8", "--effort", "low"], "a cascade needs"),
    ] {
        let common = ["check", "-p", "rules.md", "--labels", "0=safe,1=violation", "Hello!", "--remote", &server.url];
        let refused = run(folder.path(), &[&common[..], flags].concat());
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(what), "{}", text(&refused.stderr));
    }
    assert!(server.asked.lock().unwrap().iter().all(|(_, _, body)| !body.to_string().contains("Hello!")));
}

#[test]
fn doctor_describes_a_server_or_names_its_fault() {
    let folder = stage(1);
    let server = stub(Program::Vllm, &tokenizer(), finder());
    let model = support::demonstration();
    let doctor = |url: &str, more: &[&str]| {
        let common = ["doctor", "--json", "-m", model.to_str().unwrap(), "--remote", url];
        let done = run(folder.path(), &[&common[..], more].concat());
        let findings: Value = serde_json::from_slice(&done.stdout).unwrap();
        let find = |subject: &str| {
            let finding = findings.as_array().unwrap().iter().find(|finding| finding["subject"] == subject);
            finding.cloned().unwrap_or_default()
        };
        (done.status.code(), find("server"), find("canary"), find("beside"))
    };
    let (code, found, canary, _) = doctor(&server.url, &["--no-canary"]);
    assert_eq!((code, &found["state"], &canary), (Some(0), &"ok".into(), &Value::Null));
    let found = found["found"].as_str().unwrap();
    assert_eq!(found, "vllm:gpt-oss-safeguard-20b@0.33.0: level exact, 8192 tokens of context, 64 texts at once");
    let (_, _, canary, beside) = doctor(&server.url, &[]);
    assert!(canary["found"].as_str().unwrap().contains("for the first time"), "{canary}");
    assert!(beside["found"].as_str().unwrap().contains("verdicts as random on this machine"), "{beside}");
    let (code, found, ..) = doctor("http://127.0.0.1:9", &[]);
    assert_eq!((code, &found["state"]), (Some(1), &"problem".into()));
    assert!(found["found"].as_str().unwrap().contains("cannot be reached"), "{found}");
}
