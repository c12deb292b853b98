//! Versions of a policy on a golden set: each text is judged once by each, and a pass can be given up.

use std::sync::atomic::{AtomicUsize, Ordering};

use magistrate::calibration::terms::Terms;
use magistrate::engine::Engine;
use magistrate::eval::comparison::Comparison;
use magistrate::eval::golden::{Golden, GoldenOptions};
use magistrate::eval::pass::Pass;
use magistrate::eval::versions::Versions;
use magistrate::eval::{EvaluatedRow, Evaluation};
use magistrate::label::records::InputFormat;
use magistrate::policy::Policy;

use super::support::scripted::{engine, failing, judge, options, policy};
use super::{records, strict};

fn golden(text: &str, policy: &Policy) -> Golden {
    let records = records(text, InputFormat::Jsonl);
    Golden::read(records, &GoldenOptions::default(), std::slice::from_ref(policy)).unwrap()
}

/// Judges the texts of a set that a version has not judged. Returns their number and the evaluation.
fn judged(engine: &Engine, versions: &mut Versions, policy: &Policy, golden: &Golden) -> (usize, Evaluation) {
    let judge = judge(engine, policy, &options());
    versions.begin(&policy.digest());
    let unknown = versions.unknown(golden);
    let count = unknown.len();
    let pass = Pass { engine, judge: &judge, chunking: None };
    assert!(pass.run(unknown, &mut || true, &mut |record, row| versions.put(record, row)).unwrap());
    (count, versions.evaluation(golden, judge.provenance.setup("golden", Terms::default())))
}

const SET: &str = "{\"text\":\"a!\",\"label\":1}\n{\"text\":\"b\",\"label\":0}\n{\"text\":\"c\",\"label\":0}\n";

#[test]
fn each_version_judges_a_text_once_and_an_earlier_one_has_its_verdicts_still() {
    let (engine, mut versions) = (engine(2048), Versions::default());
    let (mild, strict) = (policy("mild"), strict());
    let set = golden(SET, &mild);
    let (count, first) = judged(&engine, &mut versions, &mild, &set);
    assert_eq!((count, first.rows.iter().filter(|row| row.is_wrong()).count()), (3, 0));
    // Another policy judges every text again.
    let (count, second) = judged(&engine, &mut versions, &strict, &set);
    let comparison = Comparison::of(["before", "now"], &first, &second);
    assert_eq!((count, comparison.first, comparison.second, comparison.flips.len()), (3, 2, 0, 2));
    // The change is undone, a label is another, and a text is new.
    let set =
        golden("{\"text\":\"b\",\"label\":1}\n{\"text\":\"a!\",\"label\":1}\n{\"text\":\"d!\",\"label\":1}\n", &mild);
    let (count, third) = judged(&engine, &mut versions, &mild, &set);
    let wrong: Vec<&str> = third.rows.iter().filter(|row| row.is_wrong()).map(|row| row.text.as_str()).collect();
    assert_eq!((count, third.rows.len(), wrong), (1, 3, vec!["b"]));
}

#[test]
fn texts_in_doubt_are_judged_first() {
    let (engine, mut versions) = (engine(2048), Versions::default());
    let (mild, strict) = (policy("mild"), strict());
    let set = golden(SET, &mild);
    judged(&engine, &mut versions, &mild, &set);
    // A text that the version before has not judged has no flip to show, so it comes last.
    let more = golden(&format!("{{\"text\":\"new\",\"label\":0}}\n{SET}"), &mild);
    versions.begin(&strict.digest());
    let order = versions.unknown(&more);
    assert_eq!(order.last().unwrap().record.content.as_ref().unwrap().text(), "new");
}

#[test]
fn a_pass_that_is_given_up_keeps_what_was_judged_and_goes_on_with_the_rest() {
    let (engine, mut versions, policy) = (engine(2048), Versions::default(), policy("rules"));
    let lines: String =
        (0..40).map(|number| format!("{{\"text\":\"text {number}\",\"label\":{}}}\n", number % 2)).collect();
    let set = golden(&lines, &policy);
    let judge = judge(&engine, &policy, &options());
    let pass = Pass { engine: &engine, judge: &judge, chunking: None };
    versions.begin("one");
    let (done, unknown) = (AtomicUsize::new(0), versions.unknown(&set));
    let whole = pass.run(unknown, &mut || done.load(Ordering::Relaxed) < 5, &mut |record, row| {
        done.fetch_add(1, Ordering::Relaxed);
        versions.put(record, row);
    });
    assert_eq!((whole.unwrap(), done.load(Ordering::Relaxed)), (false, 5));
    versions.begin("one");
    let rest = versions.unknown(&set);
    assert_eq!(rest.len(), 35);
    assert!(pass.run(rest, &mut || true, &mut |record, row| versions.put(record, row)).unwrap());
    assert!(versions.unknown(&set).is_empty());
    assert!(set.records.iter().all(|record| versions.evaluated(&set, record).is_some_and(|row| row.verdict.is_some())));
}

#[test]
fn a_verdict_that_a_failed_engine_did_not_give_is_asked_for_again() {
    let (engine, mut versions, policy) = (failing("bad", 1), Versions::default(), policy("rules"));
    let set = golden("{\"text\":\"bad\",\"label\":0}\n{\"text\":\"a!\",\"label\":1}\n", &policy);
    let undecided = |evaluation: &Evaluation| {
        let open: Vec<&EvaluatedRow> = evaluation.rows.iter().filter(|row| row.verdict.is_none()).collect();
        open.iter().map(|row| row.text.clone()).collect::<Vec<_>>()
    };
    let (count, first) = judged(&engine, &mut versions, &policy, &set);
    assert_eq!((count, undecided(&first)), (2, vec!["bad".to_owned()]));
    let (count, second) = judged(&engine, &mut versions, &policy, &set);
    assert_eq!((count, undecided(&second)), (1, Vec::new()));
}
