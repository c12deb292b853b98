//! `eval`.

use std::fs;

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::{RULES, Stage, transcript};

#[test]
fn an_evaluation_is_told_reported_and_held_to_gates() {
    let golden: String =
        (0..40).map(|row| format!("{{\"text\":\"Text {row}\",\"label\":{}}}\n", row % 4 / 3)).collect();
    let stage = Stage::new().file("golden.jsonl", golden);
    let eval = |args: &[&str]| {
        let all = ["eval", "-p", "rules.md", "golden.jsonl", "--effort", "none", "--threshold", "0"];
        // Random weights round differently in another batch.
        stage.run(&[&all[..], &["--reproducible"], args].concat())
    };
    let run = eval(&["--report", "r.html", "--report", "r.md", "--report", "r.json"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(
        run.stdout.starts_with("rules on golden.jsonl: 40 rows, 10 violations\n  10 right, 0 missed, 30 false alarms\n  accuracy     0.250 ("),
        "{run}"
    );
    assert!(fs::read_to_string(stage.path("r.html")).unwrap().starts_with("<!doctype html>"));
    let json: Value = serde_json::from_str(&eval(&["--json"]).stdout).unwrap();
    assert_eq!((&json["scores"]["recall"]["value"], json["rows"].as_array().unwrap().len()), (&1.0.into(), 40));
    let passed = eval(&["--fail-under", "recall=0.9", "--baseline", "r.json", "--max-drop", "0.02"]);
    assert!(
        passed.code == 0
            && passed.stdout.contains(
                "against the baseline r.json (40 shared rows): 0 fixed, 0 broken, 10 still right, 30 still wrong; p"
            ),
        "{passed}"
    );
    let failed = eval(&["--fail-under", "f1=0.9,accuracy=0.2"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.ends_with("error: f1 is 0.400, and must be at least 0.900\n"), "{failed}");
    assert!(passed.stderr.contains("gate passed: recall is 1.000, at least 0.900; no figure fell"), "{passed}");
    // The reports contain the result of the gate.
    for (floor, outcome) in [("recall=0.9", "passed"), ("f1=0.9", "failed")] {
        let files = ["--report", "g.md", "--report", "g.html", "--report", "g.json"];
        let run = eval(&[&["--fail-under", floor, "--baseline", "r.json", "--max-drop", "0.02"], &files[..]].concat());
        assert_eq!(run.code, i32::from(outcome == "failed"), "{run}");
        let read = |name: &str| fs::read_to_string(stage.path(name)).unwrap();
        assert!(
            read("g.md").contains(&format!("**Gate {outcome}.**")) && read("g.md").contains("Against the baseline")
        );
        assert!(
            read("g.html").contains(&format!("Gate {outcome}</h2>")) && read("g.html").contains("Against the baseline")
        );
        let json: Value = serde_json::from_str(&read("g.json")).unwrap();
        assert_eq!((&json["gate"]["passed"], &json["comparison"]["rows"]), (&(outcome == "passed").into(), &40.into()));
    }
    let unlike = Stage::new().file("golden.jsonl", "{\"text\":\"a\",\"label\":\"perhaps\"}\n");
    let unlike = unlike.run(&["eval", "-p", "rules.md", "golden.jsonl", "--effort", "none"]);
    let unknown = eval(&["--label-column", "gold"]);
    let own = stage.run(&["eval", "-p", "rules.md"]);
    assert_transcript!([unlike, unknown, own, eval(&["--report", "r.txt"])]);
}

/// Arguments that name a model which cannot be loaded. A run that is refused for another reason was refused before.
const NO_MODEL: [&str; 4] = ["--effort", "none", "-m", "junk.gguf"];

#[test]
fn what_can_be_known_of_a_golden_set_is_refused_before_the_model_is_loaded() {
    let labels = |label: fn(u32) -> u32| -> String {
        (0..240).map(|row| format!("{{\"text\":\"Text {row}\",\"label\":{}}}\n", label(row))).collect()
    };
    let stage = Stage::new()
        .file("junk.gguf", "no model")
        .file("both.jsonl", labels(|row| row % 2))
        .file("safe.jsonl", labels(|_| 0))
        .file("few.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\",\"label\":0}\n")
        .file("other.jsonl", "{\"text\":\"x\",\"label\":1}\n{\"text\":\"y\",\"label\":0}\n")
        .file("twice.jsonl", labels(|row| row % 2) + "{\"text\":\"Text 1\",\"label\":0}\n")
        .file("class.csv", "text,class\nI want to vanish,suicide\nhello,non-suicide\n")
        .file("two.csv", "text,label,expected\nWINNER,1,0\nhello,0,1\n")
        .file("rules2.md", RULES);
    let base = stage.run(&["eval", "-p", "rules.md", "other.jsonl", "--effort", "none", "--min-mass", "0", "--json"]);
    fs::write(stage.path("base.json"), &base.stdout).unwrap();
    let list = "{\"text\":\"a\",\"base\":[1]}";
    fs::write(stage.path("no.json"), list).unwrap();
    let refused: [(&[&str], &str); 16] = [
        (&["eval", "class.csv", "--positive", "sucide"], "no record has the label `sucide`"),
        (&["eval", "two.csv"], "contradict each other in record 1"),
        (&["eval", "both.jsonl", "typo.jsonl"], "typo.jsonl"),
        (
            &["eval", "both.jsonl", "--by", "nothing"],
            "there is no column `nothing`\nhint: --by names one of the columns",
        ),
        (
            &["eval", "safe.jsonl", "--fail-under", "accuracy=0.1"],
            "safe.jsonl holds no violations, and a gate needs both",
        ),
        (&["eval", "twice.jsonl", "--fail-under", "accuracy=0.1"], "the same text and different answers"),
        (&["eval", "both.jsonl", "--fail-under", "f1=nan"], "f1 is a number from 0 to 1"),
        (&["eval", "both.jsonl", "--fail-under", "f1=90"], "f1 is a number from 0 to 1"),
        (&["eval", "both.jsonl", "--baseline", "base.json", "--max-drop", "nan"], "not a number from 0 to 1"),
        (&["eval", "both.jsonl", "--baseline", "base.json", "--max-drop", "-0.1"], "not a number from 0 to 1"),
        (&["eval", "both.jsonl", "--baseline", "base.json"], "base.json has none of the texts of both.jsonl"),
        (&["eval", "both.jsonl", "--baseline", "no.json"], "no.json: it is not an eval result (line 1, "),
        (&["calibrate", "few.jsonl"], "2 labelled rows with a probability are too few: at least 236 are needed"),
        (&["calibrate", "safe.jsonl"], "safe.jsonl holds no violations, and a certificate needs both"),
        (&["calibrate", "twice.jsonl"], "the same text and different answers"),
        (&["calibrate", "both.jsonl", "--alpha", "nan"], "not a number between 0 and 0.5"),
    ];
    for (args, why) in refused {
        let run = stage.run(&[args, &["-p", "rules.md"], &NO_MODEL[..]].concat());
        assert!(run.code == 2 && run.stderr.contains(why) && !run.stderr.contains("junk.gguf"), "{run}");
    }
    // Outputs are checked first, too.
    let kept = fs::read(stage.path("both.jsonl")).unwrap();
    let written: [(&[&str], &str); 5] = [
        (&["eval", "both.jsonl", "--report", "nodir/r.html"], "nodir/r.html cannot be written"),
        (&["eval", "both.jsonl", "--baseline", "base.json", "--report", "base.json"], "base.json is"),
        (&["eval", "both.jsonl", "--report", "r.md", "--report", "r.md"], "r.md is"),
        (&["calibrate", "both.jsonl", "-o", "both.jsonl"], "both.jsonl is the input"),
        (&["calibrate", "both.jsonl", "-o", "nodir/c.json"], "nodir/c.json cannot be written"),
    ];
    for (args, why) in written {
        let run = stage.run(&[args, &["-p", "rules.md"], &NO_MODEL[..]].concat());
        assert!(run.code == 2 && run.stderr.contains(why) && !run.stderr.contains("junk.gguf"), "{run}");
    }
    assert_eq!(fs::read(stage.path("both.jsonl")).unwrap(), kept);
    // Here only the model is wrong.
    let run = stage.run(&[&["eval", "both.jsonl", "-p", "rules.md"], &NO_MODEL[..]].concat());
    assert!(run.code == 2 && run.stderr.contains("junk.gguf"), "{run}");
    assert!(run.stderr.starts_with("labels: column \"label\", 0 = safe (120), 1 = violation (120)\n"), "{run}");
}
