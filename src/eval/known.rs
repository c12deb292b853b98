//! Evaluations whose verdicts are all known, so that no model need be loaded.

use super::collector::Collectors;
use super::evaluation::Evaluation;
use super::golden::Golden;
use crate::calibration::terms::Terms;
use crate::label::memo::Archive;
use crate::label::summary::Summary;

/// Evaluates a golden set by the verdicts in an archive. Returns `None` unless the archive has a verdict on each text
/// under each policy.
///
/// `name` is the set's, and `conditions` are those of each policy.
#[must_use]
pub fn known(golden: &Golden, archive: &mut Archive, name: &str, conditions: &[Terms]) -> Option<Vec<Evaluation>> {
    let mut collectors = Collectors::new(golden, conditions.len());
    let mut first = None;
    for placed in &golden.records {
        let answer = golden.answer(placed.number)?;
        let rows = archive.rows(&answer.hash)?;
        for (at, collector) in collectors.0.iter_mut().enumerate() {
            collector.add(answer, rows.get(at)?);
        }
        first.get_or_insert(rows);
    }
    let (first, summary) = (first?, Summary::default());
    let setups = first.iter().zip(conditions).map(|(row, terms)| row.setup(name, terms.clone()));
    Some(setups.zip(collectors.0).map(|(setup, rows)| Evaluation::new(setup, rows, &summary, 0.0)).collect())
}
