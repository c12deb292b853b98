//! How the process ends: on a signal, and when nobody reads its output any more.
#![cfg(all(unix, feature = "cli"))]

use crate::support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use support::synth::Shape;

/// `label` by two words over what is written to its stdin.
fn label(model: &Path, arguments: &[&str]) -> Child {
    let rules = model.with_file_name("rules.txt");
    std::fs::write(&rules, "Judge it.").unwrap();
    Command::new(env!("CARGO_BIN_EXE_magistrate"))
        .args(["label", "--min-mass", "0", "--effort", "none", "--labels", "0=safe,1=violation", "-p"])
        .arg(rules)
        .arg("-m")
        .arg(model)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn interrupt(child: &Child) {
    send("-INT", child);
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Its exit status, its stderr and how long it took; it is killed if it takes too long.
fn end(mut child: Child) -> (ExitStatus, String, Duration) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap(), said, begun.elapsed())
}

/// A run in the middle of a content that takes minutes to read, its first row written.
fn in_a_long_prefill(model: &Path) -> (Child, impl BufRead) {
    let mut child = label(model, &["--context", "120000"]);
    let mut stdin = child.stdin.take().unwrap();
    let long = "word ".repeat(100_000);
    std::thread::spawn(move || {
        let _ = write!(stdin, "short\n{long}\nanother\n");
        // Open for as long as the process lives.
        std::thread::sleep(Duration::from_mins(1));
    });
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    let mut row = String::new();
    rows.read_line(&mut row).unwrap();
    assert!(row.contains("\"text\":\"short\""), "{row}");
    std::thread::sleep(Duration::from_millis(500));
    (child, rows)
}

#[test]
fn the_first_sigint_gives_what_is_at_work_five_seconds_even_in_a_long_prefill() {
    let (_folder, model) = support::model(&Shape::exact());
    let (child, mut rows) = in_a_long_prefill(&model);
    interrupt(&child);
    let (status, said, time) = end(child);
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("stopped after 1 row: "), "{said}");
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&time), "{time:?}");
    let mut rest = String::new();
    rows.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "what is written is whole rows");
}

#[test]
fn the_second_sigint_ends_it_at_once() {
    let (_folder, model) = support::model(&Shape::exact());
    let (child, _rows) = in_a_long_prefill(&model);
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let (status, _, time) = end(child);
    assert_eq!(status.signal(), Some(2));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn a_sigint_while_rows_go_by_loses_none_of_those_written() {
    let (_folder, model) = support::model(&Shape::tiny());
    let mut child = label(&model, &[]);
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || while writeln!(stdin, "A text.").is_ok() {});
    let rows = BufReader::new(child.stdout.take().unwrap());
    let mut count = 0;
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(&row.unwrap()).unwrap();
        assert_eq!(row["status"], "ok");
        count += 1;
        if count == 50 {
            interrupt(&child);
        }
    }
    let (status, said, _) = end(child);
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains(&format!("stopped after {count} rows: ")), "{count}: {said}");
}

#[test]
fn a_stopped_label_exits_130_whatever_lets_rows_out_and_whichever_signal_stops_it() {
    let (_folder, model) = support::model(&Shape::tiny());
    for (signal, flags) in [("-TERM", &["--threshold", "1"][..]), ("-INT", &["--threshold", "1", "--only", "safe"])] {
        let mut child = label(&model, flags);
        let mut stdin = child.stdin.take().unwrap();
        std::thread::spawn(move || while writeln!(stdin, "A text.").is_ok() {});
        let rows = BufReader::new(child.stdout.take().unwrap());
        for (number, row) in rows.lines().enumerate() {
            assert!(row.unwrap().contains("A text."));
            if number == 20 {
                send(signal, &child);
            }
        }
        let (status, said, _) = end(child);
        assert_eq!(status.code(), Some(130), "{signal} {flags:?}: {said}");
    }
}

#[test]
fn it_ends_by_itself_when_nobody_reads_any_more() {
    let (_folder, model) = support::model(&Shape::tiny());
    let mut child = label(&model, &["--only", "safe"]);
    let mut stdin = child.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || while writeln!(stdin, "A text.").is_ok() {});
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "A text.\n");
    }
    drop(lines);
    let (status, said, _) = end(child);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("error") && !said.contains("panicked"), "{said}");
    feeding.join().unwrap();
}

#[test]
fn a_check_is_ended_by_a_signal_as_any_program_is() {
    let (_folder, model) = support::model(&Shape::tiny());
    let rules = model.with_file_name("rules.txt");
    std::fs::write(&rules, "Answer VALID or INVALID.").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_magistrate"))
        .args(["check", "-p"])
        .arg(rules)
        .arg("-m")
        .arg(model)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It waits for its text.
    std::thread::sleep(Duration::from_millis(300));
    // Not SIGINT: a shell starts its background jobs with that one ignored, and so would this test be.
    send("-TERM", &child);
    let stdin = child.stdin.take();
    let (status, _, _) = end(child);
    drop(stdin);
    assert_eq!((status.code(), status.signal()), (None, Some(15)), "a shell says 143");
}
