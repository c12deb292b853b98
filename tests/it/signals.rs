//! The end of the process: on a signal, and when its output is no longer read.
#![cfg(all(unix, feature = "cli"))]

use crate::support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use support::synth::Shape;

/// Starts `label` over the lines that are written to its stdin.
fn label(model: &Path, arguments: &[&str]) -> Child {
    start("label", model, arguments)
}

fn start(verb: &str, model: &Path, arguments: &[&str]) -> Child {
    let rules = model.with_file_name("rules.txt");
    std::fs::write(&rules, "Judge it.").unwrap();
    Command::new(env!("CARGO_BIN_EXE_magistrate"))
        .args([verb, "--min-mass", "0", "--effort", "none", "--labels", "0=safe,1=violation", "-p"])
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

/// Returns the exit status of a process, its stderr, and the time until its end. Kills a process that takes too long.
fn end(mut child: Child) -> (ExitStatus, String, Duration) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        // The long texts take minutes, so a process that ends within this time has given them up.
        if begun.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap(), stderr, begun.elapsed())
}

/// Waits until a file of the process in `/proc` has what `there` looks for. Systems without `/proc` get a second.
fn wait_until(child: &Child, file: &str, there: impl Fn(&str) -> bool) {
    let begun = Instant::now();
    let file = format!("/proc/{}/{file}", child.id());
    while let Ok(text) = std::fs::read_to_string(&file) {
        if there(&text) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{file}: {text}");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_secs(1));
}

/// Returns the fields of `/proc/PID/stat` from the state on.
fn stat(text: &str) -> Vec<&str> {
    text.rsplit_once(") ").unwrap().1.split(' ').collect()
}

/// Returns the time that a process has computed, in ticks of 10 ms.
fn computed(stat: &[&str]) -> u64 {
    stat[11].parse::<u64>().unwrap() + stat[12].parse::<u64>().unwrap()
}

/// Starts a run and waits until it is in the middle of a content that takes minutes to read, with its first row written.
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
    // A second of computing is far more than reading the text and turning it into tokens takes.
    let before = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
    let before = before.map_or(0, |text| computed(&stat(&text)));
    wait_until(&child, "stat", |text| computed(&stat(text)) >= before + 100);
    (child, rows)
}

#[test]
fn the_first_sigint_gives_what_is_at_work_five_seconds_even_in_a_long_prefill() {
    let (_folder, model) = support::model(&Shape::exact());
    let (child, mut rows) = in_a_long_prefill(&model);
    interrupt(&child);
    let (status, messages, time) = end(child);
    assert_eq!(status.code(), Some(130), "{messages}");
    assert!(messages.contains("stopped after 1 row: "), "{messages}");
    assert!(messages.contains("stopping: finishing 2 texts (Ctrl-C again to stop now)\n"), "{messages}");
    // The end has no bound but that of `end`: a busy machine may be late.
    assert!(time >= Duration::from_secs(4), "{time:?}");
    let mut rest = String::new();
    rows.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "what is written is whole rows");
}

#[test]
fn the_second_sigint_ends_it_at_once() {
    let (_folder, model) = support::model(&Shape::exact());
    let (child, _rows) = in_a_long_prefill(&model);
    interrupt(&child);
    // Two signals that are pending at once would be one.
    wait_until(&child, "status", |text| text.contains("ShdPnd:\t0000000000000000"));
    interrupt(&child);
    let (status, stderr, _) = end(child);
    // The first signal alone would end it after five seconds with code 130.
    assert_eq!((status.code(), status.signal()), (None, Some(2)), "{stderr}");
    // Nothing keeps the rows of an output that is a pipe.
    assert!(stderr.contains("(Ctrl-C again to stop now)\n") && stderr.ends_with("\nstopped\n"), "{stderr}");
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
    let (status, messages, _) = end(child);
    assert_eq!(status.code(), Some(130), "{messages}");
    assert!(messages.contains(&format!("stopped after {count} rows: ")), "{count}: {messages}");
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
        let (status, messages, _) = end(child);
        assert_eq!(status.code(), Some(130), "{signal} {flags:?}: {messages}");
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
    let (status, messages, _) = end(child);
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(!messages.contains("error") && !messages.contains("panicked"), "{messages}");
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
    // It sleeps while it waits for its text.
    wait_until(&child, "stat", |text| text.contains("(magistrate) ") && stat(text)[0] == "S");
    // SIGINT may be ignored here: a shell ignores it for its background jobs.
    send("-TERM", &child);
    let stdin = child.stdin.take();
    let (status, _, _) = end(child);
    drop(stdin);
    assert_eq!((status.code(), status.signal()), (None, Some(15)), "a shell says 143");
}

#[test]
fn a_worker_answers_the_lines_that_it_has_read_before_a_signal_ends_it() {
    let (_folder, model) = support::model(&Shape::tiny());
    for signal in ["-TERM", "-INT"] {
        let mut child = start("worker", &model, &[]);
        let mut stdin = child.stdin.take().unwrap();
        let feeding = std::thread::spawn(move || {
            let line = |id: u32| format!("{{\"id\": {id}, \"text\": \"A text with the number {id}.\"}}\n");
            (0..u32::MAX).find(|id| stdin.write_all(line(*id).as_bytes()).is_err());
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
        let greeting: serde_json::Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        assert_eq!((&greeting["worker"], greeting["terms"]["model"].is_string()), (&1.into(), true), "{greeting}");
        for (number, row) in lines.enumerate() {
            let row: serde_json::Value = serde_json::from_str(&row).unwrap();
            assert_eq!((&row["id"], &row["status"]), (&number.into(), &"ok".into()));
            if number == 20 {
                send(signal, &child);
            }
        }
        let (status, messages, _) = end(child);
        assert_eq!(status.code(), Some(0), "{signal}: {messages}");
        assert!(messages.contains("stopping"), "{messages}");
        feeding.join().unwrap();
    }
}

#[test]
fn a_second_signal_ends_a_worker_in_the_middle_of_a_text() {
    let (_folder, model) = support::model(&Shape::exact());
    let mut child = start("worker", &model, &["--context", "120000"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    let before = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
    let before = before.map_or(0, |text| computed(&stat(&text)));
    writeln!(stdin, "{{\"text\": \"{}\"}}", "word ".repeat(100_000)).unwrap();
    wait_until(&child, "stat", |text| computed(&stat(text)) >= before + 100);
    interrupt(&child);
    wait_until(&child, "status", |text| text.contains("ShdPnd:\t0000000000000000"));
    interrupt(&child);
    let (status, messages, _) = end(child);
    assert_eq!((status.code(), status.signal()), (None, Some(2)), "{messages}");
}

#[test]
fn a_worker_ends_with_its_input_and_prints_its_terms_without_the_weights() {
    let (_folder, model) = support::model(&Shape::tiny());
    let mut child = start("worker", &model, &[]);
    child.stdin.take().unwrap().write_all(b"{\"id\": \"a\", \"text\": \"A text.\"}").unwrap();
    let mut lines = String::new();
    child.stdout.take().unwrap().read_to_string(&mut lines).unwrap();
    let (status, messages, _) = end(child);
    assert_eq!((status.code(), lines.lines().count()), (Some(0), 2), "{lines} {messages}");
    let mut child = start("worker", &model, &["--terms"]);
    let mut terms = String::new();
    child.stdout.take().unwrap().read_to_string(&mut terms).unwrap();
    assert_eq!(end(child).0.code(), Some(0));
    assert_eq!(terms.lines().next(), lines.lines().next());
}
