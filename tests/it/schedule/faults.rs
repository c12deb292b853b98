//! Faults: a batch that fails costs only the item that causes it.

#![allow(clippy::wildcard_imports, reason = "a part of the module above, and its helpers")]

use super::*;

/// A token that is in no prompt of these tests.
pub(super) const POISON: Token = Token(999);

fn poisoned(batch: &Batch) -> Option<Fault> {
    let poisoned = batch.entries().iter().any(|entry| entry.token == POISON);
    poisoned.then(|| Fault::Other("poisoned".into()))
}

#[test]
fn a_fault_costs_only_the_item_that_causes_it() {
    let setup = setup((0..20).map(|number| Job { suffix: if number == 5 { 0 } else { 20 }, ..PLAIN }).collect());
    let (_, run) = watch(&setup, poisoned);
    for (number, ended) in run.ended {
        match ended.unwrap() {
            Ok(completion) => assert!(same(&completion.unwrap(), &alone(&setup, number)), "{number}"),
            Err(fault) => assert_eq!((number, fault), (5, Fault::Other("poisoned".into()))),
        }
    }
}

#[test]
fn a_fault_over_a_prefix_costs_only_the_items_behind_it() {
    let jobs = (0..20).map(|number| Job { prefix: number % 2, ..PLAIN }).collect();
    let setup = Setup { prefixes: vec![100, 0], ..setup(jobs) };
    let (_, run) = watch(&setup, poisoned);
    assert!(run.ended.iter().all(|(number, ended)| ended.as_ref().unwrap().is_ok() == (number % 2 == 0)));
}

#[test]
fn a_fault_that_passes_costs_nobody_anything() {
    let setup = setup(jobs(20, &PLAIN));
    for bad in [0, 1, 2, 7] {
        let batches = std::cell::Cell::new(0);
        let once = |_: &Batch| {
            batches.set(batches.get() + 1);
            (batches.get() == bad + 2).then_some(Fault::NoCells)
        };
        let (_, run) = watch(&setup, once);
        for (number, ended) in run.ended {
            assert!(same(&ended.unwrap().unwrap().unwrap(), &alone(&setup, number)), "{number}");
        }
    }
}

#[test]
fn a_backend_that_is_gone_ends_every_job_with_its_fault() {
    let (_, run) = watch(&setup(jobs(20, &PLAIN)), |_| Some(Fault::NotFinite));
    assert_eq!(run.order.len(), 20);
    assert!(run.ended.values().all(|ended| matches!(ended, Some(Err(Fault::NotFinite)))));
}

/// Runs a setup on a backend that faults at given places, and counts the tokens that are decoded.
pub(super) fn watch(setup: &Setup, fault: impl Fn(&Batch) -> Option<Fault>) -> (usize, Run) {
    let mut inner = backend(setup.limits);
    let mut backend = Observed::new(&mut inner, Faults { fault, tokens: 0 });
    let run = run(setup, &mut backend);
    (backend.observer.tokens, run)
}

/// Reports a fault where `fault` returns one, and counts the tokens that are decoded.
pub(super) struct Faults<F> {
    pub(super) fault: F,
    pub(super) tokens: usize,
}

impl<F: Fn(&Batch) -> Option<Fault>> Observer for Faults<F> {
    fn batch(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.tokens += batch.entries().len();
        (self.fault)(batch).map_or(Ok(()), Err)
    }
}
