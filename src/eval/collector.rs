//! A sink of a run that collects its rows for evaluations.

use std::io;

use super::evaluated_row::EvaluatedRow;
use super::golden::{Answer, Golden};
use crate::label::entry::Entry;
use crate::label::row::Row;
use crate::label::sink::{Sink, Written};

/// Collects the rows of one policy of a run.
#[derive(Debug)]
pub struct Collector<'run> {
    /// The golden set that is evaluated.
    pub golden: &'run Golden,
    /// The policy's position among the policies of the run, from 0.
    pub policy: usize,
    /// The rows collected so far.
    pub rows: Vec<EvaluatedRow>,
}

impl<'run> Collector<'run> {
    /// Returns an empty collector for the policy at this position among the policies of the run, from 0.
    #[must_use]
    pub fn new(golden: &'run Golden, policy: usize) -> Self {
        Self { golden, policy, rows: Vec::new() }
    }
}

impl Collector<'_> {
    /// Adds the row of a policy on a record, if the record's answer is known.
    pub(super) fn add(&mut self, answer: &Answer, row: &Row) {
        let Answer { number, line, input, id, text, hash, slice, expected } = answer;
        let Some(Some(expected)) = expected.get(self.policy) else { return };
        self.rows.push(EvaluatedRow {
            number: *number,
            line: *line,
            input: input.clone(),
            hash: *hash,
            id: id.clone(),
            text: text.clone(),
            expected: expected.clone(),
            verdict: row.verdict,
            category: row.category.clone(),
            probability: row.probability,
            rationale: row.rationale.clone(),
            reasoning: row.reasoning.clone(),
            error: row.error_code().map(str::to_owned),
            slice: slice.clone(),
            reasoning_tokens: row.usage.map(|usage| usage.reasoning_tokens),
            rungs: row.rungs(),
        });
    }
}

/// Collects the rows of all policies of a run, with one [`Collector`] for each.
#[derive(Debug)]
pub struct Collectors<'run>(pub Vec<Collector<'run>>);

impl<'run> Collectors<'run> {
    /// Returns empty collectors for the policies of a run.
    #[must_use]
    pub fn new(golden: &'run Golden, policies: usize) -> Self {
        Self((0..policies).map(|policy| Collector::new(golden, policy)).collect())
    }
}

impl Sink for Collectors<'_> {
    fn put(&mut self, entry: &Entry, _raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        for (collector, row) in self.0.iter_mut().zip(rows) {
            if let Some(answer) = collector.golden.answer(entry.number) {
                collector.add(answer, row);
            }
        }
        Ok(Written { rows: 1, place: None })
    }
}
