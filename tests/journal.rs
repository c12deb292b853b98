//! A run that is killed at any moment goes on where it stopped, and several machines make what one would have made.

mod support;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use magistrate::engine::Engine;
use magistrate::label::entry::Form;
use magistrate::label::export::{Export, Format as Output, Target, export};
use magistrate::label::journal::{Existing, Journal, JournalError, Ordered, Terms, beside};
use magistrate::label::memo::Memo;
use magistrate::label::merge::{MergeError, merge};
use magistrate::label::records::Format;
use magistrate::label::row::Fields;
use magistrate::label::run::{Judge, Known, News, RunError, Settings, run};
use magistrate::label::sink::{Sink, Written};
use magistrate::label::source::Placed;
use magistrate::label::summary::Standing::{Safe, Undecided};
use magistrate::label::summary::{Ended, Standing, Summary};
use magistrate::label::verify::{Agreement, Comparison, Sample};
use proptest::prelude::*;
use serde_json::json;

use support::scripted::{engine, judge, options, policy, source};

/// Two hundred records: every fifth text stands twice, and every ninth line is no record.
fn input() -> String {
    let row = |row: usize| match row {
        row if row % 9 == 4 => "broken\n".to_owned(),
        row => format!(
            "{{\"id\": \"r{row}\", \"text\": \"Text {}{}\", \"n\": {row}.50}}\n",
            if row % 5 == 0 { row / 10 } else { row },
            if row % 3 == 0 { "!" } else { "" }
        ),
    };
    (0..200).map(row).collect()
}

fn terms(shard: Option<&str>) -> Terms {
    let mut terms = json!({"model": "m 1", "policies": ["rules 2 none"], "inputs": ["input"]});
    if let Some(shard) = shard {
        terms["shard"] = shard.into();
    }
    Terms(terms.as_object().unwrap().clone())
}

struct House {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), engine: engine(2048) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Labels an input into a journal, or goes on with it; `stop` is after how many records.
    fn label(&self, journal: &Path, input: &str, settings: &Settings, stop: Option<u64>) -> Result<Summary, RunError> {
        let terms = terms(settings.shard.map(|shard| shard.to_string()).as_deref());
        let (mut sink, past) = Journal::open(journal, &terms, Existing::Resume)?;
        let memo = Memo::in_journal(fs::File::open(journal).unwrap());
        let judges = [judge(&self.engine, &policy("rules"), &options())];
        let source = source(Cursor::new(input.to_owned()), Format::Jsonl);
        let known = Known { past, memo };
        let summary = run(&self.engine, &judges, source, settings, known, &mut sink, &mut |news| {
            if let News::Done(summary) = news
                && Some(summary.rows()) == stop
            {
                settings.stop.store(true, Ordering::Relaxed);
            }
        })?;
        if let Some(records) = summary.records {
            sink.finish(records).unwrap();
        }
        Ok(summary)
    }

    fn whole(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        self.label(&path, &input(), &Settings::default(), None).unwrap();
        path
    }

    fn export(&self, journal: &Path, format: Output) -> Vec<u8> {
        let out = self.path("out");
        let form = Form { policies: vec!["rules".into()], fields: None };
        export(journal, Target::File(&out), &Export { format, packing: None, form, split: false }).unwrap();
        fs::read(out).unwrap()
    }
}

