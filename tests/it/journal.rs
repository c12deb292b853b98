//! A run that is killed at any moment goes on where it stopped, and several machines make what one would have made.

use crate::support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use magistrate::calibration::terms::Terms;
use magistrate::digest::Hash;
use magistrate::engine::Engine;
use magistrate::label::entry::Form;
use magistrate::label::export::{Export, Format as Output, Target, export};
use magistrate::label::journal::{Existing, Journal, JournalError, Ordered, beside};
use magistrate::label::memo::Memo;
use magistrate::label::merge::{MergeError, check, merge};
use magistrate::label::records::Format;
use magistrate::label::row::RowVerdict::{Safe, Undecided};
use magistrate::label::row::{Row, RowFields, RowVerdict};
use magistrate::label::run::{Judge, Known, News, RunError, Settings, run};
use magistrate::label::sink::{Sink, Written};
use magistrate::label::source::Placed;
use magistrate::label::summary::{Ended, Summary};
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

/// Forty records, every fourth with a text for which the smaller of two engines has no room.
fn short_and_long() -> String {
    (0..40)
        .map(|row| {
            format!("{{\"text\":\"{}{row}\"}}\n", if row % 4 == 1 { "word ".repeat(300) } else { String::new() })
        })
        .collect()
}

fn terms(shard: Option<&str>) -> Terms {
    let mut terms = json!({"model": "m 1", "policies": ["rules 2 none"]});
    if let Some(shard) = shard {
        terms["shard"] = shard.into();
    }
    Terms(terms.as_object().unwrap().clone())
}

/// How many records the inputs have, if the run came to their end.
fn records(summary: &Summary) -> Option<u64> {
    summary.end.map(|end| end.records)
}

/// Lines of a journal that somebody has changed and given the right checksums.
fn resealed(lines: &str) -> String {
    let line = |line: &str| {
        let body = &line[..line.rfind(",\"sum\":\"").unwrap()];
        format!("{body},\"sum\":\"{:016x}\"}}\n", Hash::of(body.as_bytes()).short())
    };
    lines.lines().map(line).collect()
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
        if let Some(end) = summary.end {
            sink.finish(end).unwrap();
        }
        Ok(summary)
    }

    /// A journal of an input, whose run came to its end.
    fn of(&self, name: &str, input: &str) -> PathBuf {
        let path = self.path(name);
        self.label(&path, input, &Settings::default(), None).unwrap();
        path
    }

    /// Why a run cannot be continued with an input.
    fn refused(&self, journal: &Path, input: &str) -> String {
        self.label(journal, input, &Settings::default(), None).unwrap_err().to_string()
    }

    fn whole(&self, name: &str) -> PathBuf {
        self.of(name, &input())
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
    assert_eq!((summary.rows(), records(&summary), summary.resumed), (200, Some(200), 0));
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
    assert_eq!((added.resumed, added.rows(), records(&added)), (200, 201, Some(201)));
    assert_eq!(Ordered::open(&journal).unwrap().count(), 201);
}

