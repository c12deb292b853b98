//! The sink of a run: rows go into the journal, the index, the metrics and the audit log.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::SharedIndex;
use super::live::Live;
use crate::label::entry::Entry;
use crate::label::journal::Journal;
use crate::label::row::{Row, RowVerdict};
use crate::label::sink::{Sink, Written};
use crate::serve::audit::Request;
use crate::serve::policies::Served;
use crate::serve::state::State;

/// The sink of a run.
pub struct Recorder<'run> {
    pub state: &'run State,
    /// The run's id, under which audit lines name it.
    pub id: &'run str,
    pub served: &'run [Arc<Served>],
    pub journal: Journal,
    pub index: &'run SharedIndex,
    pub live: &'run Live,
}

impl Sink for Recorder<'_> {
    fn put(&mut self, entry: &Entry, raw: &[u8], rows: &[Row]) -> io::Result<Written> {
        let written = Sink::put(&mut self.journal, entry, raw, rows)?;
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let before = index.as_mut().zip(written.place).and_then(|(index, at)| index.put(entry.number, at, rows));
        drop(index);
        self.live.count(RowVerdict::of(rows), before);
        let request = Request { id: self.id, key: None, route: "/v1/runs", trace: None };
        for (row, served) in rows.iter().zip(self.served) {
            self.state.queue.count();
            self.state.metrics.row(&served.policy.id, row);
            self.state.audit.write(request, served, row, raw.len(), Duration::ZERO);
        }
        Ok(written)
    }
}