#[test]
fn a_journal_has_each_record_once_and_is_its_users_alone() {
    let house = House::new();
    let journal = house.path("out.jsonl.journal");
    let summary = house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert_eq!((summary.rows(), summary.records, summary.resumed), (200, Some(200), 0));
    let entries: Vec<_> = Ordered::open(&journal).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.iter().map(|entry| entry.row).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    assert!(entries.iter().all(|entry| *entry.input == *"input" && entry.number == entry.row));
    assert_eq!(entries[2].columns.named("n").next().unwrap().get(), "2.50");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn equal_texts_are_judged_once_and_every_row_is_written() {
    let house = House::new();
    let summary = house.label(&house.path("a"), &input(), &Settings::default(), None).unwrap();
    let mut texts: Vec<String> = Ordered::open(&house.path("a"))
        .unwrap()
        .map(Result::unwrap)
        .filter_map(|entry| entry.columns.named("text").next().map(|text| text.get().to_owned()))
        .collect();
    let all = texts.len() as u64;
    texts.sort();
    texts.dedup();
    assert!(all > texts.len() as u64);
    assert_eq!(summary.reused, all - texts.len() as u64);
    // Gone on with, what an earlier run said is known as well.
    let half = house.path("b");
    house.label(&half, &input(), &Settings::default(), Some(100)).unwrap();
    let resumed = house.label(&half, &input(), &Settings::default(), None).unwrap();
    assert!(resumed.resumed >= 100 && resumed.reused > 0);
    assert_eq!(fs::read(&half).unwrap(), fs::read(house.path("a")).unwrap());
}

#[test]
fn what_is_finished_is_not_done_again_and_what_was_added_to_the_input_is() {
    let house = House::new();
    let journal = house.whole("a");
    let before = fs::read(&journal).unwrap();
    let again = house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert_eq!((again.resumed, again.rows(), again.tokens.all()), (200, 200, 0));
    assert_eq!(fs::read(&journal).unwrap(), before);
    let longer = input() + "{\"text\":\"more\"}\n";
    let added = house.label(&journal, &longer, &Settings::default(), None).unwrap();
    assert_eq!((added.resumed, added.rows(), added.records), (200, 201, Some(201)));
    assert_eq!(Ordered::open(&journal).unwrap().count(), 201);
}

#[test]
fn a_stopped_run_goes_on_where_it_stopped() {
    let house = House::new();
    let journal = house.path("a");
    let settings = Settings::default();
    let summary = house.label(&journal, &input(), &settings, Some(50)).unwrap();
    assert_eq!((summary.ended, summary.records), (Some(Ended::Stopped), None));
    assert!((50..200).contains(&summary.rows()), "{}", summary.rows());
    house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert_eq!(fs::read(&journal).unwrap(), fs::read(house.whole("b")).unwrap());
}

#[test]
fn what_is_not_the_same_run_is_refused_with_what_is_different() {
    let house = House::new();
    let journal = house.whole("a");
    let refused = |terms: &Terms| match Journal::open(&journal, terms, Existing::Resume) {
        Err(error @ JournalError::OtherTerms { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let mut other = terms(None);
    other.0.insert("model".into(), "m 2".into());
    other.0.insert("--threshold".into(), 0.5.into());
    let message = refused(&other);
    assert!(
        message.contains("another model (m 1, and now m 2), another --threshold (none, and now 0.5)\nhint: "),
        "{message}"
    );
    let mix = Journal::open(&journal, &other, Existing::Mix);
    assert!(mix.is_ok());
    let in_use = Journal::open(&journal, &terms(None), Existing::Resume);
    assert!(matches!(in_use, Err(JournalError::InUse(_))), "while the other writes to it");
    drop(mix);

    let changed = input().replacen("Text 1\"", "Text one\"", 1);
    let error = house.label(&journal, &changed, &Settings::default(), None).unwrap_err();
    assert!(error.to_string().contains("record 2 of input is not the one that the journal has"), "{error}");

    let shorter: String = input().lines().take(190).map(|line| format!("{line}\n")).collect();
    let error = house.label(&journal, &shorter, &Settings::default(), None).unwrap_err();
    assert!(error.to_string().contains("a: the inputs no longer have 10 of its rows"), "{error}");

    let before = fs::read(&journal).unwrap();
    Journal::open(&journal, &other, Existing::Restart).unwrap();
    assert_eq!(fs::read(house.path("a.1")).unwrap(), before, "set aside, not lost");
    fs::write(house.path("c"), "{\"text\":\"not ours\"}\n").unwrap();
    assert!(matches!(Journal::open(&house.path("c"), &other, Existing::Resume), Err(JournalError::Foreign(_))));
    let lines: Vec<String> = String::from_utf8(before).unwrap().lines().map(str::to_owned).collect();
    let damaged = [&lines[..3], &["{\"n\":3,\"inp".to_owned()], &lines[4..], &[String::new()]].concat().join("\n");
    fs::write(house.path("d"), damaged).unwrap();
    let error = house.label(&house.path("d"), &input(), &Settings::default(), None).unwrap_err();
    assert!(error.to_string().contains("d: line 4 is damaged"), "{error}");
    let error = Ordered::open(&house.path("d")).unwrap().find_map(Result::err).unwrap();
    assert!(error.to_string().contains("d: line 4 is damaged"), "{error}");
}

#[test]
fn shares_of_a_run_make_what_one_machine_makes_byte_for_byte() {
    let house = House::new();
    let one = house.whole("one.journal");
    let shards: Vec<PathBuf> = (1..=8)
        .map(|index| {
            let path = house.path(&format!("share-{index}"));
            let settings = Settings { shard: Some(format!("{index}/8").parse().unwrap()), ..Settings::default() };
            let summary = house.label(&path, &input(), &settings, None).unwrap();
            assert!((1..100).contains(&summary.rows()));
            path
        })
        .collect();
    let merged = house.path("merged.journal");
    let summary = merge(&shards, &merged, false).unwrap();
    assert_eq!((summary.rows(), summary.records), (200, Some(200)));
    assert_eq!(fs::read(&merged).unwrap(), fs::read(&one).unwrap());
    for format in [Output::Jsonl, Output::Csv] {
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
    assert!(partial.rows() < 200 && partial.records.is_none());
    let doubled = fails(&[&shards[..], &shards[2..3]].concat(), false);
    assert!(matches!(&doubled, Err(MergeError::Doubled { .. })), "{doubled:?}");
    let text = fs::read_to_string(&shards[0]).unwrap();
    let cut: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
    fs::write(house.path("cut"), cut).unwrap();
    let unfinished = fails(&[&[house.path("cut")], &shards[1..]].concat(), false);
    assert!(matches!(&unfinished, Err(MergeError::Unfinished(_))), "{unfinished:?}");
    fs::write(house.path("other"), text.replacen("m 1", "m 2", 1)).unwrap();
    let other = fails(&[&[house.path("other")], &shards[1..]].concat(), false);
    assert!(matches!(&other, Err(MergeError::OtherTerms { .. })), "{other:?}");
    fs::write(house.path("longer"), text.replace("\"records\":200", "\"records\":201")).unwrap();
    let longer = fails(&[&[house.path("longer")], &shards[1..]].concat(), false);
    assert!(matches!(&longer, Err(MergeError::OtherInputs { .. })), "{longer:?}");
}

#[test]
fn rows_that_went_out_of_order_are_in_order_in_the_file() {
    let house = House::new();
    // Long texts among short ones: these overtake.
    let input: String = (0..300)
        .map(|row| format!("{{\"text\":\"{} {row}\"}}\n", if row % 20 == 0 { "word ".repeat(900) } else { "a".into() }))
        .collect();
    let unordered = Settings { unordered: true, ..Settings::default() };
    house.label(&house.path("a"), &input, &unordered, Some(120)).unwrap();
    house.label(&house.path("a"), &input, &Settings { unordered: true, ..Settings::default() }, None).unwrap();
    house.label(&house.path("b"), &input, &Settings::default(), None).unwrap();
    let (a, b) = (fs::read_to_string(house.path("a")).unwrap(), fs::read_to_string(house.path("b")).unwrap());
    assert_ne!(a, b, "none was overtaken, so that this says nothing");
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    assert_eq!(sorted(&a), sorted(&b));
    assert_eq!(house.export(&house.path("a"), Output::Jsonl), house.export(&house.path("b"), Output::Jsonl));
}

#[test]
fn an_output_that_is_split_has_each_record_in_one_file() {
    let house = House::new();
    let journal = house.whole("a");
    let out = house.path("v.jsonl");
    let form = Form { policies: vec!["rules".into()], fields: Some(Arc::new(Fields::parse("id,verdict").unwrap())) };
    let files =
        export(&journal, Target::File(&out), &Export { format: Output::Jsonl, packing: None, form, split: true });
    let names: Vec<String> =
        files.unwrap().iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
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
fn rows_that_are_judged_again_are_compared_with_what_was_said() {
    let house = House::new();
    let journal = house.whole("a");
    let compare = |journal: &Path, input: String| {
        let sample = Sample::of(journal, 40, 7).unwrap();
        let numbers: Vec<u64> = sample.numbers().collect();
        assert_eq!(numbers.len(), 40);
        let judges = [judge(&house.engine, &policy("rules"), &options())];
        let source = source(Cursor::new(input), Format::Jsonl)
            .filter(move |placed| placed.as_ref().map_or(true, |placed: &Placed| numbers.contains(&placed.number)));
        let mut comparison = Comparison { sample, agreement: Agreement::default() };
        let known = Known { past: magistrate::label::journal::Past::none(), memo: Memo::off() };
        let done = run(&house.engine, &judges, source, &Settings::default(), known, &mut comparison, &mut |_| ());
        done.map(|_| comparison.agreement)
    };
    let agreement = compare(&journal, input()).unwrap();
    assert_eq!((agreement.same, agreement.near, agreement.flipped.len()), (40, 0, 0));
    let lied = fs::read_to_string(&journal).unwrap().replace("\"verdict\":\"violation\"", "\"verdict\":\"safe\"");
    fs::write(house.path("b"), lied).unwrap();
    let agreement = compare(&house.path("b"), input()).unwrap();
    assert!(agreement.flipped.len() > 5 && agreement.all() == 40);
    assert_eq!(agreement.flipped[0].verdicts, ["safe", "violation"]);
    let error = compare(&journal, input().replace("Text", "Other text")).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("the input has changed"), "{error}");
}

/// Keeps how records stand, whose verdicts are of no interest.
#[derive(Default)]
struct Standings(Vec<Standing>);

impl Sink for Standings {
    fn put(&mut self, _: &magistrate::label::entry::Entry, _: &[u8], standing: Standing) -> std::io::Result<Written> {
        self.0.push(standing);
        Ok(Written::default())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_text_that_failed_is_judged_again_the_next_time_it_comes() {
    let engine = support::scripted::failing("?", 2);
    let judges: [Judge<'_>; 1] = [judge(&engine, &policy("rules"), &options())];
    let source = source(Cursor::new("?\nfine\n?\n?\n?\n"), Format::Lines);
    let mut standings = Standings::default();
    let known = support::scripted::nothing();
    let summary = run(&engine, &judges, source, &Settings::default(), known, &mut standings, &mut |_| ()).unwrap();
    assert_eq!(standings.0, [Undecided, Safe, Undecided, Safe, Safe]);
    assert_eq!((summary.reused, summary.reasons["fault"]), (1, 2));
}

#[test]
fn equal_texts_never_wait_for_each_other_in_a_circle() {
    for unordered in [false, true] {
        let engine = support::scripted::failing("?", 5);
        let judges: [Judge<'_>; 1] = [judge(&engine, &policy("rules"), &options())];
        let input: String =
            (0..600).map(|row| if row % 3 == 0 { "?\n".into() } else { format!("Text {row}\n") }).collect();
        let source = source(Cursor::new(input), Format::Lines);
        let mut standings = Standings::default();
        let settings = Settings { unordered, ..Settings::default() };
        let known = support::scripted::nothing();
        let summary = run(&engine, &judges, source, &settings, known, &mut standings, &mut |_| ()).unwrap();
        assert_eq!((standings.0.len(), summary.reasons["fault"]), (600, 5));
    }
}

#[test]
fn a_first_line_that_is_torn_is_written_anew() {
    let house = House::new();
    let whole = fs::read(house.whole("whole")).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
    for (number, at) in [0, 1, first / 2, first].into_iter().enumerate() {
        let journal = house.path(&number.to_string());
        fs::write(&journal, &whole[..at]).unwrap();
        house.label(&journal, &input(), &Settings::default(), None).unwrap();
        assert_eq!(fs::read(&journal).unwrap(), whole, "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Killed at any moment, a journal is a beginning of the whole one; torn by a power cut, a line may be half there.
    #[test]
    fn cut_at_any_byte_it_is_gone_on_with_to_the_same_bytes(share in 0.0..1.0_f64, garbage in any::<bool>()) {
        let house = House::new();
        let whole = fs::read(house.whole("whole")).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (share * whole.len() as f64) as usize;
        let mut cut = whole[..at].to_vec();
        if garbage {
            cut.extend([0; 700]);
        }
        let journal = house.path("cut");
        fs::write(&journal, cut).unwrap();
        let summary = house.label(&journal, &input(), &Settings::default(), None).unwrap();
        prop_assert_eq!(summary.rows(), 200);
        prop_assert_eq!(fs::read(&journal).unwrap(), whole);
        prop_assert_eq!(beside(Path::new("a/b.csv")), Path::new("a/b.csv.journal"));
    }
}
