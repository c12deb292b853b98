//! A run that is killed at any moment resumes where it stopped, and several machines make the same output as one.

mod damage;
mod shares;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use magistrate::calibration::terms::Terms;
use magistrate::digest::Hash;
use magistrate::engine::Engine;
use magistrate::hint::Hints;
use magistrate::label::entry::OutputForm;
use magistrate::label::export::{Export, OutputFormat, Target, export};
use magistrate::label::journal::{Existing, Journal, JournalError, Ordered, Past};
use magistrate::label::judge::Judge;
use magistrate::label::memo::Memo;
use magistrate::label::merge::{check, merge};
use magistrate::label::records::InputFormat;
use magistrate::label::row::Row;
use magistrate::label::row::RowVerdict::{self, Safe, Undecided};
use magistrate::label::run::{EarlierVerdicts, Event, Run, RunError, Settings, run};
use magistrate::label::sink::{Sink, Written};
use magistrate::label::source::Placed;
use magistrate::label::summary::{StopReason, Summary};
use magistrate::label::verify::{Agreement, Comparison, Sample};
use serde_json::json;

use crate::support;
use crate::support::scripted::{engine, judge, options, policy, source};

/// Returns 200 records: every fifth text occurs twice, and every ninth line is not a record.
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

/// Returns 40 records. Every fourth has a text for which the smaller of two engines has no room.
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

/// Returns the number of records in the inputs, if the run reached their end.
fn records(summary: &Summary) -> Option<u64> {
    summary.end.map(|end| end.records)
}

/// Returns edited lines of a journal with correct checksums.
fn resealed(lines: &str) -> String {
    let line = |line: &str| {
        let body = &line[..line.rfind(",\"sum\":\"").unwrap()];
        format!("{body},\"sum\":\"{:016x}\"}}\n", Hash::of(body.as_bytes()).short())
    };
    lines.lines().map(line).collect()
}

