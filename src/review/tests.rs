//! The store and the reader of the review queue, on real folders.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::item::Ruling::{Safe, Violation};
use super::item::{Decision, Found, Item, Reason, Ruling, new_id};
use super::reader::{Counts, Reader, Wanted};
use super::store::{Listed, Query, Store, StoreError};

fn item(text: &str, reasons: &[Reason], verdict: Found) -> Item {
    Item {
        id: new_id("item_"),
        time: 1000,
        policy: "spam".into(),
        digest: "d".into(),
        title: "Spam".into(),
        text: text.into(),
        verdict,
        category: None,
        probability: Some(0.5),
        threshold: 0.5,
        rationale: None,
        reasons: reasons.to_vec(),
        shadow: None,
        expected: None,
        severe: false,
    }
}

fn decision(item: &Item, reviewer: &str, verdict: Ruling) -> Decision {
    Decision {
        id: new_id("decision_"),
        time: 2000,
        item: item.id.clone(),
        reviewer: reviewer.into(),
        verdict,
        category: None,
        note: None,
        golden: false,
        blind: false,
    }
}

fn texts(store: &Store, state: Listed) -> Vec<String> {
    let page = store.list(&Query { state, limit: 100, ..Query::default() }).unwrap();
    page.items.into_iter().map(|(item, _)| item.text).collect()
}

fn counts(folder: &Path) -> Counts {
    Reader::open(folder).unwrap().counts(Wanted::default())
}

#[test]
fn a_decision_moves_an_item_and_a_retraction_moves_it_back_also_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("review");
    let store = Store::open(&folder).unwrap();
    let items = [item("a", &[Reason::Near], Found::Safe), item("b", &[Reason::Sample], Found::Violation)];
    store.add(&items).unwrap();
    let first = decision(&items[0], "ana", Ruling::Violation);
    assert_eq!(store.decide(&first).unwrap(), 1);
    assert_eq!((texts(&store, Listed::Open), texts(&store, Listed::Decided)), (vec!["b".into()], vec!["a".into()]));
    assert!(matches!(store.retract(&first.id, Some("ben")), Err(StoreError::Foreign)));
    assert!(matches!(store.retract("decision_0", None), Err(StoreError::Missing)));
    let unknown = Decision { item: "item_0".into(), ..first.clone() };
    assert!(matches!(store.decide(&unknown), Err(StoreError::Missing)));
    drop(store);
    let store = Store::open(&folder).unwrap();
    assert_eq!(texts(&store, Listed::All), ["b", "a"]);
    assert_eq!(store.retract(&first.id, Some("ana")).unwrap(), 2);
    drop(store);
    assert_eq!(texts(&Store::open(&folder).unwrap(), Listed::Open), ["a", "b"]);
    let items = fs::read_to_string(folder.join("items.jsonl")).unwrap();
    assert_eq!(items.lines().count(), 2, "a decision does not change an item");
}

