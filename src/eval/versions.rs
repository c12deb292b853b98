//! Versions of a policy on a golden set: their verdicts are kept, so that only new texts are judged.

use std::collections::HashMap;

use super::collector::Collector;
use super::evaluated_row::EvaluatedRow;
use super::evaluation::Evaluation;
use super::golden::Golden;
use crate::calibration::setup::EvaluationSetup;
use crate::digest::Hash;
use crate::label::row::Row;
use crate::label::source::Placed;

/// The verdicts of the latest versions of a policy.
#[derive(Debug, Default)]
pub struct Versions {
    /// The rows of each version by the digests of their texts, the current version last.
    kept: Vec<(String, HashMap<Hash, Row>)>,
}

/// Most versions that are kept. Authors undo their last few changes, and rarely more.
const MOST: usize = 8;

impl Versions {
    /// Makes a version the current one. `name` is a digest of everything that its verdicts depend on besides the text.
    /// A version that was current before has its verdicts still, except for rows that are not [`Row::is_lasting`].
    pub fn begin(&mut self, name: &str) {
        let known = self.kept.iter().position(|(known, _)| known == name).map(|place| self.kept.remove(place));
        let mut version = known.unwrap_or_else(|| (name.to_owned(), HashMap::new()));
        version.1.retain(|_, row| row.is_lasting());
        self.kept.push(version);
        if self.kept.len() > MOST {
            self.kept.remove(0);
        }
    }

    /// Returns the records whose texts have no verdict of the current version. Texts that the version before judged
    /// closest to the middle come first, as a change of the policy decides them first.
    #[must_use]
    pub fn unknown<'golden>(&self, golden: &'golden Golden) -> Vec<&'golden Placed> {
        let before = self.kept.len().checked_sub(2).and_then(|place| self.kept.get(place));
        let certainty = |record: &Placed| {
            let probability = before.and_then(|(_, rows)| rows.get(&hash(record))?.probability);
            // Texts that were not judged before have nothing to be compared with.
            probability.map_or(1.0, |probability| (probability - 0.5).abs())
        };
        let mut unknown: Vec<&Placed> = golden.records.iter().filter(|record| self.row(record).is_none()).collect();
        unknown.sort_by(|one, other| certainty(one).total_cmp(&certainty(other)));
        unknown
    }

    /// Keeps the row of a record under the current version.
    pub fn put(&mut self, record: &Placed, row: Row) {
        if let Some((_, rows)) = self.kept.last_mut() {
            rows.insert(hash(record), row);
        }
    }

    /// Returns a record's row with the expected answer. `None` if the current version has no verdict on its text.
    #[must_use]
    pub fn evaluated(&self, golden: &Golden, record: &Placed) -> Option<EvaluatedRow> {
        let mut collector = Collector::new(golden, 0);
        collector.add(golden.answer(record.number)?, self.row(record)?);
        collector.rows.pop()
    }

    /// Evaluates the current version on the texts that have its verdict.
    #[must_use]
    pub fn evaluation(&self, golden: &Golden, about: EvaluationSetup) -> Evaluation {
        let rows = golden.records.iter().filter_map(|record| self.evaluated(golden, record)).collect();
        Evaluation::of_rows(about, rows)
    }

    fn row(&self, record: &Placed) -> Option<&Row> {
        self.kept.last()?.1.get(&hash(record))
    }
}

/// Returns the digest of a record's text, or of the record if it has no text.
fn hash(record: &Placed) -> Hash {
    match &record.record.content {
        Ok(content) => Hash::of(content.text().as_bytes()),
        Err(_) => Hash::of(&record.record.raw),
    }
}
