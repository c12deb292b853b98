//! `calibrate` and certificates.

use std::fs;

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::{RULES, Stage, transcript};

#[test]
fn a_certificate_decides_nothing_under_other_terms() {
    let stage = Stage::new()
        .file("golden.jsonl", "{\"text\":\"a\",\"label\":0}\n{\"text\":\"b\",\"label\":1}\n")
        .file("in.jsonl", "{\"text\":\"Hello\",\"q\":\"Hello\"}\n")
        .file("other.md", RULES.replace("advertising", "prizes"))
        .file("templates/policy.md.jinja", "{{ policy.title }}");
    let own = ["--effort", "low", "--budget", "8", "--min-mass", "0", "--threshold", "0.5"];
    let eval = stage.run(&[&["eval", "-p", "rules.md", "golden.jsonl", "--json"], &own[..]].concat());
    let mut evaluation: Value = serde_json::from_str(&eval.stdout).unwrap();
    let row = evaluation["rows"][0].clone();
    let rows = (0..800).map(|number| {
        let mut row = row.clone();
        row["hash"] = format!("{number:032x}").into();
        row["probability"] = (f64::from(number % 100) / 100.0).into();
        row["expected"]["verdict"] = if number % 100 > 50 { "violation" } else { "safe" }.into();
        row
    });
    evaluation["rows"] = rows.collect();
    fs::write(stage.path("eval.json"), evaluation.to_string()).unwrap();
    let issued = stage.run(&["calibrate", "-p", "rules.md", "--from", "eval.json", "--alpha", "0.1", "-o", "c.json"]);
    assert_eq!(issued.code, 0, "{issued}");
    let label = |policy: &str, flags: &[&str]| {
        let label = ["label", "in.jsonl", "-p", policy, "--certificate", "c.json"];
        stage.run(&[&label[..], flags].concat())
    };
    let held = label("rules.md", &own);
    assert!(held.code == 0 && held.stdout.contains("\"decision\":"), "{held}");
    // A run without the certificate gets the same decisions from its journal.
    let run =
        |flags: &[&str]| stage.run(&[&["label", "in.jsonl", "-p", "rules.md", "-o", "run.jsonl"], flags].concat());
    run(&own);
    let merge = |flags: &[&str]| stage.run(&[&["merge", "run.jsonl"], flags].concat());
    let anew = merge(&["--certificate", "c.json"]);
    assert_eq!((anew.code, &anew.stdout), (held.code, &held.stdout), "{anew}");
    let other = merge(&["--certificate", "c.json", "--threshold", "0.25"]);
    assert!(other.code == 2 && other.stderr.contains("c.json: it was issued for another --threshold ("), "{other}");
    let merged = stage.run(&["merge", "run.jsonl", "--certificate", "eval.json"]);
    assert!(merged.code == 2 && merged.stderr.contains("eval.json: it is no certificate"), "{merged}");
    // A setting that changes no probability is not compared.
    let same = label("rules.md", &[&own[..], &["--seed", "7", "--reasoning", "--max-content-tokens", "900"]].concat());
    assert_eq!(same.code, 0, "{same}");
    let less = &own[..4];
    let others: [(&str, &[&str], &[&str]); 16] = [
        ("--budget", &own, &["--budget", "9"]),
        ("--cascade", &own, &["--cascade", "0.1:0.9"]),
        ("--temperature", &own, &["--temperature", "2"]),
        ("--seed", &own, &["--temperature", "2", "--seed", "1"]),
        ("--chunk", &own, &["--chunk=8"]),
        ("--date", &own, &["--date", "tomorrow"]),
        ("--kv", &own, &["--kv", "q8_0"]),
        ("effort", &own, &["--effort", "high"]),
        ("effort", &own, &["--effort", "none"]),
        ("--min-mass", &own, &["--min-mass", "0.25"]),
        ("--threshold", &own, &["--threshold", "0.25"]),
        ("--threshold", less, &["--min-mass", "0"]),
        ("text", &own, &["--text-template", "{q}: {text}"]),
        ("text", &own, &["--pair", "q,text"]),
        ("template", &own, &["--templates", "templates"]),
        ("policy", &own, &[]),
    ];
    for (name, flags, other) in others {
        // A flag that is given again replaces the one before it.
        let kept: Vec<&str> = flags.chunks(2).filter(|pair| !other.contains(&pair[0])).flatten().copied().collect();
        let run = label(if name == "policy" { "other.md" } else { "rules.md" }, &[&kept[..], other].concat());
        assert!(run.code == 2 && run.stdout.is_empty(), "{name}: {run}");
        assert!(
            run.stderr.contains("c.json: it was issued for") && run.stderr.contains(&format!("another {name} (")),
            "{run}"
        );
    }
    let old = "{\"about\":{},\"map\":{},\"alpha\":0.1}";
    fs::write(stage.path("old.json"), old).unwrap();
    let old = stage.run(&["check", "-p", "rules.md", "--certificate", "old.json", "Hello"]);
    assert!(old.code == 2 && old.stderr.contains("old.json: it is a certificate of an earlier version"), "{old}");
}

