//! Verdicts that `eval`, `calibrate` and `verify` keep: repeated, killed and interrupted commands, and finished runs.

#![cfg(all(feature = "cli", unix))]

use crate::support;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use tempfile::TempDir;

/// A folder in which commands run.
struct Stage(TempDir);

/// The result of a command.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The flags of each evaluation. The threshold makes every row a violation, whatever the random weights give.
const EVAL: [&str; 9] =
    ["eval", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "--threshold=0", "golden.csv"];

impl Stage {
    /// Returns a stage with a golden set of this many rows, every fourth of which is a violation.
    fn new(rows: usize) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        stage.write("rules.md", "Say whether it is spam.\nReturn exactly one word: VALID or INVALID\n");
        stage.write("golden.csv", &golden(rows));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(args).current_dir(&self.0).env("NO_COLOR", "1").stdin(Stdio::null());
        command.env("MAGISTRATE_MODEL", support::demonstration()).env("MAGISTRATE_CACHE", self.path("cache"));
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        Done::of(self.command(args).output().unwrap())
    }

    fn eval(&self, args: &[&str]) -> Done {
        self.run(&[&EVAL[..], args].concat())
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Returns the number of verdicts that evaluations have kept.
    fn kept(&self) -> usize {
        let Ok(files) = fs::read_dir(self.path("cache/evaluations")) else { return 0 };
        files.map(|file| fs::read_to_string(file.unwrap().path()).map_or(0, |text| text.lines().count())).sum()
    }

    /// Waits until this many verdicts are kept.
    fn wait_for(&self, verdicts: usize) {
        let begun = Instant::now();
        while self.kept() < verdicts {
            assert!(begun.elapsed() < Duration::from_mins(2), "{} verdicts are kept", self.kept());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Done {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Returns the number of rows that were not judged again.
    fn resumed(&self) -> usize {
        let line = self.stderr.lines().find_map(|line| line.strip_prefix("resumed ")?.split(' ').next());
        line.map_or(0, |count| count.replace(',', "").parse().unwrap())
    }
}

fn golden(rows: usize) -> String {
    let row = |row| format!("{row},See you at {row},{}\n", if row % 4 == 3 { "violation" } else { "safe" });
    "id,text,label\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

fn signal(name: &str, child: &Child) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_evaluation_that_was_killed_continues_where_it_was() {
    let stage = Stage::new(400);
    let mut child = stage.start(&EVAL);
    stage.wait_for(100);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = stage.kept();
    assert!((100..400).contains(&kept), "{kept}");
    let again = stage.eval(&[]);
    assert_eq!(again.code, Some(0), "{again:?}");
    // The last line may have been torn.
    assert!((kept - 1..=kept).contains(&again.resumed()), "{kept}: {}", again.stderr);
    assert!(
        again.stdout.starts_with("rules on golden.csv: 400 rows, 100 violations\n  100 right, 0 missed, 300 false")
    );
}

#[test]
fn a_repeated_evaluation_needs_no_model_and_an_edited_set_judges_what_is_new() {
    let stage = Stage::new(20);
    let first = stage.eval(&["--report", "r.json"]);
    assert_eq!((first.code, first.resumed()), (Some(0), 0), "{first:?}");
    let figures = |done: &Done| done.stdout.lines().take(10).map(str::to_owned).collect::<Vec<_>>();
    let second = stage.eval(&["--baseline", "r.json", "--max-drop", "0"]);
    assert_eq!((second.code, second.resumed(), figures(&second)), (Some(0), 20, figures(&first)), "{second:?}");
    assert!(second.stderr.contains("(--no-cache judges them again)"), "{}", second.stderr);
    assert!(second.stderr.contains("gate passed: no figure fell too far below the baseline"), "{}", second.stderr);
    stage.write("golden.csv", &golden(25).replace("See you at 3,", "See you at three,"));
    assert_eq!(stage.eval(&[]).resumed(), 19);
    for (flags, resumed) in [(&["--no-cache"][..], 0), (&["--restart"], 0), (&[], 25), (&["--seed", "3"], 0)] {
        let done = stage.eval(flags);
        assert_eq!((done.code, done.resumed()), (Some(0), resumed), "{flags:?}: {}", done.stderr);
    }
    // Another verb with the same settings has the same verdicts.
    let calibrate = ["calibrate", "--alpha", "0.4", "--delta", "0.4"];
    let calibrate = stage.run(&[&calibrate[..], &EVAL[1..]].concat());
    assert_eq!(calibrate.resumed(), 25, "{calibrate:?}");
    let cache = stage.run(&["cache"]);
    assert!(cache.stdout.contains("  evaluations\n"), "{cache:?}");
    assert_eq!(stage.run(&["cache", "clear"]).code, Some(0));
    assert_eq!((stage.kept(), stage.eval(&[]).resumed()), (0, 0));
}

#[test]
fn without_a_cache_folder_an_evaluation_runs_and_says_that_nothing_is_kept() {
    let stage = Stage::new(4);
    stage.write("file", "");
    let output = stage.command(&EVAL).env("MAGISTRATE_CACHE", stage.path("file")).output().unwrap();
    let done = Done::of(output);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("note: verdicts are not kept for the next run: "), "{done:?}");
}

#[test]
fn a_journal_that_is_named_keeps_the_rows_and_is_evaluated_again() {
    let stage = Stage::new(12);
    let first = stage.eval(&["--journal", "rows.journal"]);
    assert_eq!((first.code, stage.kept()), (Some(0), 0), "{first:?}");
    let again = stage.eval(&["--journal", "rows.journal"]);
    assert_eq!((again.code, again.resumed()), (Some(0), 12), "{again:?}");
    let from = stage.run(&["eval", "-p", "rules.md", "--from", "rows.journal"]);
    assert_eq!(from.code, Some(0), "{from:?}");
    assert!(from.stdout.starts_with("rules on golden.csv: 12 rows, 3 violations\n  3 right, 0 missed"), "{from:?}");
    let other = stage.eval(&["--journal", "rows.journal", "--seed", "3"]);
    assert!(other.code == Some(2) && other.stderr.contains("started with other settings"), "{other:?}");
    let anew = stage.eval(&["--journal", "rows.journal", "--seed", "3", "--restart"]);
    assert_eq!((anew.code, anew.resumed()), (Some(0), 0), "{anew:?}");
}

#[test]
fn a_finished_run_is_evaluated_against_its_own_column_and_another_file() {
    let stage = Stage::new(12);
    stage.write("texts.csv", &golden(12).replace(",label", ",verdict"));
    let label = ["label", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "--threshold", "0"];
    let run = stage.run(&[&label[..], &["texts.csv", "-o", "out.csv"]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    let from = |args: &[&str]| stage.run(&[&["eval", "-p", "rules.md", "-m", "absent.gguf", "--from"], args].concat());
    // A run renames the column, because a row has a field of that name.
    let own = from(&["out.csv", "--label-column", "verdict"]);
    let figures = "rules on texts.csv: 12 rows, 3 violations\n  3 right, 0 missed, 9 false alarms\n";
    assert!(own.code == Some(0) && own.stdout.starts_with(figures), "{own:?}");
    assert!(own.stdout.contains("\n  row 2 (id 0)  false alarm, P(violation) "), "{own:?}");
    assert!(own.stdout.contains("; expected safe, given violation\n    See you at 0\n"), "{own:?}");
    let other = from(&["out.csv.journal", "golden.csv", "--errors", "0"]);
    assert!(other.stdout.starts_with(&figures.replace("texts", "golden")), "{other:?}");
    let json = from(&["out.csv", "golden.csv", "--json"]);
    stage.write("base.json", &json.stdout);
    let again = stage.run(&["eval", "--from", "base.json", "--errors", "0"]);
    assert!(again.code == Some(0) && again.stdout.starts_with(&figures.replace("texts", "golden")), "{again:?}");
    stage.write("more.csv", &golden(14));
    assert!(from(&["out.csv", "more.csv"]).stderr.contains("note: 2 texts of more.csv are not in the run"));
    stage.write("others.csv", "text,label\na,safe\nb,violation\n");
    for (args, why) in [
        (&["out.csv", "others.csv"][..], "has none of the texts of others.csv"),
        (&["golden.csv"], "is neither a magistrate run nor an eval result (there is no golden.csv.journal beside it)"),
        (&["out.csv", "--label-column", "gold"], "there is no column `gold`"),
    ] {
        let done = from(args);
        assert!(done.code == Some(2) && done.stderr.contains(why), "{done:?}");
    }
    let unknown = stage.run(&["eval", "--from", "out.csv", "--label-column", "verdict"]);
    assert!(unknown.stderr.contains("was made by the policy rules, which is not shipped"), "{unknown:?}");
    let wrong = stage.run(&["eval", "-p", "spam", "--from", "out.csv", "--label-column", "verdict"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("was made by rules ("), "{wrong:?}");
}

#[test]
fn the_terms_of_an_evaluated_run_are_those_of_an_evaluation() {
    let stage = Stage::new(12);
    let settings = ["--effort", "low", "--budget", "4", "--min-mass", "0", "--threshold=0"];
    let judged = stage.run(&[&["eval", "-p", "rules.md", "golden.csv", "--json"], &settings[..]].concat());
    let label = [&["label", "-p", "rules.md", "golden.csv", "-o", "out.csv"], &settings[..]].concat();
    assert_eq!(stage.run(&label).code, Some(0));
    let from = stage.run(&["eval", "-p", "rules.md", "--from", "out.csv", "--json"]);
    let [judged, from]: [Value; 2] = [judged, from].map(|done| serde_json::from_str(&done.stdout).unwrap());
    assert_eq!(judged["about"], from["about"]);
    let rows = |evaluation: &Value| -> Vec<Value> {
        let row = |row: &Value| serde_json::json!([row["number"], row["line"], row["id"], row["text"], row["verdict"]]);
        evaluation["rows"].as_array().unwrap().iter().map(row).collect()
    };
    assert_eq!(rows(&judged), rows(&from));
    assert_eq!(judged["rows"][0]["line"], 2, "a spreadsheet counts the header");
}

#[test]
fn ctrl_c_is_answered_at_once_and_tells_how_to_continue() {
    let stage = Stage::new(3000);
    let child = stage.start(&EVAL);
    stage.wait_for(20);
    signal("-INT", &child);
    let done = Done::of(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(130), "{done:?}");
    let lines: Vec<&str> = done.stderr.lines().collect();
    let answer = lines.iter().position(|line| line.starts_with("stopping")).expect("an answer");
    assert!(
        lines[answer].starts_with("stopping: finishing ") && lines[answer].ends_with(" (Ctrl-C again to stop now)")
    );
    assert!(
        lines.iter().any(|line| line.starts_with("stopped after ") && line.ends_with(" of 3,000 rows")),
        "{done:?}"
    );
    assert_eq!(lines.last(), Some(&"Progress is saved. Run the same command again to continue."));
    assert_eq!(done.stdout, "");
    let child = stage.start(&EVAL);
    stage.wait_for(stage.kept() + 20);
    signal("-TERM", &child);
    let done = Done::of(child.wait_with_output().unwrap());
    assert!(done.code == Some(130) && done.resumed() >= 20, "{done:?}");
}

#[test]
fn a_verification_that_was_killed_continues_and_a_finished_one_judges_again() {
    let stage = Stage::new(2000);
    let label = ["label", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "golden.csv", "-o", "out.csv"];
    assert_eq!(stage.run(&[&label[..], &["--fields", "verdict"]].concat()).code, Some(0));
    let verify = ["verify", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "golden.csv", "-o", "out.csv"];
    let verify = [&verify[..], &["--sample", "2000"]].concat();
    let mut child = stage.start(&verify);
    stage.wait_for(100);
    child.kill().unwrap();
    child.wait().unwrap();
    let again = stage.run(&verify);
    assert!(again.resumed() >= 99 && again.stdout.starts_with("2000 verdicts judged again: "), "{again:?}");
    assert_eq!(stage.kept(), 0, "the next one judges all of them");
}

#[test]
fn several_policies_share_a_report_of_each_kind() {
    let stage = Stage::new(12);
    stage.write("rules2.md", "Say whether it is an advertisement.\nReturn exactly one word: VALID or INVALID\n");
    let files = ["--report", "r.html", "--report", "r.md", "--report", "r.json"];
    let done = stage.eval(&[&["-p", "rules2.md", "--fail-under", "recall=0.5"], &files[..]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.starts_with("golden.csv: 12 rows, 3 violations\n                rules"), "{done:?}");
    assert!(done.stdout.contains("\n  missed        0                    0\n"), "{done:?}");
    let against = "rules2 against rules (12 shared rows): 0 fixed, 0 broken, 3 still right, 9 still wrong; p = 1.00\n";
    assert!(done.stdout.contains(against), "{done:?}");
    assert!(done.stderr.contains("gate passed: rules: recall is 1.000") && done.stderr.contains("rules2: recall is"));
    let (page, markdown) = (stage.read("r.html"), stage.read("r.md"));
    assert_eq!(page.matches(">Gate passed</h2>").count(), 2, "{page}");
    assert!(page.contains("<h2>Side by side</h2>") && page.contains("<h1>rules, rules2 on golden.csv</h1>"));
    assert!(page.contains("<h2>Other thresholds</h2>") && page.contains("Save as CSV"));
    assert!(markdown.contains("| figure | <code>rules</code> | <code>rules2</code> |"), "{markdown}");
    // The column, and which way round it was read.
    assert!(page.contains("labels of rules: column &quot;label&quot;, safe = safe (9), violation = violation (3)"));
    assert!(markdown.contains("labels of rules&#58; column &#34;label&#34;, safe = safe"), "{markdown}");
    assert_eq!(markdown.matches("**Gate passed.**").count(), 2);
    let json: Value = serde_json::from_str(&stage.read("r.json")).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    // Each is compared with the baseline of its id.
    let both = stage.eval(&["-p", "rules2.md", "--baseline", "r.json", "--max-drop", "0"]);
    assert_eq!(both.stdout.matches("against the baseline r.json (12 shared rows)").count(), 2, "{both:?}");
    assert_eq!(both.code, Some(0), "{both:?}");
}
