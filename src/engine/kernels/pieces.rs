//! Pieces of work, which threads take from one counter until none is left.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One of the threads that compute together.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// From 0.
    pub index: usize,
    /// The number of threads.
    pub count: usize,
}

/// Bytes that threads do not share, so that they do not wait for each other's writes.
pub const LINE: usize = 64;

/// The counter, in the first [`LINE`] bytes of the memory that threads share.
#[derive(Clone, Copy)]
pub struct Pieces<'a> {
    next: &'a AtomicUsize,
    thread: Thread,
}

impl Pieces<'_> {
    /// Makes the counter ready. All threads call this before a barrier, and take pieces behind it.
    ///
    /// # Safety
    ///
    /// The memory has [`LINE`] bytes, is aligned to as many, lives as long as the counter, and has no other use.
    pub unsafe fn new(memory: *mut u8, thread: Thread) -> Self {
        // SAFETY: as the caller says.
        let next = unsafe { &*memory.cast::<AtomicUsize>() };
        if thread.index == 0 {
            next.store(thread.count, Ordering::Relaxed);
        }
        Self { next, thread }
    }

    /// The number of this thread's first piece.
    #[must_use]
    pub fn first(self) -> usize {
        self.thread.index
    }

    /// Takes another piece, and returns its number.
    #[must_use]
    pub fn next(self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}
