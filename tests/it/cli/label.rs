//! `label`: a stream of texts.

use std::fs;

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::{LABEL, Run, Stage, timeless, transcript};

#[test]
fn a_stream_of_texts_is_labelled_and_its_end_told() {
    let input = "{\"id\": 1, \"text\": \"Hello\", \"label\": \"mine\"}\n{\"id\": 2}\nquetzal\n";
    let stage = Stage::new().file("in.jsonl", input).file("in.csv", "id,text\nx1,\"a, b\"\nx2,\n");
    let label = |args: &[&str]| {
        let run = stage.run(&[&["label", "-p", "rules.md", "--effort", "none", "--threshold", "0"], args].concat());
        let rows = run.stdout.lines().map(|line| {
            let mut row: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            for ours in ["policy", "model", "template", "version", "usage"] {
                row.remove(ours);
            }
            for number in ["probability", "label_probability", "mass"] {
                row.insert(number.to_owned(), if row[number].is_null() { Value::Null } else { "[number]".into() });
            }
            serde_json::to_string(&row).unwrap() + "\n"
        });
        let stdout = if args.contains(&"--only") { run.stdout.clone() } else { rows.collect() };
        timeless(Run { stdout, ..run })
    };
    let (jsonl, csv) = (label(&["in.jsonl"]), label(&["in.csv"]));
    let only = label(&["--only", "violation", "in.csv"]);
    let none = label(&["--only", "safe", "in.jsonl"]);
    assert_eq!((jsonl.code, csv.code, only.code, none.code), (3, 3, 0, 2));
    assert_transcript!([jsonl, csv, only, none]);
}

