//! `merge` and `verify`.

use std::fs;

use insta::{assert_snapshot, with_settings};

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
    assert!(one.stdout.starts_with("id\tverdict\ttext\n0\tviolation\tText 0\n"), "{one}");
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