#[test]
fn a_certificate_says_what_may_be_acted_on_and_only_for_what_it_was_issued_for() {
    // Rows of an evaluation: the higher the probability, the more often it is right.
    let golden = "{\"text\":\"a\",\"label\":0}\n{\"text\":\"b\",\"label\":1}\n";
    let stage = Stage::new().file("golden.jsonl", golden).file("in.txt", "Hello\n");
    let options = ["-p", "rules.md", "--effort", "none", "--min-mass", "0"];
    let eval = stage.run(&[&["eval", "golden.jsonl", "--json"], &options[..]].concat());
    let mut evaluation: Value = serde_json::from_str(&eval.stdout).unwrap();
    let row = evaluation["rows"][0].clone();
    let rows = (0..800).map(|number| {
        let mut row = row.clone();
        let sure = f64::from(number % 100) / 100.0;
        row["hash"] = format!("{number:032x}").into();
        row["probability"] = sure.into();
        row["expected"]["verdict"] = if (sure > 0.5) == (number % 50 != 7) { "violation" } else { "safe" }.into();
        row
    });
    evaluation["rows"] = rows.collect();
    fs::write(stage.path("eval.json"), evaluation.to_string()).unwrap();
    let issued = stage.run(&[
        "calibrate",
        "-p",
        "rules.md",
        "--from",
        "eval.json",
        "--alpha",
        "0.1",
        "-o",
        "c.json",
        "--trials",
        "20",
    ]);
    assert!(issued.code == 0 && issued.stdout.contains("\ntrials     20 of 20 certificates issued, "), "{issued}");
    assert!(issued.stdout.contains("Remove automatically: when calibrated P(violation) >= 0."), "{issued}");
    assert!(issued.stdout.contains("\nKeep automatically: when calibrated P(violation) <= 0."), "{issued}");
    // The evaluation names its policy itself.
    let json = stage.run(&["calibrate", "--from", "eval.json", "--alpha", "0.1", "--json"]);
    let file: Value = serde_json::from_str(&fs::read_to_string(stage.path("c.json")).unwrap()).unwrap();
    assert_eq!((json.code, serde_json::from_str::<Value>(&json.stdout).unwrap()), (0, file), "{json}");
    // Few violations among many other texts: the promise is kept, and many of them may slip through.
    let (mut rare, mut number) = (evaluation.clone(), 0);
    let rows = rare["rows"].as_array_mut().unwrap();
    rows.retain(|row| {
        number += 1;
        row["expected"]["verdict"] == "safe" || number % 10 == 0
    });
    fs::write(stage.path("rare.json"), rare.to_string()).unwrap();
    let rare = stage.run(&["calibrate", "--from", "rare.json", "--alpha", "0.1"]);
    assert!(rare.stdout.starts_with("Remove automatically: never (only about "), "{rare}");
    assert!(rare.stderr.contains(" of all rows are violations, so 10 % errors may mean that up to "), "{rare}");
    assert!(rare.stderr.contains(" of them are let through\nhint: try --alpha 0.0"), "{rare}");
    // The same rows repeated twelve times are not better evidence.
    let rows = evaluation["rows"].as_array().unwrap();
    evaluation["rows"] = rows[..30].iter().cycle().take(360).cloned().collect();
    fs::write(stage.path("repeated.json"), evaluation.to_string()).unwrap();
    let repeated = stage.run(&["calibrate", "-p", "rules.md", "--from", "repeated.json", "--alpha", "0.1"]);
    assert!(repeated.code == 2 && repeated.stderr.contains("note: 330 rows repeat an earlier text"), "{repeated}");
    fs::write(stage.path("other.md"), "Say yes.\nReturn exactly one word: VALID or INVALID\n").unwrap();
    let unlike = stage.run(&["calibrate", "-p", "other.md", "--from", "eval.json"]);
    assert!(
        unlike.code == 2 && unlike.stderr.contains("eval.json is an evaluation of another policy (rules)"),
        "{unlike}"
    );
    let label = stage.run(&[&["label", "in.txt", "--certificate", "c.json"], &options[..]].concat());
    let row: Value = serde_json::from_str(&label.stdout).unwrap();
    assert!(row["calibrated"].is_f64() && ["auto", "review"].contains(&row["decision"].as_str().unwrap()), "{row}");
    // A certificate that decides nothing by itself: a person must look at every verdict.
    let mut strict: Value = serde_json::from_str(&fs::read_to_string(stage.path("c.json")).unwrap()).unwrap();
    (strict["low"], strict["high"]) = (0.0.into(), 1.0.into());
    fs::write(stage.path("strict.json"), strict.to_string()).unwrap();
    let flags = ["--certificate", "strict.json"];
    let check = stage.run(&[&["check"], &options[..], &flags, &["Hello"]].concat());
    assert_eq!(check.code, 3, "{check}");
    assert!(check.stdout.contains("\n  decision review: a person must look (calibrated "), "{check}");
    let safe = stage.run(&[&["label", "in.txt", "--only", "safe"], &options[..], &flags].concat());
    let review = stage.run(&[&["label", "in.txt", "--only", "review"], &options[..], &flags].concat());
    assert_eq!((safe.code, review.code, review.stdout.as_str()), (1, 0, "Hello\n"), "{safe}{review}");
    let few = stage.run(&[&["calibrate", "golden.jsonl"], &options[..]].concat());
    let other = stage.run(&["check", "-p", "rules.md", "--effort", "low", "--certificate", "c.json", "Hello"]);
    let none = stage.run(&["check", "-p", "rules.md", "--certificate", "golden.jsonl", "Hello"]);
    assert_eq!([few.code, other.code, none.code], [2, 2, 2]);
    assert!(other.stderr.contains("c.json: it was issued for another "), "{other}");
    assert!(other.stderr.contains("another effort (none, and here low)"), "{other}");
    assert_transcript!([few, none]);
}