#[test]
fn a_folder_has_one_server_and_its_files_are_for_one_user() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("review");
    let _store = Store::open(&folder).unwrap();
    assert_eq!(Store::open(&folder).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    #[cfg(unix)]
    for (name, mode) in [("", 0o700), ("items.jsonl", 0o600), ("decisions.jsonl", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn old_items_are_deleted_with_their_decisions_and_the_others_stay_readable() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let items: Vec<Item> = (0..6)
        .map(|number| Item { time: 100 * number, ..item(&format!("text {number}"), &[Reason::Flip], Found::Safe) })
        .collect();
    store.add(&items).unwrap();
    let decisions: Vec<Decision> = items.iter().map(|item| decision(item, "ana", Ruling::Safe)).collect();
    for decision in &decisions[..5] {
        store.decide(decision).unwrap();
    }
    store.retract(&decisions[4].id, None).unwrap();
    assert_eq!(store.expire(0).unwrap(), 0);
    assert_eq!(store.expire(250).unwrap(), 3);
    assert_eq!(
        (texts(&store, Listed::Open), texts(&store, Listed::Decided)),
        (vec!["text 4".into(), "text 5".into()], vec!["text 3".into()])
    );
    store.decide(&decisions[5]).unwrap();
    store.add(&[item("new", &[], Found::Safe)]).unwrap();
    drop(store);
    let files = ["items.jsonl", "decisions.jsonl"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert!(!files.concat().contains(&items[1].id) && !files[0].contains("text 2"));
    assert_eq!(files[1].lines().count(), 4, "the retraction is kept");
    assert_eq!(texts(&Store::open(folder.path()).unwrap(), Listed::All), ["text 4", "new", "text 5", "text 3"]);
}

#[test]
fn two_reviewers_agree_or_the_item_is_disputed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let items: Vec<Item> = [Found::Violation, Found::Safe, Found::Safe, Found::Unresolved]
        .into_iter()
        .enumerate()
        .map(|(at, verdict)| {
            item(&at.to_string(), if at < 2 { &[Reason::Sample, Reason::Near] } else { &[Reason::Near] }, verdict)
        })
        .collect();
    store.add(&items).unwrap();
    for (at, reviewer, verdict, category) in [
        (0, "ana", Violation, Some("SP1")),
        (1, "ana", Violation, None),
        (2, "ana", Violation, None),
        (3, "ana", Safe, None),
        (0, "ben", Violation, Some("SP2")),
        (2, "ben", Safe, None),
        (1, "ana", Safe, None),
    ] {
        let category = category.map(str::to_owned);
        store.decide(&Decision { category, ..decision(&items[at], reviewer, verdict) }).unwrap();
    }
    let agreement = store.agreement(Some("spam"));
    assert_eq!((agreement.with_model.rows, agreement.with_model.agree, agreement.with_model.kappa), (3, 3, Some(1.0)));
    let between = agreement.between_reviewers.unwrap();
    assert_eq!((between.rows, between.agree), (2, 1));
    // One pair agrees on a violation, and in the other only one calls it so: no agreement beyond chance.
    assert_eq!(between.kappa, Some(0.0));
    assert_eq!((agreement.sampled.rows, agreement.sampled.agree), (2, 2));
    assert_eq!(store.agreement(Some("hate")).with_model.rows, 0);
    assert_eq!(store.agreement(Some("hate")).between_reviewers, None);
    assert_eq!(counts(folder.path()), Counts { decided: 3, disputed: 1, open: 0 });
    let reader = Reader::open(folder.path()).unwrap();
    let decided: Vec<_> = reader.decided(Wanted::default()).map(Result::unwrap).collect();
    assert_eq!(decided.iter().map(|one| one.item.text.as_str()).collect::<Vec<_>>(), ["0", "1", "3"]);
    assert_eq!((decided[0].category.as_deref(), decided[1].decision.verdict), (None, Safe), "categories differ");
    let sampled = Wanted { policy: Some("spam"), reason: Some(Reason::Sample) };
    assert_eq!(reader.counts(sampled), Counts { decided: 2, disputed: 0, open: 0 });
}

#[test]
fn a_list_keeps_to_its_policy_its_reason_and_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let hate = Item { policy: "hate".into(), ..item("h", &[Reason::Flip], Found::Safe) };
    store.add(&[item("a", &[Reason::Near], Found::Safe), hate, item("b", &[Reason::Flip], Found::Safe)]).unwrap();
    let page = store
        .list(&Query { policy: Some("spam".into()), reason: Some(Reason::Flip), limit: 9, ..Query::default() })
        .unwrap();
    assert_eq!((page.items.len(), page.open, page.items[0].0.text.as_str()), (1, 1, "b"));
    assert_eq!(page.policies, [("hate".to_owned(), 1), ("spam".to_owned(), 2)], "as their oldest items");
    let page = store.list(&Query { limit: 1, ..Query::default() }).unwrap();
    assert_eq!((page.items.len(), page.open), (1, 3));
    let long = "x".repeat(5 << 20);
    store.add(&[item(&long, &[], Found::Safe), item(&long, &[], Found::Safe)]).unwrap();
    let page = store.list(&Query { limit: 9, ..Query::default() }).unwrap();
    assert_eq!(page.items.len(), 4, "a list has about 8 MB at most");
}

#[test]
fn a_broken_line_costs_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.add(&[item("a", &[], Found::Safe)]).unwrap();
    drop(store);
    let path = folder.path().join("items.jsonl");
    let line = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{line}{{}}\nnull\n\0\0\n{}", line.replace("\"a\"", "\"b\"").replace("item_", "item_f")))
        .unwrap();
    assert_eq!(texts(&Store::open(folder.path()).unwrap(), Listed::Open), ["a", "b"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// A process can be killed at any byte.
    #[test]
    fn a_torn_journal_has_the_whole_lines_before_and_goes_on(cut in 0..=2000_usize) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let items: Vec<Item> = (0..4).map(|number| item(&number.to_string(), &[Reason::Near], Found::Safe)).collect();
        store.add(&items).unwrap();
        drop(store);
        let path = folder.path().join("items.jsonl");
        let bytes = fs::read(&path).unwrap();
        let cut = cut.min(bytes.len());
        fs::write(&path, &bytes[..cut]).unwrap();
        let whole = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
        prop_assert_eq!(counts(folder.path()).open, whole as u64);
        let store = Store::open(folder.path()).unwrap();
        store.add(&[item("new", &[], Found::Safe)]).unwrap();
        let mut wanted: Vec<String> = (0..whole).map(|number| number.to_string()).collect();
        wanted.push("new".to_owned());
        prop_assert_eq!(texts(&store, Listed::Open), wanted.clone());
        drop(store);
        prop_assert_eq!(texts(&Store::open(folder.path()).unwrap(), Listed::Open), wanted);
    }
}
