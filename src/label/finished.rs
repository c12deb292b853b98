//! Finished runs: their inputs are compared with the journal, without a model.

use std::path::Path;

use super::journal::{End, Ordered, Past};
use super::memo::is_lasting;
use super::shard::Shard;
use super::source::Source;
use super::summary::Summary;
use crate::digest::{Digests, Hash};

/// Returns the counts of a run of which every record is done. `None` if something is left to judge, or anything is
/// wrong with the inputs or the journal: a run over them does the rest, or reports it.
#[must_use]
pub fn finished(source: Source, journal: &Path, shard: Option<Shard>) -> Option<Summary> {
    let rows = Ordered::open(journal).ok()?;
    let end = rows.end?;
    let mut past = Past::of(rows, true);
    let (mut summary, mut inputs) = (Summary::default(), Digests::default());
    for placed in source {
        let placed = placed.ok()?;
        let digest = Hash::of_record(&placed.record);
        inputs.add(&digest);
        if shard.is_some_and(|shard| !shard.has(&placed)) {
            continue;
        }
        let done = past.find(&placed, &digest).ok()??;
        if !is_lasting(&done.rows) {
            return None;
        }
        summary.add(&done.rows, false);
        summary.resumed += 1;
    }
    past.end().ok()?;
    (End::from(inputs) == end).then_some(Summary { end: Some(end), ..summary })
}
