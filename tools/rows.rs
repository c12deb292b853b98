//! Measures the cost of a row without the model: `rows [ROWS]` labels made-up texts, a million by default, on a backend of a
//! few lines.
//!
//! Reading, tokenizing, scheduling, the journal and the output are the real ones. Each step is also timed alone.

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

use magistrate::calibration::terms::Terms;
use magistrate::digest::Hash;
use magistrate::label::anew::Anew;
use magistrate::label::entry::OutputForm;
use magistrate::label::export::{Export, OutputFormat, Target, export};
use magistrate::label::journal::{Existing, Journal, Ordered};
use magistrate::label::memo::Memo;
use magistrate::label::records::InputFormat;
use magistrate::label::run::{EarlierVerdicts, Run, Settings, run};
use magistrate::machine::peak_memory;

use support::scripted::{Endless, engine, judge, options, policy, source};

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("out.journal");
    let engine = engine(8192);
    let judges = [judge(&engine, &policy("rules"), &options())];
    let input = || source(BufReader::new(Endless { rows, buffer: Vec::new() }), InputFormat::Jsonl);
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    let report = |step: &str, begun: Instant| {
        let seconds = begun.elapsed().as_secs_f64();
        let memory = peak_memory().map_or(String::new(), |bytes| format!(", peak {} MB", bytes / 1_000_000));
        let (each, rate) = (seconds * 1e6 / rows as f64, rows as f64 / seconds);
        println!("{step:<28} {each:6.2} µs a row, {rate:9.0} rows/s{memory}");
    };

    let begun = Instant::now();
    input().for_each(drop);
    report("reading alone", begun);
    let begun = Instant::now();
    for placed in input() {
        if let Ok(content) = placed?.record.content {
            std::hint::black_box((engine.tokenizer().encode(content.text()), Hash::of(content.text().as_bytes())));
        }
    }
    report("with tokenizing and digests", begun);

    let terms = Terms([("policies".to_owned(), serde_json::json!(["rules 0 none"]))].into_iter().collect());
    let begun = Instant::now();
    let (mut sink, past) = Journal::open(&journal, &terms, Existing::Resume)?;
    let earlier = EarlierVerdicts { past, memo: Memo::in_journal(File::open(&journal)?) };
    let summary = run(
        Run { engine: &engine, judges: &judges, settings: &Settings::default(), earlier },
        input(),
        &mut sink,
        &mut |_| (),
    )?;
    if let Some(end) = summary.end {
        sink.finish(end)?;
    }
    assert_eq!(summary.rows(), rows);
    report("labelled, into a journal", begun);

    let begun = Instant::now();
    assert_eq!(Ordered::open(&journal)?.flatten().count() as u64, rows);
    report("the journal, read in order", begun);
    for (name, format) in [("JSONL of it", OutputFormat::Jsonl), ("CSV of it", OutputFormat::Csv)] {
        let begun = Instant::now();
        let form = OutputForm { policies: vec!["rules".into()], ..OutputForm::default() };
        export(&journal, Target::File(&folder.path().join("out")), &Export { format, form, ..Export::default() })?;
        report(name, begun);
    }
    let begun = Instant::now();
    let anew = Anew::new(&Ordered::open(&journal)?.terms, Some(0.9), None)?;
    let form = OutputForm { policies: vec!["rules".into()], ..OutputForm::default() };
    let form = Export { format: OutputFormat::Csv, form, anew: Some(anew), ..Export::default() };
    export(&journal, Target::File(&folder.path().join("out")), &form)?;
    report("decided anew, CSV of it", begun);
    // An open journal is locked.
    drop(sink);
    let begun = Instant::now();
    let (mut sink, past) = Journal::open(&journal, &terms, Existing::Resume)?;
    let earlier = EarlierVerdicts { past, memo: Memo::in_journal(File::open(&journal)?) };
    let summary = run(
        Run { engine: &engine, judges: &judges, settings: &Settings::default(), earlier },
        input(),
        &mut sink,
        &mut |_| (),
    )?;
    assert_eq!(summary.resumed, rows);
    report("resumed: nothing to do", begun);
    println!("the journal has {} bytes a row", std::fs::metadata(&journal)?.len() / rows);
    Ok(())
}
