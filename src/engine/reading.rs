//! Reading: the logits of a batch, which several threads turn into tokens and probabilities.
//!
//! A row has an entry for each token of the vocabulary. For 32 texts of the 20b these are 26 MB a step, and a GPU waits
//! until they are read.

use std::sync::{Mutex, PoisonError};

use super::backend::{Backend, Batch, LogitsRow};

/// Logits that are worth another thread. Reading these 4 MB takes longer than its start.
const WORTH_A_THREAD: usize = 1 << 20;

/// Most threads. A few are as fast as the memory.
const MOST_THREADS: usize = 8;

/// The rows of logits of a batch.
pub struct Rows<'logits> {
    /// By the index of the row's token in the batch. Empty where no logits were asked for.
    rows: Vec<&'logits [f32]>,
}

impl<'logits> Rows<'logits> {
    /// Returns the rows of the last batch of a backend.
    #[must_use]
    pub fn of(backend: &'logits dyn Backend, batch: &Batch) -> Self {
        Self { rows: batch.rows().map(|row| row.map_or(&[][..], |row| backend.logits(row))).collect() }
    }

    /// Returns the logits of a row.
    #[must_use]
    pub fn row(&self, row: LogitsRow) -> &[f32] {
        self.rows[row.index()]
    }

    /// Returns the number of logits.
    fn len(&self) -> usize {
        self.rows.iter().map(|row| row.len()).sum()
    }
}

/// Lets `read` see each item with the rows, on as many threads as are worth it and as the machine has.
pub fn each<T: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    rows: &Rows<'_>,
    cores: usize,
    read: impl Fn(T, &Rows<'_>) + Sync,
) {
    let threads = (rows.len() / WORTH_A_THREAD).min(cores).min(MOST_THREADS).min(items.len());
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(item) = next() {
            read(item, rows);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Without a further thread, this one reads more.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_read_once_on_any_number_of_threads() {
        let logits = vec![0.0; WORTH_A_THREAD];
        let rows = Rows { rows: vec![&logits; 40] };
        for cores in [1, 2, 5, 100] {
            let mut seen = [0; 32];
            each(seen.iter_mut(), &rows, cores, |seen, rows| {
                assert_eq!(rows.rows.len(), 40);
                *seen += 1;
            });
            assert_eq!(seen, [1; 32]);
        }
    }
}