#[test]
fn rows_of_a_stream_fit_its_schema() {
    let stage = Stage::new().file("in.jsonl", "{\"id\": 1, \"text\": \"Hello\", \"x\": {}}\nno\n");
    let schema: Value = serde_json::from_str(&stage.run(&["label", "--schema"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for policies in [&["-p", "rules.md"][..], &["-p", "rules.md", "-p", "spam"]] {
        let run = stage.run(&[&["label", "in.jsonl", "--effort", "none"], policies].concat());
        let rows: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2, "{run}");
        for row in rows {
            assert!(validator.is_valid(&row), "{row}");
        }
    }
}

#[test]
fn a_stream_that_cannot_be_labelled_says_why_before_a_model_is_loaded() {
    let stage = Stage::new()
        .file("in.csv", "id,body\n1,quetzal\n")
        .file("in.txt", "quetzal\n")
        .file("out.jsonl", "something\n")
        .file("twice.csv", "text,text\nquetzal,quetzal\n");
    let label = |args: &[&str]| {
        let run = stage.run(&[&["label", "-p", "rules.md", "-m", "absent.gguf"], args].concat());
        run.keeps_the_secret()
    };
    assert_transcript!([
        label(&["absent.csv"]),
        label(&["."]),
        label(&["in.csv"]),
        label(&["twice.csv"]),
        label(&["in.txt", "--text", "body"]),
        label(&["in.txt", "-o", "out.jsonl"]),
        label(&["in.txt", "-o", "in.txt"]),
        label(&["in.txt", "-o", "absent/out.jsonl"]),
    ]);
}

#[test]
fn rows_go_to_a_file_and_all_policies_judge_each() {
    let stage = Stage::new().file("in.txt", "Hello\nAgain\n");
    let run = stage.run(&["label", "-p", "rules.md", "-p", "spam", "--effort", "none", "in.txt", "-o", "out.jsonl"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run}");
    let rows = fs::read_to_string(stage.path("out.jsonl")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    for (row, text) in rows.iter().zip(["Hello", "Again"]) {
        assert_eq!(row["text"], text);
        assert!(["rules", "spam"].iter().all(|policy| row["verdicts"][policy]["status"] == "ok"), "{row}");
    }
}

#[test]
fn the_same_command_goes_on_and_another_is_refused_with_what_is_different() {
    let stage = Stage::new().file("in.txt", "Hello\nSee you.\nHello\n").file("mine.jsonl", "{}\n");
    let label = |args: &[&str]| timeless(stage.run(&[&LABEL[..], args].concat())).redacted();
    let first = label(&["in.txt", "-o", "out.jsonl"]);
    let rows = fs::read_to_string(stage.path("out.jsonl")).unwrap();
    fs::remove_file(stage.path("out.jsonl")).unwrap();
    let again = label(&["in.txt", "-o", "out.jsonl"]);
    assert_eq!(fs::read_to_string(stage.path("out.jsonl")).unwrap(), rows, "it is made of the journal");
    let other = label(&["in.txt", "-o", "out.jsonl", "--min-mass", "0.5"]);
    let mixed = label(&["in.txt", "-o", "out.jsonl", "--min-mass", "0.5", "--mix"]);
    let taken = label(&["in.txt", "-o", "mine.jsonl"]);
    assert_eq!(fs::read_to_string(stage.path("mine.jsonl")).unwrap(), "{}\n");
    fs::write(stage.path("in.txt"), "Hello\nSee you!\nHello\n").unwrap();
    let changed = label(&["in.txt", "-o", "out.jsonl"]);
    let restarted = label(&["in.txt", "-o", "out.jsonl", "--restart"]);
    assert!(stage.path("out.jsonl.journal.1").exists());
    assert_eq!(
        [first.code, again.code, other.code, mixed.code, taken.code, changed.code, restarted.code],
        [0, 0, 2, 0, 2, 2, 0]
    );
    assert_transcript!([first, again, other, mixed, taken, changed, restarted]);
}

#[test]
fn what_comes_packed_or_as_requests_goes_out_in_kind() {
    use flate2::{Compression, read::GzDecoder, write::GzEncoder};
    use std::io::{Read as _, Write as _};

    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(b"id,text\n1,Hello\n").unwrap();
    let requests = [
        ("chat/completions", r#"{"messages":[{"role":"user","content":"Hello"}]}"#),
        ("moderations", r#"{"input":""}"#),
    ]
    .map(|(url, body)| format!(r#"{{"custom_id":"{url}","method":"POST","url":"/v1/{url}","body":{body}}}"#) + "\n");
    let stage = Stage::new().file("in.csv.gz", packer.finish().unwrap()).file("in.jsonl", requests.concat());
    let run = stage.run(&[&LABEL[..], &["in.csv.gz", "-o", "out.jsonl.gz"]].concat());
    assert_eq!(run.code, 0, "{run}");
    let mut rows = String::new();
    GzDecoder::new(fs::File::open(stage.path("out.jsonl.gz")).unwrap()).read_to_string(&mut rows).unwrap();
    let row: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!((&row["id"], &row["verdict"], &row["text"]), (&"1".into(), &"violation".into(), &"Hello".into()));

    let run = stage.run(&[&LABEL[..], &["in.jsonl", "--format", "batch"]].concat());
    assert_eq!(run.code, 3, "{run}");
    let results: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = results[0]["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(message).unwrap()["verdict"], "violation");
    assert_eq!((&results[0]["custom_id"], &results[0]["error"]), (&"chat/completions".into(), &Value::Null));
    assert_eq!((&results[1]["response"], &results[1]["error"]["code"]), (&Value::Null, &"empty".into()));
    let left = fs::read_dir(stage.path("cache/journals")).unwrap().count();
    assert_eq!(left, 0, "what was kept on the way to stdout is gone");
}

#[test]
fn a_dry_run_counts_and_measures_and_writes_nothing() {
    let stage = Stage::new()
        .file("in.jsonl", "{\"text\":\"Hello\"}\n{\"text\":\"Hello\"}\n{\"text\":\"See you at nine.\"}\nno\n");
    let run = stage.run(&[&LABEL[..], &["in.jsonl", "--dry-run"]].concat());
    assert_eq!(run.code, 0, "{run}");
    let counted = "rows      4\nno text   1 of them: not JSON (1)\ntexts     2 distinct texts\ntokens    ";
    assert!(run.stdout.starts_with(counted) && run.stdout.contains("\ntime      about "), "{run}");
    let run = stage.run(&[&LABEL[..], &["in.jsonl", "--dry-run", "--summary", "-", "-o", "out.jsonl"]].concat());
    assert!(!stage.path("out.jsonl").exists());
    let plan: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&plan["rows"], &plan["texts"], &plan["measured"]["texts"]), (&4.into(), &2.into(), &2.into()));
}

#[test]
fn verdicts_of_earlier_runs_are_remembered_where_that_is_asked_for_and_the_cache_can_be_cleared() {
    let stage = Stage::new().file("a.txt", "Hello\nSee you.\n").file("b.txt", "Hello\nGoodbye.\n");
    let label = |args: &[&str]| {
        let run = stage.run(&[&LABEL[..], &["--summary", "summary.json"], args].concat());
        assert_eq!(run.code, 0, "{run}");
        serde_json::from_slice::<Value>(&fs::read(stage.path("summary.json")).unwrap()).unwrap()["reused"].clone()
    };
    assert_eq!(label(&["--cache", "a.txt"]), 0);
    assert_eq!(label(&["--cache", "b.txt"]), 1);
    assert_eq!(label(&["b.txt"]), 0);
    assert_eq!(label(&["--cache", "--seed", "1", "a.txt"]), 0, "other terms");
    assert!(stage.run(&["cache"]).stdout.contains("MB  verdicts\n"));
    assert_eq!(stage.run(&["cache", "clear"]).code, 0);
    assert_eq!(fs::read_dir(stage.path("cache")).unwrap().count(), 0);
    assert_eq!(label(&["--cache", "b.txt"]), 0);
}

#[test]
fn several_columns_make_a_text_and_those_that_are_wanted_go_along() {
    let stage = Stage::new().file("in.csv", "q,a,n\nHow?,So.,1\n").file("more.csv", "q,a,n\nWhy?,,2\n");
    let label = |args: &[&str]| {
        let run = stage.run(&[&LABEL[..], &["--fields", "verdict,usage"], args].concat());
        run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let rows = label(&["*.csv", "--pair", "q,a", "--columns", "n"]);
    assert_eq!((rows.len(), &rows[0]["n"], &rows[1]["n"]), (2, &"1".into(), &"2".into()));
    assert_eq!(rows[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["verdict", "usage", "n"]);
    let tokens = |rows: &[Value]| rows[0]["usage"]["content_tokens"].as_u64().unwrap();
    let template = label(&["in.csv", "--text-template", "{q}"]);
    assert!(tokens(&template) < tokens(&rows));
    assert_eq!(tokens(&template), tokens(&label(&["in.csv", "--text-column", "1"])));
}
