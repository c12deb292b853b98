//! A worker: lines in, rows out in the same order, and an answer to the end of each batch.

use crate::support;

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use magistrate::label::entry::OutputForm;
use magistrate::label::records::{InputFormat, LARGEST};
use magistrate::label::run::Settings;
use magistrate::label::worker::Worker;
use serde_json::{Value, json};

use support::scripted::{engine, judge, judge_all, options, policy, rows, source};

/// An output that the test reads while the worker writes.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// Returns the lines that are whole. A line may be written in parts.
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

/// Runs a worker on the scripted model until its input ends or it is stopped.
fn work(input: impl Read + Send + 'static, output: impl Write + Send + 'static, ids: &[&str], stop: &Arc<AtomicBool>) {
    let engine = engine(2048);
    let judges: Vec<_> = ids.iter().map(|id| judge(&engine, &policy(id), &options())).collect();
    let form = OutputForm {
        policies: ids.iter().map(ToString::to_string).collect(),
        columns: Some(Vec::new()),
        ..OutputForm::default()
    };
    let settings = Settings::default().with_own_names(true);
    let worker = Worker { engine: &engine, judges: &judges, settings: &settings, form, stop: Arc::clone(stop) };
    worker.work(BufReader::new(input), output).unwrap();
}

fn answers(input: impl Into<Vec<u8>>, ids: &[&str]) -> Vec<Value> {
    let output = Output::default();
    work(Cursor::new(input.into()), output.clone(), ids, &Arc::default());
    output.lines()
}

/// Returns the id, the verdict and the code of the error of each row, and the ends of batches.
fn short(lines: &[Value]) -> Vec<Value> {
    let short = |line: &Value| match line.get("done") {
        Some(_) => line.clone(),
        None => json!([line["id"], line["verdict"], line["error"]["code"]]),
    };
    lines.iter().map(short).collect()
}

#[test]
fn each_line_has_a_row_in_order_and_the_end_of_a_batch_comes_after_its_rows() {
    let lines = [
        r#"{"id": 1, "text": "Text!"}"#,
        r#"{"text": "Text.", "id": {"place": ["a", null]}}"#,
        "",
        "not JSON",
        r#"{"id": "b", "text": 7}"#,
        r#"{"id": null}"#,
        r#"{"id": [3], "text": ""}"#,
        r#"{"id": true, "text": "Text!", "done": 1}"#,
        "  ",
        "",
        r#"{"id": 1, "text": "Text!"}"#,
    ];
    let expected = [
        json!([1, "violation", null]),
        json!([{"place": ["a", null]}, "safe", null]),
        json!({"done": 2}),
        json!([null, null, "not-json"]),
        json!(["b", null, "wrong-type"]),
        json!([null, null, "missing-text"]),
        json!([[3], null, "empty"]),
        json!([true, "violation", null]),
        json!({"done": 5}),
        json!({"done": 0}),
        json!([1, "violation", null]),
    ];
    let found = answers(lines.join("\n"), &["rules"]);
    assert_eq!(short(&found), expected);
    assert!(found[3]["error"]["message"].as_str().unwrap().starts_with("line 4: "), "{}", found[3]);
    assert!(found.iter().all(|line| line.get("text").is_none()), "a client has its texts");
}

#[test]
fn a_line_that_is_too_large_or_cut_costs_only_its_row() {
    let large = "x".repeat(2 * LARGEST);
    let input =
        format!("\u{FEFF}\n{{\"id\": 1, \"text\": \"{large}\"}}\n{{\"id\": 2, \"text\": \"Text!\"}}\n\n{{\"id\": 3, ");
    let expected = [
        json!({"done": 0}),
        json!([null, null, "too-large"]),
        json!([2, "violation", null]),
        json!({"done": 2}),
        json!([null, null, "not-json"]),
    ];
    assert_eq!(short(&answers(input, &["rules"])), expected);
    let not_text = answers(&b"{\"id\": 1, \"text\": \"caf\xE9\"}\n\xFF\n"[..], &["rules"]);
    assert_eq!(short(&not_text), [json!([null, null, "not-utf8"]), json!([null, null, "not-utf8"])]);
}

#[test]
fn the_rows_are_those_of_label() {
    let line = |at: usize| format!("{{\"id\": {at}, \"text\": \"Text of row {}{}\"}}\n", at % 37, ["", "!"][at % 2]);
    let input: String = (0..300).map(line).collect::<String>() + "[1]\n{\"id\": 4, \"text\": null}\n";
    for ids in [&["rules"][..], &["rules", "others"]] {
        let mut labeled = Vec::new();
        let engine = engine(2048);
        let judges: Vec<_> = ids.iter().map(|id| judge(&engine, &policy(id), &options())).collect();
        let mut sink = rows(&mut labeled, ids);
        sink.form.columns = Some(Vec::new());
        judge_all(&engine, &judges, source(Cursor::new(input.clone()), InputFormat::Jsonl), &mut sink).unwrap();
        let output = Output::default();
        work(Cursor::new(input.clone()), output.clone(), ids, &Arc::default());
        // A client has one input, which needs no name.
        let labeled = String::from_utf8(labeled).unwrap().replace("\"input: line ", "\"line ");
        let worked = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        assert_eq!(worked.lines().count(), 302);
        assert_eq!(worked.lines().zip(labeled.lines()).find(|(one, other)| one != other), None);
    }
}

#[test]
fn a_client_that_waits_gets_its_rows_before_it_sends_more() {
    let (input, mut send) = io::pipe().unwrap();
    let (receive, output) = io::pipe().unwrap();
    let thread = std::thread::spawn(move || work(input, output, &["rules"], &Arc::default()));
    let mut lines = BufReader::new(receive).lines();
    for batch in 0..5 {
        for id in 0..40 {
            writeln!(send, "{{\"id\": {id}, \"text\": \"Text {batch} {id}\"}}").unwrap();
        }
        // Rows do not wait for the end of the batch.
        for id in 0..40 {
            let row: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(row["id"], id);
        }
        writeln!(send).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), r#"{"done":40}"#);
    }
    drop(send);
    assert!(lines.next().is_none(), "the end of the input ends it");
    thread.join().unwrap();
}

#[test]
fn a_stop_answers_the_lines_that_were_read_and_does_not_wait_for_the_rest_of_one() {
    let (input, mut send) = io::pipe().unwrap();
    let (output, stop) = (Output::default(), Arc::<AtomicBool>::default());
    let (rows, flag) = (output.clone(), Arc::clone(&stop));
    let thread = std::thread::spawn(move || work(input, rows, &["rules"], &flag));
    write!(send, "{{\"id\": 1, \"text\": \"Text!\"}}\n\n{{\"id\": 2, \"te").unwrap();
    while output.lines().len() < 2 {
        std::thread::yield_now();
    }
    stop.store(true, Ordering::Relaxed);
    // The input stays open.
    thread.join().unwrap();
    assert_eq!(short(&output.lines()), [json!([1, "violation", null]), json!({"done": 1})]);
    drop(send);
}

#[test]
fn a_client_that_reads_no_further_ends_the_worker() {
    let (input, mut send) = io::pipe().unwrap();
    let (receive, output) = io::pipe().unwrap();
    let thread = std::thread::spawn(move || work(input, output, &["rules"], &Arc::default()));
    drop(receive);
    while writeln!(send, "{{\"id\": 1, \"text\": \"Text!\"}}").is_ok() {
        if thread.is_finished() {
            break;
        }
    }
    thread.join().unwrap();
}