#[test]
fn a_stopped_run_goes_on_where_it_stopped() {
    let house = House::new();
    let journal = house.path("a");
    let settings = Settings::default();
    let summary = house.label(&journal, &input(), &settings, Some(50)).unwrap();
    assert_eq!((summary.ended, records(&summary)), (Some(Ended::Stopped), None));
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
        message.contains("  model: then m 1, now m 2\n  --threshold: then not given, now 0.5\nhint: "),
        "{message}"
    );
    let mix = Journal::open(&journal, &other, Existing::Mix);
    assert!(mix.is_ok());
    let in_use = Journal::open(&journal, &terms(None), Existing::Resume);
    assert!(matches!(in_use, Err(JournalError::InUse(_))), "while the other writes to it");
    drop(mix);

    let changed = input().replacen("Text 1\"", "Text one\"", 1);
    let error = house.refused(&journal, &changed);
    assert!(error.contains("record 2 of input has changed since it was judged"), "{error}");

    let shorter: String = input().lines().take(190).map(|line| format!("{line}\n")).collect();
    let error = house.refused(&journal, &shorter);
    assert!(error.contains("a: the inputs have changed: 10 of the records that were judged are no longer"), "{error}");

    let before = fs::read(&journal).unwrap();
    Journal::open(&journal, &other, Existing::Restart).unwrap();
    assert_eq!(fs::read(house.path("a.1")).unwrap(), before, "set aside, not lost");
    let lines: Vec<String> = String::from_utf8(before).unwrap().lines().map(str::to_owned).collect();
    let damaged = [&lines[..3], &["{\"n\":3,\"inp".to_owned()], &lines[4..], &[String::new()]].concat().join("\n");
    fs::write(house.path("d"), damaged).unwrap();
    let error = house.label(&house.path("d"), &input(), &Settings::default(), None).unwrap_err();
    assert!(error.to_string().contains("d: line 4 is damaged"), "{error}");
    let error = Ordered::open(&house.path("d")).unwrap_err();
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
    assert_eq!((summary.rows(), records(&summary)), (200, Some(200)));
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
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"pass\":")).collect();
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
    let form = Form { policies: vec!["rules".into()], fields: Some(Arc::new(RowFields::parse("id,verdict").unwrap())) };
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
    fs::write(house.path("b"), resealed(&lied)).unwrap();
    let agreement = compare(&house.path("b"), input()).unwrap();
    assert!(agreement.flipped.len() > 5 && agreement.all() == 40);
    assert_eq!(agreement.flipped[0].verdicts, ["safe", "violation"]);
    let error = compare(&journal, input().replace("Text", "Other text")).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("the input has changed"), "{error}");
}

/// Keeps the verdict on each record alone.
#[derive(Default)]
struct Standings(Vec<RowVerdict>);

