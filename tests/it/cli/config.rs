//! Settings in files and variables.

use serde_json::Value;

use super::Stage;

const CHECK: [&str; 4] = ["check", "--json", "--fields", "threshold,effort,policy"];

/// Returns a stage with a project's file and a user's file. Commands run in the stage's own folder.
fn stage(project: &str, user: &str) -> Stage {
    Stage::new().file("magistrate.toml", project).file("config/magistrate/config.toml", user)
}

fn threshold(stage: &Stage, args: &[&str], variables: &[(&str, &str)]) -> Value {
    let run = stage.run_with(b"Hello", &[&CHECK[..], args].concat(), variables);
    let row: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"));
    row["threshold"].clone()
}

#[test]
fn a_flag_comes_before_a_variable_before_the_project_before_the_user() {
    let user = "threshold = 0.1\npolicy = \"spam\"\neffort = \"none\"\n";
    let stage = stage("threshold = 0.2\npolicy = \"rules.md\"\n", user);
    let variable = [("MAGISTRATE_THRESHOLD", "0.3")];
    assert_eq!(threshold(&stage, &["--threshold", "0.4"], &variable), 0.4);
    assert_eq!(threshold(&stage, &[], &variable), 0.3);
    assert_eq!(threshold(&stage, &[], &[]), 0.2);
    let stage = self::stage("", user);
    assert_eq!(threshold(&stage, &["-p", "rules.md"], &[]), 0.1);
    assert_eq!(
        threshold(&stage, &["-p", "rules.md", "--effort", "none"], &[("MAGISTRATE_NO_CONFIG", "1")]),
        Value::Null
    );
}

#[test]
fn a_table_of_a_verb_holds_for_that_verb_and_a_file_above_is_found() {
    let stage =
        stage("policy = \"rules.md\"\neffort = \"none\"\n[check]\nthreshold = 0.7\n[label]\nthreshold = 0.6\n", "")
            .file("deep/in.txt", "Hello\n");
    assert_eq!(threshold(&stage, &[], &[]), 0.7);
    let mut label = stage.command(&["label", "in.txt", "--fields", "threshold,policy"]);
    let output = label.current_dir(stage.path("deep")).output().unwrap();
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&row["threshold"], &row["policy"]["id"]), (&0.6.into(), &"rules".into()));
}

#[test]
fn config_shows_what_holds_and_whence() {
    let stage = stage("threshold = 0.8\n\n[label]\npolicy = [\"spam\", \"hate\"]\n", "threshold = 0.1\nquiet = true\n");
    let run = stage.run_with(b"", &["config"], &[("MAGISTRATE_EFFORT", "low")]);
    let lines: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
    assert!(
        lines.iter().any(|line| line[0] == "threshold = 0.8" && line.last() == Some(&"magistrate.toml:1")),
        "{run}"
    );
    assert!(lines.iter().any(|line| line[0] == "label.policy = [\"spam\", \"hate\"]"), "{run}");
    assert!(run.stdout.contains("quiet = true") && run.stdout.contains("config/magistrate/config.toml:2"), "{run}");
    assert!(run.stdout.contains("effort = \"low\"") && run.stdout.contains("MAGISTRATE_EFFORT\n"), "{run}");
    assert!(!run.stdout.contains("threshold = 0.1"), "{run}");
    let run = stage.run(&["config", "--json"]);
    let shown: Value = serde_json::from_str(&run.stdout).unwrap();
    let threshold = shown["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == "threshold").unwrap();
    assert_eq!((&threshold["value"], &threshold["line"]), (&0.8.into(), &1.into()), "{run}");
    assert_eq!(shown["files"].as_array().unwrap().len(), 2, "{run}");
}

#[test]
fn a_fault_in_a_file_or_a_variable_is_refused_with_its_place() {
    for (file, fault) in [
        ("\ntreshold = 1", "magistrate.toml:2:1: unknown key `treshold`\nhint: did you mean `threshold`?"),
        ("threshold = 2", "magistrate.toml:1:1: `threshold` cannot be `2`: not a number from 0 to 1"),
        ("effort = \"lots\"", "magistrate.toml:1:1: `effort` cannot be `lots`"),
        ("daemon = 60", "magistrate.toml:1:1: `daemon` has no effect in a project's file"),
        ("output = \"x\"", "magistrate.toml:1:1: unknown key `output`"),
    ] {
        let run = stage(file, "").run(&["check", "-p", "rules.md", "Hello", "--json"]);
        assert!(run.code == 2 && run.stderr.contains(fault), "{run}");
        let error: Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(error["error"]["message"].as_str().unwrap().contains(fault.split('\n').next().unwrap()), "{run}");
    }
    let run = Stage::new().run_with(b"", &["check", "-p", "rules.md", "Hello"], &[("MAGISTRATE_THREADS", "many")]);
    assert!(run.code == 2 && run.stderr.starts_with("error: MAGISTRATE_THREADS: `threads` cannot be `many`"), "{run}");
    // A wrong file must not keep anyone from the help, or from seeing the path.
    let stage = stage("nonsense", "");
    assert_eq!(
        [stage.run(&["--help"]).code, stage.run(&["config", "path"]).code, stage.run(&["config"]).code],
        [0, 0, 2]
    );
}

#[test]
fn settings_count_in_the_terms_of_a_run() {
    let stage = stage("policy = \"rules.md\"\neffort = \"none\"\nthreshold = 0.5\n", "").file("in.txt", "Hello\n");
    assert_eq!(stage.run(&["label", "in.txt", "-o", "out.jsonl"]).code, 0);
    let stage = stage.file("magistrate.toml", "policy = \"rules.md\"\neffort = \"none\"\nthreshold = 0.6\n");
    let run = stage.run(&["label", "in.txt", "-o", "out.jsonl"]);
    assert!(run.code == 2 && run.stderr.contains("threshold"), "{run}");
}

#[test]
fn a_first_file_has_every_key_and_overwrites_nothing() {
    let stage = Stage::new();
    for (args, file) in
        [(&["config", "init"][..], "magistrate.toml"), (&["config", "init", "--user"], "config/magistrate/config.toml")]
    {
        let run = stage.run(args);
        assert!(run.code == 0 && run.stderr.contains(" is written"), "{run}");
        assert_eq!(stage.run(args).code, 2);
        let text = std::fs::read_to_string(stage.path(file)).unwrap();
        let keys: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = "))
            .map(str::to_owned)
            .collect();
        std::fs::write(stage.path(file), keys[..keys.len() - 1].join("\n")).unwrap();
        let run = stage.run(&["config"]);
        assert!(run.code == 0 && run.stdout.lines().count() + 1 >= keys.len(), "{run}");
        std::fs::remove_file(stage.path(file)).unwrap();
    }
    let path = stage.run(&["config", "path"]).stdout;
    assert_eq!(path.trim_end(), stage.path("config/magistrate/config.toml").display().to_string());
}

#[test]
fn no_policy_anywhere_is_an_error_with_the_way_to_the_list() {
    let run = Stage::new().run(&["check", "Hello"]);
    assert!(run.code == 2 && run.stderr.contains("no policy is named\nhint: -p POLICY"), "{run}");
}
