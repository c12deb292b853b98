//! JSON rows of `check`.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{Stage, redacted_rows};

#[test]
fn a_row_names_all_that_it_rests_on() {
    let stage = Stage::new();
    let row = stage.json(&["check", "-p", "rules.md", "--budget", "8", "--threshold", "0", "--reasoning"]);
    assert_json_snapshot!(redacted_rows(row));
}

#[test]
fn without_reasoning_there_is_none_in_the_row() {
    let stage = Stage::new();
    let row = stage.json(&["check", "-p", "rules.md", "--effort", "none", "--threshold", "1", "--reasoning"]);
    assert_eq!((&row["effort"], &row["reasoning"]), (&json!("none"), &Value::Null));
    assert_eq!(row["usage"]["reasoning_tokens"], 0);
    let row = stage.json(&["check", "-p", "rules.md", "--budget", "8"]);
    assert_eq!((&row["effort"], &row["reasoning"]), (&json!("medium"), &Value::Null));
    assert!(row["usage"]["reasoning_tokens"].as_u64().unwrap() <= 8);
}

#[test]
fn a_model_that_writes_it_all_and_never_answers_leaves_it_unresolved() {
    let stage = Stage::new();
    let run = stage.run(&["check", "-p", "rules.md", "--decode", "free", "--budget", "8", "--json", "Hello"]);
    assert_eq!(run.code, 3, "{run}");
    let row: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&row["status"], &row["verdict"], &row["probability"]),
        (&json!("unresolved"), &Value::Null, &Value::Null)
    );
    let codes = ["no-final", "truncated", "conflict", "malformed", "unparsed"];
    assert!(codes.contains(&row["error"]["code"].as_str().unwrap()), "{run}");
}

#[test]
fn every_row_fits_the_schema_and_none_with_a_field_missing_does() {
    let stage = Stage::new();
    // A variable that names a model is not a flag that conflicts with --schema.
    let run = stage.run_with(b"", &["check", "--schema"], &[("MAGISTRATE_MODEL", "none.gguf")]);
    let schema: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = ["check", "-p", "rules.md", "--effort", "none"];
    let runs: [&[&str]; 6] = [
        &[],
        &["--min-mass", "1"],
        &["--decode", "free", "--budget", "8"],
        &["--context", "8"],
        &["--effort", "low", "--budget", "8", "--reasoning", "--threshold", "0.5"],
        &["-p", "prompt-injection"],
    ];
    for args in runs {
        let args = if args.contains(&"--effort") { [&check[..3], args].concat() } else { [&check[..], args].concat() };
        let row = stage.json(&args);
        if let Err(error) = validator.validate(&row) {
            panic!("{args:?}: {error}\n{row:#}");
        }
        let fields = row.as_object().unwrap();
        for name in fields.keys() {
            let mut fields = fields.clone();
            fields.remove(name);
            assert!(!validator.is_valid(&fields.into()), "{args:?} is valid without {name}");
        }
    }
    assert_json_snapshot!(schema);
}

#[test]
fn several_rows_stand_by_the_policies_ids() {
    let rows = Stage::new().json(&["check", "-p", "rules.md", "-p", "spam", "--effort", "none", "--min-mass", "1"]);
    assert_json_snapshot!(redacted_rows(rows));
}

#[test]
fn a_rule_that_free_decoding_cannot_keep_is_refused_before_a_model_is_looked_for() {
    let stage = Stage::new().file("in.txt", "Hello\n");
    let rules = [["--threshold", "0.000001"], ["--min-mass", "0.99"], ["--certificate", "none.json"]];
    for [flag, value] in rules {
        for verb in [&["check", "Hello"][..], &["label", "in.txt"], &["eval", "in.txt"]] {
            let flags = ["-p", "rules.md", "-m", "none.gguf", "--decode", "free", flag, value];
            let run = stage.run(&[&verb[..1], &flags, &verb[1..]].concat());
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
            let expected = format!("error: {flag} needs a probability, and --decode free gives none\nhint: ");
            assert!(run.stderr.starts_with(&expected), "{run}");
        }
    }
    let row = stage.json(&["check", "-p", "rules.md", "--decode", "free", "--budget", "8"]);
    assert_eq!((&row["threshold"], &row["min_mass"]), (&Value::Null, &Value::Null), "{row}");
}