/// Opens a journal. Another test of this process may be starting a program, which has a copy of a closed journal's lock
/// for some milliseconds.
fn opened(path: &Path, terms: &Terms, existing: Existing) -> Result<(Journal, Past), JournalError> {
    let begun = Instant::now();
    loop {
        match Journal::open(path, terms, existing) {
            Err(JournalError::InUse(_)) if begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
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

    /// Labels an input into a journal, or resumes it. `stop` is the number of records after which the run stops.
    fn label(&self, journal: &Path, input: &str, settings: &Settings, stop: Option<u64>) -> Result<Summary, RunError> {
        let terms = terms(settings.shard.map(|shard| shard.to_string()).as_deref());
        let (mut sink, past) = opened(journal, &terms, Existing::Resume)?;
        let memo = Memo::in_journal(fs::File::open(journal).unwrap());
        let judges = [judge(&self.engine, &policy("rules"), &options())];
        let source = source(Cursor::new(input.to_owned()), InputFormat::Jsonl);
        let known = EarlierVerdicts { past, memo };
        let summary = run(
            Run { engine: &self.engine, judges: &judges, settings, earlier: known },
            source,
            &mut sink,
            &mut |news| {
                if let Event::Done(summary) = news
                    && Some(summary.rows()) == stop
                {
                    settings.stop.store(true, Ordering::Relaxed);
                }
            },
        )?;
        if let Some(end) = summary.end {
            sink.finish(end).unwrap();
        }
        Ok(summary)
    }

    /// Returns the journal of an input whose run is complete.
    fn of(&self, name: &str, input: &str) -> PathBuf {
        let path = self.path(name);
        self.label(&path, input, &Settings::default(), None).unwrap();
        path
    }

    /// Returns the reason why a run cannot be continued with an input.
    fn refused(&self, journal: &Path, input: &str) -> String {
        self.label(journal, input, &Settings::default(), None).unwrap_err().to_string()
    }

    fn whole(&self, name: &str) -> PathBuf {
        self.of(name, &input())
    }

    fn export(&self, journal: &Path, format: OutputFormat) -> Vec<u8> {
        let out = self.path("out");
        let form = OutputForm { policies: vec!["rules".into()], ..OutputForm::default() };
        export(journal, Target::File(&out), &Export { format, form, ..Export::default() }).unwrap();
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
    // A resumed run uses the verdicts of the earlier run.
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
    assert_eq!((summary.ended, records(&summary)), (Some(StopReason::Stopped), None));
    assert!((50..200).contains(&summary.rows()), "{}", summary.rows());
    house.label(&journal, &input(), &Settings::default(), None).unwrap();
    assert_eq!(fs::read(&journal).unwrap(), fs::read(house.whole("b")).unwrap());
}

#[test]
fn what_is_not_the_same_run_is_refused_with_what_is_different() {
    let house = House::new();
    let journal = house.whole("a");
    let refused = |terms: &Terms| match opened(&journal, terms, Existing::Resume) {
        Err(error @ JournalError::OtherTerms { .. }) => {
            assert!(!error.hints().is_empty());
            error.to_string()
        }
        other => panic!("{other:?}"),
    };
    let mut other = terms(None);
    other.0.insert("model".into(), "m 2".into());
    other.0.insert("--threshold".into(), 0.5.into());
    let message = refused(&other);
    assert!(message.contains("  model: then m 1, now m 2\n  --threshold: then not given, now 0.5"), "{message}");
    let mix = opened(&journal, &other, Existing::Mix);
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
    opened(&journal, &other, Existing::Restart).unwrap();
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
fn rows_that_went_out_of_order_are_in_order_in_the_file() {
    let house = House::new();
    // Long texts among short ones, which overtake them.
    let input: String = (0..300)
        .map(|row| format!("{{\"text\":\"{} {row}\"}}\n", if row % 20 == 0 { "word ".repeat(900) } else { "a".into() }))
        .collect();
    let unordered = Settings::default().with_unordered(true);
    house.label(&house.path("a"), &input, &unordered, Some(120)).unwrap();
    house.label(&house.path("a"), &input, &Settings::default().with_unordered(true), None).unwrap();
    house.label(&house.path("b"), &input, &Settings::default(), None).unwrap();
    let (a, b) = (fs::read_to_string(house.path("a")).unwrap(), fs::read_to_string(house.path("b")).unwrap());
    assert_ne!(a, b, "none was overtaken, so that this says nothing");
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"pass\":")).collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    assert_eq!(sorted(&a), sorted(&b));
    assert_eq!(
        house.export(&house.path("a"), OutputFormat::Jsonl),
        house.export(&house.path("b"), OutputFormat::Jsonl)
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
        let source = source(Cursor::new(input), InputFormat::Jsonl)
            .filter(move |placed| placed.as_ref().map_or(true, |placed: &Placed| numbers.contains(&placed.number)));
        let mut comparison = Comparison { sample, agreement: Agreement::default() };
        let known = EarlierVerdicts { past: Past::none(), memo: Memo::off() };
        let done = run(
            Run { engine: &house.engine, judges: &judges, settings: &Settings::default(), earlier: known },
            source,
            &mut comparison,
            &mut |_| (),
        );
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
    let source = source(Cursor::new("?\nfine\n?\n?\n?\n"), InputFormat::Lines);
    let mut standings = Standings::default();
    let known = support::scripted::nothing();
    let summary = run(
        Run { engine: &engine, judges: &judges, settings: &Settings::default(), earlier: known },
        source,
        &mut standings,
        &mut |_| (),
    )
    .unwrap();
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
        let source = source(Cursor::new(input), InputFormat::Lines);
        let mut standings = Standings::default();
        let settings = Settings::default().with_unordered(unordered);
        let known = support::scripted::nothing();
        let summary = run(
            Run { engine: &engine, judges: &judges, settings: &settings, earlier: known },
            source,
            &mut standings,
            &mut |_| (),
        )
        .unwrap();
        assert_eq!((standings.0.len(), summary.reasons["fault"]), (600, 5));
    }
}

#[test]
fn a_text_without_a_verdict_for_lack_of_room_or_by_a_fault_is_judged_again_when_a_run_is_continued() {
    let mut house = House::new();
    let input = short_and_long();
    let roomy = house.of("roomy", &input);
    let rows = house.export(&roomy, OutputFormat::Jsonl);
    house.engine = engine(512);
    let journal = house.path("a");
    let summary = house.label(&journal, &input, &Settings::default(), None).unwrap();
    assert_eq!((summary.reasons["too-long"], summary.reused), (10, 0));
    let before = fs::read(&journal).unwrap();
    let again = house.label(&journal, &input, &Settings::default(), None).unwrap();
    assert_eq!((again.resumed, again.reasons["too-long"]), (40, 10));
    assert_eq!(fs::read(&journal).unwrap(), before, "what is as it was is not written again");

    // A stop in the middle changes nothing.
    house.engine = engine(2048);
    house.label(&journal, &input, &Settings::default(), Some(14)).unwrap();
    let done = house.label(&journal, &input, &Settings::default(), None).unwrap();
    assert_eq!((done.rows(), &done.reasons, records(&done)), (40, &BTreeMap::new(), Some(40)));
    assert_eq!(house.export(&journal, OutputFormat::Jsonl), rows);
    assert_eq!(merge(std::slice::from_ref(&journal), &house.path("merged"), false).unwrap().rows(), 40);
    assert_eq!(fs::read(house.path("merged")).unwrap(), fs::read(&roomy).unwrap(), "as if there had been room at once");

    let input: String = (0..40).map(|row| format!("{{\"text\":\"? {row}\"}}\n")).collect();
    let rows = house.export(&house.of("whole", &input), OutputFormat::Jsonl);
    house.engine = support::scripted::failing("?", 3);
    let failed = house.label(&house.path("b"), &input, &Settings::default(), None).unwrap();
    let faults = failed.reasons["fault"];
    let mended = house.label(&house.path("b"), &input, &Settings::default(), None).unwrap();
    assert_eq!((mended.reasons.len(), mended.resumed), (0, 40 - faults));
    assert_eq!(house.export(&house.path("b"), OutputFormat::Jsonl), rows);
}

#[test]
fn a_record_that_the_input_ended_in_is_judged_again_once_it_has_grown() {
    let house = House::new();
    let journal = house.path("a");
    let mut grown = String::new();
    // More runs than a journal has passes.
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
    assert_eq!(house.export(&journal, OutputFormat::Jsonl), house.export(&house.of("b", &grown), OutputFormat::Jsonl));
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
    assert_eq!(house.export(&journal, OutputFormat::Jsonl), house.export(&house.whole("b"), OutputFormat::Jsonl));
    // Line ends do not belong to a record.
    house.label(&journal, &input().replace('\n', "\r\n"), &Settings::default(), None).unwrap();
}
