//! Shares of a run on several machines, and their merge.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use magistrate::label::entry::OutputForm;
use magistrate::label::export::{Export, OutputFormat, Target, export};
use magistrate::label::journal::JournalError;
use magistrate::label::merge::{MergeError, check, merge};
use magistrate::label::row::RowFields;
use magistrate::label::run::Settings;

use super::{House, input, records, resealed};

#[test]
fn shares_of_a_run_make_what_one_machine_makes_byte_for_byte() {
    let house = House::new();
    let one = house.whole("one.journal");
    let shards: Vec<PathBuf> = (1..=8)
        .map(|index| {
            let path = house.path(&format!("share-{index}"));
            let settings = Settings::default().with_shard(Some(format!("{index}/8").parse().unwrap()));
            let summary = house.label(&path, &input(), &settings, None).unwrap();
            assert!((1..100).contains(&summary.rows()));
            path
        })
        .collect();
    let merged = house.path("merged.journal");
    let summary = merge(&shards, &merged, false).unwrap();
    assert_eq!((summary.rows(), records(&summary)), (200, Some(200)));
    assert_eq!(fs::read(&merged).unwrap(), fs::read(&one).unwrap());
    for format in [OutputFormat::Jsonl, OutputFormat::Csv] {
        assert_eq!(house.export(&merged, format), house.export(&one, format));
    }

    let fails = |journals: &[PathBuf], partial| {
        let into = house.path("none");
        let merged = merge(journals, &into, partial);
        assert!(merged.is_ok() || !into.exists(), "nothing half done is left");
        let _ = fs::remove_file(&into);
        merged
    };
    let seven = fails(&shards[..7], false);
    assert!(matches!(&seven, Err(MergeError::Missing { all: 200, .. })), "{seven:?}");
    let partial = fails(&shards[..7], true).unwrap();
    assert!(partial.rows() < 200 && partial.end.is_none());
    let doubled = fails(&[&shards[..], &shards[2..3]].concat(), false);
    assert!(matches!(&doubled, Err(MergeError::Doubled { .. })), "{doubled:?}");
    let text = fs::read_to_string(&shards[0]).unwrap();
    let cut: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
    fs::write(house.path("cut"), cut).unwrap();
    let unfinished = fails(&[&[house.path("cut")], &shards[1..]].concat(), false);
    assert!(matches!(&unfinished, Err(MergeError::Unfinished(_))), "{unfinished:?}");
    fs::write(house.path("other"), resealed(&text.replacen("m 1", "m 2", 1))).unwrap();
    let other = fails(&[&[house.path("other")], &shards[1..]].concat(), false);
    assert!(matches!(&other, Err(MergeError::OtherTerms { .. })), "{other:?}");
    fs::write(house.path("longer"), resealed(&text.replace("\"records\":200", "\"records\":201"))).unwrap();
    let longer = fails(&[&[house.path("longer")], &shards[1..]].concat(), false);
    assert!(matches!(&longer, Err(MergeError::OtherInputs { .. })), "{longer:?}");
}

#[test]
fn an_output_that_is_split_has_each_record_in_one_file() {
    let house = House::new();
    let journal = house.whole("a");
    let out = house.path("v.jsonl");
    let fields = Some(Arc::new(RowFields::parse("id,verdict").unwrap()));
    let form = OutputForm { policies: vec!["rules".into()], fields, columns: None };
    let files = export(&journal, Target::File(&out), &Export { form, split: true, ..Export::default() });
    let names: Vec<String> =
        files.unwrap().files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["v.safe.jsonl", "v.violation.jsonl", "v.undecided.jsonl"]);
    let lines =
        |name: &str| fs::read_to_string(house.path(name)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(lines("v.safe.jsonl").iter().all(|line| line.contains("\"verdict\":\"safe\"")));
    assert!(lines("v.violation.jsonl").iter().all(|line| line.contains("\"verdict\":\"violation\"")));
    assert!(lines("v.undecided.jsonl").iter().all(|line| line.contains("\"verdict\":null")));
    assert_eq!(names.iter().map(|name| lines(name).len()).sum::<usize>(), 200);
    assert!(
        fs::read_dir(house.folder.path())
            .unwrap()
            .all(|file| { !file.unwrap().file_name().to_string_lossy().ends_with(".part") })
    );
}

#[test]
fn shares_of_inputs_with_other_records_do_not_make_one() {
    let house = House::new();
    let share = |name: &str, index: u64, input: &str| {
        let settings = Settings::default().with_shard(Some(format!("{index}/2").parse().unwrap()));
        house.label(&house.path(name), input, &settings, None).unwrap();
        house.path(name)
    };
    let one = share("one", 1, &input());
    for (name, changed) in
        [("text", "Text 7\"", "Text seven\""), ("column", "7.50", "7.5"), ("id", "\"r7\"", "\"r007\"")]
            .map(|(name, from, to)| (name, input().replacen(from, to, 1)))
    {
        assert_ne!(changed, input(), "{name}");
        let error = merge(&[one.clone(), share(name, 2, &changed)], &house.path("merged"), false).unwrap_err();
        assert!(error.to_string().contains("are of different inputs: records have other contents"), "{error}");
        assert!(!house.path("merged").exists());
    }
    merge(&[one, share("two", 2, &input())], &house.path("merged"), false).unwrap();
}

#[test]
fn one_journal_is_held_to_what_several_are() {
    let house = House::new();
    let text = fs::read_to_string(house.whole("a")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let journal = |name: &str, lines: &[&[&str]]| {
        fs::write(house.path(name), lines.concat().concat()).unwrap();
        house.path(name)
    };
    let unfinished = journal("unfinished", &[&lines[..20]]);
    assert!(matches!(check(&unfinished, false), Err(MergeError::Unfinished(_))));
    assert_eq!(check(&unfinished, true).unwrap().rows(), 19);
    let gap = journal("gap", &[&lines[..4], &lines[9..]]);
    assert!(matches!(check(&gap, false), Err(MergeError::Missing { count: 5, all: 200, first: 4 })));
    assert_eq!(check(&gap, true).unwrap().rows(), 195);
    let twice = journal("twice", &[&lines[..7], &lines[6..]]);
    for partial in [false, true] {
        let error = check(&twice, partial).unwrap_err();
        assert!(matches!(error, MergeError::Journal(JournalError::Doubled { number: 6, .. })), "{error}");
    }
    // A gap far from the end is filled when the run is continued.
    let summary = house.label(&gap, &input(), &Settings::default(), None).unwrap();
    assert_eq!((summary.resumed, check(&gap, false).unwrap().rows()), (195, 200));
    assert_eq!(house.export(&gap, OutputFormat::Jsonl), house.export(&house.path("a"), OutputFormat::Jsonl));
    // An existing journal is not overwritten.
    let error = merge(std::slice::from_ref(&gap), &twice, false).unwrap_err();
    assert!(matches!(error, MergeError::There(_)) && twice.exists(), "{error}");
}
