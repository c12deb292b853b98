//! A backend that an observer watches: for measurements and for tests.

use super::backend::{Backend, Batch, Fault, Limits, LogitsRow, SeqId};

/// An observer of a backend's calls. Each method has a default that changes nothing.
pub trait Observer {
    /// Sees a batch before decoding.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that the backend is to report instead of decoding the batch.
    fn batch(&mut self, _batch: &Batch) -> Result<(), Fault> {
        Ok(())
    }

    /// Sees a row of logits that is read.
    fn logits(&self, _row: LogitsRow, _logits: &[f32]) {}

    /// Sees a fork beforehand.
    fn fork(&mut self, _from: SeqId, _to: SeqId) {}

    /// Sees a sequence before the backend clears it.
    fn clear(&mut self, _seq: SeqId) {}

    /// Runs a call that changes the backend.
    fn run<T>(&mut self, call: impl FnOnce() -> T) -> T {
        call()
    }

    /// Runs a call that reads a result, and waits for it if the device is not done.
    fn wait<T>(&self, call: impl FnOnce() -> T) -> T {
        call()
    }
}

/// A backend with an observer.
pub struct Observed<'backend, O> {
    backend: &'backend mut dyn Backend,
    /// The observer.
    pub observer: O,
}

impl<'backend, O: Observer> Observed<'backend, O> {
    /// Lets an observer watch a backend.
    pub fn new(backend: &'backend mut dyn Backend, observer: O) -> Self {
        Self { backend, observer }
    }
}

impl<O: Observer> Backend for Observed<'_, O> {
    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    fn decode(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.observer.batch(batch)?;
        self.observer.run(|| self.backend.decode(batch))
    }

    fn logits(&self, row: LogitsRow) -> &[f32] {
        let logits = self.observer.wait(|| self.backend.logits(row));
        self.observer.logits(row, logits);
        logits
    }

    fn fork(&mut self, from: SeqId, to: SeqId) {
        self.observer.fork(from, to);
        self.observer.run(|| self.backend.fork(from, to));
    }

    fn clear(&mut self, seq: SeqId) {
        self.observer.clear(seq);
        self.observer.run(|| self.backend.clear(seq));
    }

    fn compact(&mut self, seq: SeqId) -> Result<(), Fault> {
        self.observer.run(|| self.backend.compact(seq))
    }

    fn save(&mut self, seq: SeqId) -> Result<Vec<u8>, Fault> {
        self.observer.run(|| self.backend.save(seq))
    }

    fn restore(&mut self, saved: &[u8], seq: SeqId) -> Result<(), Fault> {
        self.observer.run(|| self.backend.restore(saved, seq))
    }

    fn window(&mut self, seq: SeqId, length: usize, scratch: SeqId) -> Result<Option<Vec<u8>>, Fault> {
        self.observer.run(|| self.backend.window(seq, length, scratch))
    }

    fn restore_part(&mut self, saved: &[u8], length: usize, window: &[u8], seq: SeqId) -> Result<(), Fault> {
        self.observer.run(|| self.backend.restore_part(saved, length, window, seq))
    }

    fn span(&self, seq: SeqId) -> Option<(usize, usize)> {
        self.backend.span(seq)
    }
}
