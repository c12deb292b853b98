//! `merge` and `verify`.

use std::collections::HashSet;
use std::fs;

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::{LABEL, Stage, transcript};

#[test]
fn machines_that_share_a_run_make_the_file_of_one() {
    let stage = Stage::new()
        .file("in.csv", "id,text\n".to_owned() + &(0..30).map(|n| format!("{n},Text {n}\n")).collect::<String>());
    let label = |args: &[&str]| stage.run(&[&LABEL[..], &["--reproducible", "in.csv"], args].concat());
    assert_eq!(label(&["-o", "one.csv"]).code, 0);
    for shard in ["1/3", "2/3", "3/3"] {
        let out = format!("share-{}.csv", &shard[..1]);
        assert_eq!(label(&["--shard", shard, "-o", &out]).code, 0);
    }
    let early = stage.run(&["merge", "share-1.csv", "share-3.csv", "-o", "all.csv"]);
    let all = stage.run(&["merge", "share-1.csv", "share-2.csv", "share-3.csv", "-o", "all.csv"]);
    let twice = stage.run(&["merge", "share-1.csv", "share-2.csv", "share-3.csv", "-o", "all.csv"]);
    let one = stage.run(&["merge", "one.csv", "--output-format", "tsv", "--fields", "id,verdict"]);
    let bytes = |name: &str| fs::read(stage.path(name)).unwrap();
    assert_eq!(bytes("all.csv"), bytes("one.csv"));
    assert_eq!(bytes("all.csv.journal"), bytes("one.csv.journal"));
    assert!(one.stdout.starts_with("id\ttext\tverdict\n0\tText 0\tviolation\n"), "{one}");
    assert_eq!(one.stdout.lines().count(), 31);

    let verify = ["verify", "-p", "rules.md", "--effort", "none", "in.csv", "-o", "all.csv", "--sample", "10"];
    let same = stage.run(&[&verify[..], &["--threshold", "0"]].concat());
    let flipped = stage.run(&[&verify[..], &["--threshold", "1"]].concat());
    assert_eq!((same.code, flipped.code), (0, 1));
    assert!(flipped.stderr.contains("note: judged again with another --threshold (0.0 then, 1.0 now)"), "{flipped}");
    assert!(same.stdout.starts_with("10 verdicts judged again: 10 the same, "), "{same}");
    assert!(flipped.stdout.contains(" 10 flipped") && flipped.stdout.contains("rules: violation "), "{flipped}");
    // Another policy is another run, which is refused before the model is loaded.
    let other = ["verify", "-p", "spam", "--effort", "none", "in.csv", "-o", "all.csv", "-m", "rules.md"];
    let other = stage.run(&other);
    assert!(
        other.code == 2 && other.stderr.contains("all.csv.journal was made with other policies (rules "),
        "{other}"
    );
    let effort = stage.run(&["verify", "-p", "rules.md", "--effort", "low", "in.csv", "-o", "all.csv"]);
    assert!(effort.code == 2 && effort.stderr.contains(" none, and now rules "), "{effort}");
    assert_transcript!([early, all, twice]);
}

/// Returns the rows of two commands without the tokens that were spent, and their exit codes.
fn same_rows(stage: &Stage, commands: [&[&str]; 2]) -> [(i32, Vec<Value>); 2] {
    commands.map(|args| {
        let run = stage.run(args);
        let rows = run.stdout.lines().map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{run}"));
            let rows = match row.get_mut("verdicts") {
                Some(rows) => rows.as_object_mut().unwrap().values_mut().collect(),
                None => vec![&mut row],
            };
            for row in rows {
                for spent in ["usage", "rationale"] {
                    row.as_object_mut().unwrap().shift_remove(spent);
                }
            }
            row
        });
        (run.code, rows.collect())
    })
}

/// Returns the middle of the probabilities of rows, which is that of one of them.
fn middle(rows: &str) -> String {
    let numbers = rows.split("\"probability\":").skip(1).filter_map(|rest| rest.split([',', '}']).next());
    let mut numbers: Vec<(f64, &str)> = numbers.filter_map(|number| Some((number.parse().ok()?, number))).collect();
    numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
    numbers[numbers.len() / 2].1.to_owned()
}

#[test]
fn a_run_is_decided_anew_as_if_it_had_been_judged_with_the_threshold() {
    let long = "Some words of a text. ".repeat(40);
    let texts: String = (0..12).map(|n| format!("Text {n}, and then some.\n")).collect();
    let stage = Stage::new().file("in.txt", texts + &long + "\n");
    let own = ["in.txt", "--effort", "none", "--min-mass", "0", "--reproducible"];
    let one = ["-p", "rules.md", "--max-content-tokens", "90"];
    for (flags, code) in [(&one[..], 3), (&["-p", "spam", "--chunk=32"], 0), (&["-p", "rules.md", "-p", "hate"], 0)] {
        let label = [&["label"][..], &own, flags].concat();
        let run = stage.run(&[&label[..], &["-o", "run.jsonl", "--restart"]].concat());
        assert_eq!(run.code, code, "{run}");
        let journal = fs::read(stage.path("run.jsonl.journal")).unwrap();
        let mut verdicts = HashSet::new();
        let rows = stage.run(&["merge", "run.jsonl"]).stdout;
        for threshold in [middle(&rows), "0.3".to_owned(), "0.7".to_owned()] {
            let judged = [&label[..], &["--threshold", &threshold]].concat();
            let [judged, anew] = same_rows(&stage, [&judged, &["merge", "run.jsonl", "--threshold", &threshold]]);
            assert_eq!(anew, judged, "{flags:?} --threshold {threshold}");
            verdicts.extend(anew.1.iter().map(|row| row["verdict"].to_string()));
        }
        assert_eq!(fs::read(stage.path("run.jsonl.journal")).unwrap(), journal, "the journal stays");
        assert!(verdicts.len() > 1, "{flags:?}: {verdicts:?}");
        fs::remove_file(stage.path("run.jsonl")).unwrap();
    }
}

#[test]
fn another_threshold_of_a_run_is_refused_with_the_command_that_decides_anew() {
    let stage = Stage::new().file("in.txt", "Hello\n");
    let label = ["label", "-p", "rules.md", "--effort", "none", "--min-mass", "0", "in.txt", "-o", "out.csv"];
    assert_eq!(stage.run(&label).code, 0);
    let other = stage.run(&[&label[..], &["--threshold", "0.9"]].concat());
    let hint =
        "\nhint: magistrate merge out.csv --threshold 0.9 -o NEW decides the finished rows anew, without judging\n";
    assert!(other.code == 2 && other.stderr.contains(hint), "{other}");
    let both = stage.run(&[&label[..], &["--threshold", "0.9", "--seed", "1"]].concat());
    assert!(both.code == 2 && !both.stderr.contains("magistrate merge"), "{both}");
    let anew = stage.run(&["merge", "out.csv", "--threshold", "0", "-o", "new.csv"]);
    assert!(anew.code == 0 && anew.stderr.contains("\n1 row: 1 violation; "), "{anew}");
    assert!(anew.stderr.ends_with(" decided otherwise than before; written to new.csv\n"), "{anew}");
    assert!(!stage.path("new.csv.journal").exists());
    let free = ["label", "-p", "rules.md", "--decode", "free", "--budget", "4", "in.txt", "-o", "free.jsonl"];
    stage.run(&free);
    let free = stage.run(&["merge", "free.jsonl", "--threshold", "0.5"]);
    assert!(free.code == 2 && free.stderr.contains("the run has no probabilities"), "{free}");
}