impl Sink for Standings {
    fn put(&mut self, _: &magistrate::label::entry::Entry, _: &[u8], rows: &[Row]) -> std::io::Result<Written> {
        self.0.push(RowVerdict::of(rows));
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
fn a_text_without_a_verdict_for_lack_of_room_or_by_a_fault_is_judged_again_when_a_run_is_continued() {
    let mut house = House::new();
    let input = short_and_long();
    let roomy = house.of("roomy", &input);
    let rows = house.export(&roomy, Output::Jsonl);
    house.engine = engine(512);
    let journal = house.path("a");
    let summary = house.label(&journal, &input, &Settings::default(), None).unwrap();
    assert_eq!((summary.reasons["too-long"], summary.reused), (10, 0));
    let before = fs::read(&journal).unwrap();
    let again = house.label(&journal, &input, &Settings::default(), None).unwrap();
    assert_eq!((again.resumed, again.reasons["too-long"]), (40, 10));
    assert_eq!(fs::read(&journal).unwrap(), before, "what is as it was is not written again");

    // Ended in the midst of it, too.
    house.engine = engine(2048);
    house.label(&journal, &input, &Settings::default(), Some(14)).unwrap();
    let done = house.label(&journal, &input, &Settings::default(), None).unwrap();
    assert_eq!((done.rows(), &done.reasons, records(&done)), (40, &BTreeMap::new(), Some(40)));
    assert_eq!(house.export(&journal, Output::Jsonl), rows);
    assert_eq!(merge(std::slice::from_ref(&journal), &house.path("merged"), false).unwrap().rows(), 40);
    assert_eq!(fs::read(house.path("merged")).unwrap(), fs::read(&roomy).unwrap(), "as if there had been room at once");

    let input: String = (0..40).map(|row| format!("{{\"text\":\"? {row}\"}}\n")).collect();
    let rows = house.export(&house.of("whole", &input), Output::Jsonl);
    house.engine = support::scripted::failing("?", 3);
    let failed = house.label(&house.path("b"), &input, &Settings::default(), None).unwrap();
    let faults = failed.reasons["fault"];
    let mended = house.label(&house.path("b"), &input, &Settings::default(), None).unwrap();
    assert_eq!((mended.reasons.len(), mended.resumed), (0, 40 - faults));
    assert_eq!(house.export(&house.path("b"), Output::Jsonl), rows);
}

#[test]
fn a_record_that_the_input_ended_in_is_judged_again_once_it_has_grown() {
    let house = House::new();
    let journal = house.path("a");
    let mut grown = String::new();
    // More often than a journal has passes.
    for row in 0..40 {
        grown += &format!("{{\"id\":{row},\"text\":\"half a l");
        house.label(&journal, &grown, &Settings::default(), None).unwrap();
        grown += &format!("ine {row}\"}}");
        house.label(&journal, &grown, &Settings::default(), None).unwrap();
        grown += "\n";
        let summary = house.label(&journal, &grown, &Settings::default(), None).unwrap();
        assert_eq!((summary.rows(), summary.of(Undecided)), (row + 1, 0));
    }
    let passes = fs::read_to_string(&journal).unwrap().matches("{\"pass\":").count();
    assert!((1..20).contains(&passes), "{passes}");
    assert_eq!(house.export(&journal, Output::Jsonl), house.export(&house.of("b", &grown), Output::Jsonl));
    assert_eq!(check(&journal, false).unwrap().rows(), 40);
}

#[test]
fn an_input_is_known_by_its_records_and_not_by_its_name() {
    let house = House::new();
    let journal = house.path("a");
    house.label(&journal, &input(), &Settings::default(), Some(50)).unwrap();
    let renamed = fs::read_to_string(&journal).unwrap().replace("\"input\":\"input\"", "\"input\":\"./old name\"");
    fs::write(&journal, resealed(&renamed)).unwrap();
    let summary = house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert!(summary.resumed >= 50 && summary.rows() == 200);
    assert_eq!(house.export(&journal, Output::Jsonl), house.export(&house.whole("b"), Output::Jsonl));
    // Line ends are no part of a record.
    house.label(&journal, &input().replace('\n', "\r\n"), &Settings::default(), None).unwrap();
}

#[test]
fn shares_of_inputs_with_other_records_do_not_make_one() {
    let house = House::new();
    let share = |name: &str, index: u64, input: &str| {
        let settings = Settings { shard: Some(format!("{index}/2").parse().unwrap()), ..Settings::default() };
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
    // A gap is filled when the run is continued, though it is far from the end.
    let summary = house.label(&gap, &input(), &Settings::default(), None).unwrap();
    assert_eq!((summary.resumed, check(&gap, false).unwrap().rows()), (195, 200));
    assert_eq!(house.export(&gap, Output::Jsonl), house.export(&house.path("a"), Output::Jsonl));
    // What is there is not written over.
    let error = merge(std::slice::from_ref(&gap), &twice, false).unwrap_err();
    assert!(matches!(error, MergeError::There(_)) && twice.exists(), "{error}");
}

#[test]
fn a_file_that_is_no_journal_is_left_as_it_is() {
    let house = House::new();
    let path = house.path("trip.journal");
    let old = "{\"journal\":1,\"terms\":{\"model\":\"m 1\"}}\n{\"n\":1}\n{\"n\":2";
    for (bytes, told) in [
        ("my diary, the only copy", "is not a journal of magistrate, and is left as it is"),
        ("line one\nline two\nlast line", "is not a journal of magistrate"),
        ("{\"text\":\"not ours\"}\n", "is not a journal of magistrate"),
        ("{\"journal\":\"of my trip\"}\nand so on", "is not a journal of magistrate"),
        ("{\"journal\":2,\"sum", "is not a journal of magistrate"),
        ("{\"journal\":2,\"terms\":{}}\nhalf", "line 1 is damaged"),
        (old, "is a journal of format 1, and this version of magistrate reads format 2"),
    ] {
        fs::write(&path, bytes).unwrap();
        for existing in [Existing::Resume, Existing::Mix] {
            let error = Journal::open(&path, &terms(None), existing).unwrap_err().to_string();
            assert!(error.contains(told), "{bytes}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
        }
    }
    Journal::open(&path, &terms(None), Existing::Restart).unwrap();
    assert_eq!(fs::read_to_string(house.path("trip.journal.1")).unwrap(), old, "set aside, not lost");
}

#[cfg(unix)]
#[test]
fn a_journal_is_its_users_alone_and_one_that_others_may_write_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let house = House::new();
    let open = |name: &str| Journal::open(&house.path(name), &terms(None), Existing::Resume).map(|_| ());
    let mode = |name: &str, mode| fs::set_permissions(house.path(name), fs::Permissions::from_mode(mode)).unwrap();
    for (wide, told) in [(0o666, "can be written by other users"), (0o620, "can be written by other users")] {
        fs::write(house.path("a"), "").unwrap();
        mode("a", wide);
        let error = open("a").unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert_eq!(fs::read(house.path("a")).unwrap(), b"");
    }
    house.whole("b");
    mode("b", 0o644);
    open("b").unwrap();
    assert_eq!(fs::metadata(house.path("b")).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(house.path("victim"), "").unwrap();
    symlink(house.path("victim"), house.path("link")).unwrap();
    symlink(house.path("nowhere"), house.path("dangling")).unwrap();
    fs::create_dir(house.path("folder")).unwrap();
    for (name, told) in [("link", "is a link"), ("dangling", "is a link"), ("folder", "is not a regular file")] {
        let error = open(name).unwrap_err().to_string();
        assert!(error.contains(told), "{name}: {error}");
    }
    assert_eq!((fs::read(house.path("victim")).unwrap().len(), house.path("nowhere").exists()), (0, false));
    if std::os::unix::fs::chown(house.path("victim"), Some(65534), None).is_ok() {
        let error = open("victim").unwrap_err().to_string();
        assert!(error.contains("belongs to another user"), "{error}");
    }
}

#[test]
fn a_journal_without_rows_takes_the_terms_of_now() {
    let house = House::new();
    let journal = house.path("a");
    let mut other = terms(None);
    other.0.insert("model".into(), "m 2".into());
    Journal::open(&journal, &other, Existing::Resume).unwrap();
    house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert_eq!(fs::read(&journal).unwrap(), fs::read(house.whole("b")).unwrap());
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

    /// Whatever is changed in a record between two runs: rows never show what the input no longer says.
    #[test]
    fn an_edit_of_any_record_is_noticed_when_a_run_is_continued(row in 0..200_usize, place in 0..80_usize, with in "[ -~]") {
        let house = House::new();
        let journal = house.whole("a");
        let mut lines: Vec<String> = input().lines().map(str::to_owned).collect();
        let place = place % lines[row].len();
        let before = std::mem::take(&mut lines[row]);
        lines[row] = format!("{}{with}{}", &before[..place], &before[place + 1..]);
        let changed = lines[row] != before && !lines[row].trim().is_empty();
        let edited: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let done = house.label(&journal, &edited, &Settings::default(), None);
        match done {
            Ok(_) => prop_assert!(!changed),
            Err(error) => {
                prop_assert!(changed);
                prop_assert!(error.to_string().contains(&format!("record {} of input has changed", row + 1)), "{error}");
            }
        }
    }

    /// Damage to a journal is named, or changes nothing that goes out: neither by a merge nor by the run that continues it.
    #[test]
    fn damage_to_any_byte_of_a_journal_is_named_or_changes_nothing(
        places in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 1..3),
    ) {
        let house = House::new();
        let journal = house.whole("a");
        let rows = house.export(&journal, Output::Jsonl);
        let mut bytes = fs::read(&journal).unwrap();
        for (share, byte) in places {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let place = (share * bytes.len() as f64) as usize;
            bytes[place] = byte;
        }
        fs::write(&journal, &bytes).unwrap();
        if check(&journal, false).is_ok() {
            prop_assert_eq!(&house.export(&journal, Output::Jsonl), &rows);
        }
        match house.label(&journal, &input(), &Settings::default(), None) {
            Ok(_) => prop_assert_eq!(&house.export(&journal, Output::Jsonl), &rows),
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains(" is damaged") || error.contains("is not a journal"), "{}", error);
                prop_assert_eq!(fs::read(&journal).unwrap(), bytes, "and it is left as it is");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Killed at any moment while it judges again what had no room.
    #[test]
    fn cut_at_any_byte_a_journal_of_two_passes_is_continued_to_the_same_rows(share in 0.0..1.0_f64) {
        let mut house = House::new();
        let (input, roomy) = (short_and_long(), house.of("roomy", &short_and_long()));
        house.engine = engine(512);
        let journal = house.of("a", &input);
        house.engine = engine(2048);
        house.label(&journal, &input, &Settings::default(), None).unwrap();
        let whole = fs::read(&journal).unwrap();
        let passes = String::from_utf8_lossy(&whole).matches("{\"pass\":").count();
        prop_assert_eq!(passes, 1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (share * whole.len() as f64) as usize;
        fs::write(&journal, &whole[..at]).unwrap();
        let summary = house.label(&journal, &input, &Settings::default(), None).unwrap();
        prop_assert_eq!((summary.rows(), summary.reasons.len()), (40, 0));
        prop_assert_eq!(house.export(&journal, Output::Jsonl), house.export(&roomy, Output::Jsonl));
    }
}
