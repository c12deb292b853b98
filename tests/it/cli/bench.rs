//! `bench`.

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::{Stage, transcript};
use crate::support;

#[test]
fn a_bench_reports_what_it_measured() {
    let stage = Stage::new().file("in.txt", "Hello\n\nSee you at nine.\n");
    let small = ["bench", "--policy", "40", "--content", "20", "--items", "4", "--parallel", "2"];
    let report = |args: &[&str]| {
        let run = stage.run(&[args, &["--json"]].concat());
        serde_json::from_str::<Value>(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"))
    };
    for layout in ["unified", "split"] {
        let run = |args: &[&str]| report(&[&small[..], &["--layout", layout], args].concat());
        let tokens = |report: Value| report["decoded_tokens"].as_u64().unwrap();
        assert_eq!(tokens(run(&["--output", "10"])), 4 * (20 + 10 - 1), "the last one sampled is not decoded");
        assert_eq!(tokens(run(&["--output", "10", "--fixed", "6"])), 4 * (20 + 10));
        assert_eq!(tokens(run(&["--output", "0"])), 4 * 20);
    }
    let judged = report(&["bench", "-p", "spam", "--data", "in.txt", "--effort", "none"]);
    assert_eq!(judged["items"], 2);
    assert!(judged["items_per_s"].as_f64() > Some(0.0), "{judged}");
    assert!(judged["inside"].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share)), "{judged}");
    let table = stage.run(&small);
    assert!(table.stdout.starts_with("work       4 items of 20 + 60 tokens, of which 0 appended"), "{table}");
    let pairs = report(&[&small[..], &["--pairs", "2", "--versus", "--parallel 1"]].concat());
    assert_eq!(pairs.as_array().unwrap().len(), 2);
    assert_transcript!([
        stage.run(&["bench", "-p", "spam"]),
        stage.run(&["bench", "--data", "in.txt"]),
        stage.run(&["bench", "--items", "0"]),
    ]);
}

#[test]
fn what_a_bench_found_to_be_fastest_is_what_texts_are_labelled_with_until_it_is_forgotten() {
    let stage = Stage::new();
    let model = support::demonstration();
    let fit_with = |flags: &[&str]| {
        let run = stage.run(&[&["model", "fit", model.to_str().unwrap(), "--json"], flags].concat());
        serde_json::from_str::<Value>(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"))
    };
    let fit = || fit_with(&[]);
    let setting = |of: &Value| ["parallel", "workers"].map(|name| of[name].as_u64().unwrap());
    let untuned = fit();
    let work = ["bench", "--tune", "--policy", "10", "--content", "4", "--output", "2", "--items", "8"];
    let run = stage.run(&[&work[..], &["--pairs", "1", "--json"]].concat());
    let tuned: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"));
    assert!(!tuned["tried"].as_array().unwrap().is_empty(), "{run}");
    assert!(run.stderr.contains("label, eval, verify and bench judge"), "{run}");
    assert_eq!(setting(&fit()), setting(&tuned["fastest"]));
    let remembered = std::fs::read_dir(stage.path("cache/tuned")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&remembered, r#"{"parallel":5,"workers":1,"layout":"split"}"#).unwrap();
    let split = fit();
    assert_eq!(setting(&split), [5, 1]);
    assert!(split["flags"].as_str().unwrap().contains("--layout split"), "{split}");
    assert_eq!(setting(&fit_with(&["--parallel", "3"])), [3, 1]);
    assert_eq!(setting(&fit_with(&["--for", "check"])), [1, 1]);
    let other = fit_with(&["--repack"]);
    assert_eq!(setting(&other), setting(&untuned), "it was not measured so");
    for damaged in [
        r#"{"parallel":0,"workers":1,"layout":"split"}"#,
        r#"{"parallel":8,"workers":9,"layout":"split"}"#,
        r#"{"parallel":8,"workers":1"#,
        "",
    ] {
        std::fs::write(&remembered, damaged).unwrap();
        assert_eq!(setting(&fit()), setting(&untuned), "{damaged}");
    }
    assert_transcript!([
        stage.run(&[&work[..], &["--reproducible"]].concat()),
        stage.run(&[&work[..], &["--parallel", "4"]].concat()),
        stage.run(&[&work[..], &["--pairs", "0"]].concat()),
    ]);
}
