//! Memory of a run. It runs in a process of its own, because the peak is that of the whole process. Only Linux has the
//! peak in `/proc`.
#![cfg(target_os = "linux")]

mod support;

use std::io::BufReader;

use magistrate::label::journal::Past;
use magistrate::label::memo::Memo;
use magistrate::label::records::InputFormat;
use magistrate::label::run::{EarlierVerdicts, Run, Settings, run};
use magistrate::machine::peak_memory;

use support::scripted::{Endless, engine, judge, options, policy, source};

#[test]
fn memory_does_not_grow_with_the_rows() {
    let engine = engine(2048);
    let judges = [judge(&engine, &policy("rules"), &options())];
    let peak_after = |rows| {
        let stream = BufReader::new(Endless { rows, buffer: Vec::new() });
        let source = source(stream, InputFormat::Jsonl);
        let mut sink = support::scripted::rows(std::io::sink(), &["rules"]);
        let known = EarlierVerdicts { past: Past::none(), memo: Memo::off() };
        let summary = run(
            Run { engine: &engine, judges: &judges, settings: &Settings::default(), earlier: known },
            source,
            &mut sink,
            &mut |_| (),
        )
        .unwrap();
        assert_eq!(summary.rows(), rows);
        peak_memory().expect("the system states the peak") / 1024
    };
    let (few, many) = (peak_after(1_000), peak_after(20_000));
    println!("peak after 1,000 rows {few} kB, after 20,000 more {many} kB");
    assert!(many - few < 20_000, "{few} kB after 1,000 rows, {many} kB after 20,000");
}
