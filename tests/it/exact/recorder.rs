//! An observer that records batches, forks and logits.

#![allow(clippy::wildcard_imports, reason = "a part of the module above, and its helpers")]

use super::*;

/// Keeps the logits of all rows that items read, by the tokens before them, or compares them with the kept ones.
pub(super) struct Recorder {
    histories: Vec<Vec<Token>>,
    /// The history of each row of the last batch.
    batch: Vec<Vec<Token>>,
    pub(super) notes: RefCell<Notes>,
}

#[derive(Default)]
pub(super) struct Notes {
    pub(super) rows: HashMap<Vec<Token>, Vec<f32>>,
    comparing: bool,
    pub(super) seen: usize,
    pub(super) unknown: usize,
    pub(super) worst: f32,
}

impl Recorder {
    pub(super) fn watch(backend: &mut dyn Backend, rows: HashMap<Vec<Token>, Vec<f32>>) -> Observed<'_, Self> {
        let histories = vec![Vec::new(); backend.limits().sequences];
        let notes = Notes { comparing: !rows.is_empty(), rows, ..Notes::default() };
        Observed::new(backend, Self { histories, batch: Vec::new(), notes: RefCell::new(notes) })
    }
}

impl Observer for Recorder {
    fn batch(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.batch.clear();
        for entry in batch.entries() {
            let history = &mut self.histories[entry.seq.index()];
            history.push(entry.token);
            self.batch.push(if entry.logits { history.clone() } else { Vec::new() });
        }
        Ok(())
    }

    fn logits(&self, row: LogitsRow, logits: &[f32]) {
        let history = &self.batch[row.index()];
        let mut notes = self.notes.borrow_mut();
        notes.seen += 1;
        let worst = notes.rows.get(history).map(|known| difference(std::slice::from_ref(known), &[logits.to_vec()]));
        match worst {
            Some(worst) if notes.comparing => notes.worst = notes.worst.max(worst),
            None if notes.comparing => notes.unknown += 1,
            _ => drop(notes.rows.insert(history.clone(), logits.to_vec())),
        }
    }

    fn fork(&mut self, from: SeqId, to: SeqId) {
        self.histories[to.index()] = self.histories[from.index()].clone();
    }

    fn clear(&mut self, seq: SeqId) {
        self.histories[seq.index()].clear();
    }
}
