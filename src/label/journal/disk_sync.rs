//! A thread that syncs a file to the disk once a second.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Syncs a file to the disk once a second, on a thread of its own, so that no row waits for the disk.
#[derive(Debug)]
pub(super) struct DiskSync {
    wanted: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    /// Dropping it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DiskSync {
    pub fn new(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (wanted, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn({
            let (wanted, failed) = (Arc::clone(&wanted), Arc::clone(&failed));
            move || {
                while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                    // Cleared before the sync, so that a write during the sync asks for another.
                    if wanted.swap(false, Ordering::Relaxed) && file.sync_data().is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            }
        })?;
        Ok(Self { wanted, failed, stop: Some(stop), thread: Some(thread) })
    }

    /// Asks for a sync after a write.
    pub fn request(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Returns an error if an earlier write did not reach the disk.
    pub fn check(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("an earlier write did not reach the disk"));
        }
        Ok(())
    }
}

impl Drop for DiskSync {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
