//! Runs: files that are labeled in the server, as `label` labels them.
//!
//! A run has a folder with its file, its journal and its record. A run needs no connection, and goes on after
//! a restart.

mod counts;
pub mod file;
mod file_name;
mod folder;
mod index;
pub mod live;
pub mod output;
pub mod plan;
pub mod record;
mod recorder;
pub mod rows;
pub mod shown;
pub mod work;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use self::file::FileAbout;
use self::file_name::FileName;
use self::folder::{Folder, RUN};
use self::index::Index;
use self::live::Live;
use self::record::{Order, RunRecord, RunState};
use self::shown::RunNow;
use super::api_error::ApiError;
use crate::files::Draft;
use crate::serve::batches::{is_id, new_id, now};

/// The runs of a server.
#[derive(Debug)]
pub struct Runs {
    folder: Folder,
    inner: Mutex<BTreeMap<String, Kept>>,
    /// Set once the server ends.
    ending: AtomicBool,
}

/// A run in memory.
#[derive(Debug)]
struct Kept {
    record: RunRecord,
    /// Set while the run is at work.
    live: Option<Arc<Live>>,
    index: SharedIndex,
}

/// The index of a run's rows, once they were asked for.
pub(super) type SharedIndex = Arc<Mutex<Option<Index>>>;

/// A file on its way into a new run.
#[derive(Debug)]
pub struct NewFile {
    id: String,
    name: FileName,
    draft: Draft,
    bytes: u64,
}

impl Runs {
    /// Opens the runs in a folder, and makes a missing folder.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = Folder::open(path)?;
        let kept = |record: RunRecord| (record.id.clone(), Kept { record, live: None, index: SharedIndex::default() });
        let inner = folder.read()?.into_iter().map(kept).collect();
        Ok(Self { folder, inner: Mutex::new(inner), ending: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all runs, the newest first.
    #[must_use]
    pub fn all(&self) -> Vec<RunNow> {
        self.lock().values().rev().map(Kept::now).collect()
    }

    /// Returns a run.
    ///
    /// # Errors
    ///
    /// Status 404.
    pub fn get(&self, id: &str) -> Result<RunNow, ApiError> {
        self.lock().get(id).map(Kept::now).ok_or_else(|| missing(id))
    }

    /// Begins a run: its folder, and a draft of its file. `name` is that of the user's file.
    ///
    /// # Errors
    ///
    /// Status 500 if the folder cannot be written.
    pub fn begin(&self, name: &str) -> Result<NewFile, ApiError> {
        let (id, name) = (new_id(RUN), FileName::of(name));
        let draft = self.folder.begin(&id, &name.stored).map_err(|error| unwritable(&error))?;
        Ok(NewFile { id, name, draft, bytes: 0 })
    }

    /// Adds the run of a file that has arrived. A file that cannot be read is removed.
    ///
    /// # Errors
    ///
    /// Status 400 for a file without records that can be read, 500 if the folder cannot be written.
    pub fn add(&self, new: NewFile) -> Result<RunNow, ApiError> {
        let NewFile { id, name, draft, bytes } = new;
        let added = self.added(&id, name, draft, bytes);
        if added.is_err() {
            self.folder.remove(&id);
        }
        added
    }

    fn added(&self, id: &str, name: FileName, draft: Draft, bytes: u64) -> Result<RunNow, ApiError> {
        if bytes == 0 {
            return Err(ApiError::invalid("empty_file", "the file is empty"));
        }
        draft.file().sync_all().and_then(|()| draft.put()).map_err(|error| unwritable(&error))?;
        let file = self.folder.path(id, &name.stored);
        let about = FileAbout::of(&file, &name.shown)?;
        let record = RunRecord::new(id.to_owned(), name, now(), about);
        self.folder.put(&record).map_err(|error| unwritable(&error))?;
        let kept = Kept { record, live: None, index: SharedIndex::default() };
        let added = kept.now();
        self.lock().insert(id.to_owned(), kept);
        Ok(added)
    }

    /// Gives up a file that did not arrive.
    pub fn give_up(&self, new: NewFile) {
        let id = new.id.clone();
        drop(new);
        self.folder.remove(&id);
    }

    /// Notes that a run is at work on an order. Returns `None` for a run at work.
    ///
    /// # Errors
    ///
    /// Status 409 if it was begun with another order, 500 if the folder cannot be written.
    fn begin_work(&self, id: &str, order: Order) -> Result<Option<(RunRecord, Arc<Live>, SharedIndex)>, ApiError> {
        let mut inner = self.lock();
        if self.is_ending() {
            return Err(ApiError::unavailable("draining", "the server is about to end", 1));
        }
        let kept = inner.get_mut(id).ok_or_else(|| missing(id))?;
        let has_begun = kept.record.state != RunState::Uploaded;
        if has_begun && !kept.record.order.as_ref().is_some_and(|before| before.is(&order)) {
            let message = "this run was begun with other policies or settings; upload the file again for a new run";
            return Err(ApiError::new(StatusCode::CONFLICT, "conflict", message));
        }
        if kept.live.is_some() || kept.record.state == RunState::Done {
            return Ok(None);
        }
        let mut record = kept.record.clone();
        // The policies of the beginning stay, even if they have changed since.
        record.order.get_or_insert(order);
        (record.state, record.error) = (RunState::Running, None);
        self.folder.put(&record).map_err(|error| unwritable(&error))?;
        let live = Arc::new(Live::default());
        (kept.record, kept.live) = (record.clone(), Some(Arc::clone(&live)));
        Ok(Some((record, live, Arc::clone(&kept.index))))
    }

    /// Notes that a run is not at work any more, and changes its record.
    fn end_work(&self, id: &str, change: impl FnOnce(&mut RunRecord)) {
        let mut inner = self.lock();
        let Some(kept) = inner.get_mut(id) else { return };
        change(&mut kept.record);
        // A disk that is full does not undo the rows: at the next start the run looks at its journal.
        let _ = self.folder.put(&kept.record);
        kept.live = None;
    }

    /// Returns the ids of the runs that an earlier server left at work.
    fn left(&self) -> Vec<String> {
        let inner = self.lock();
        let left = inner.values().filter(|kept| kept.record.state == RunState::Running && kept.live.is_none());
        left.map(|kept| kept.record.id.clone()).collect()
    }

    /// Returns the number of runs at work.
    #[must_use]
    pub fn at_work(&self) -> usize {
        self.lock().values().filter(|kept| kept.live.is_some()).count()
    }

    /// Stops all runs. They go on when the server is started again.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.lock().values().filter_map(|kept| kept.live.as_ref()).for_each(|live| live.stop());
    }

    /// Reports whether the server ends.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Removes a run that is not at work.
    ///
    /// # Errors
    ///
    /// Status 404, or 409 for a run at work.
    pub fn remove(&self, id: &str) -> Result<(), ApiError> {
        let mut inner = self.lock();
        let kept = inner.get(id).ok_or_else(|| missing(id))?;
        if kept.live.is_some() {
            return Err(ApiError::new(StatusCode::CONFLICT, "conflict", "the run is at work; stop it first"));
        }
        inner.remove(id);
        drop(inner);
        self.folder.remove(id);
        Ok(())
    }

    /// Returns the index of a run's rows. The first call reads the journal.
    fn index(&self, id: &str) -> Result<SharedIndex, ApiError> {
        let shared = {
            let mut inner = self.lock();
            let shared = Arc::clone(&inner.get(id).ok_or_else(|| missing(id))?.index);
            // The rows of one run at a time are looked at; others can be read again.
            let others = inner.iter_mut().filter(|(other, kept)| *other != id && kept.live.is_none());
            others.for_each(|(_, kept)| kept.index = SharedIndex::default());
            shared
        };
        let mut index = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if index.is_none() {
            *index = Some(Index::of(&self.folder.journal(id)).map_err(|error| unreadable(&error))?);
        }
        drop(index);
        Ok(shared)
    }

    /// Opens the journal of a run for reading. `None` before the first row.
    fn journal(&self, id: &str) -> Option<File> {
        File::open(self.folder.journal(id)).ok()
    }
}

impl Kept {
    fn now(&self) -> RunNow {
        RunNow { record: self.record.clone(), live: self.live.clone() }
    }
}

impl NewFile {
    /// Takes a piece of the file. Refuses one that is larger than `most` bytes.
    ///
    /// # Errors
    ///
    /// Status 413, or 500 if it cannot be written.
    pub fn take(&mut self, piece: &[u8], most: u64) -> Result<(), ApiError> {
        self.bytes += piece.len() as u64;
        if self.bytes > most {
            return Err(too_large(most));
        }
        io::Write::write_all(&mut self.draft.file(), piece).map_err(|error| unwritable(&error))
    }
}

/// Returns the error of a file that is too large.
#[must_use]
pub fn too_large(most: u64) -> ApiError {
    let message = format!("the file is larger than {most} bytes, the limit of this server");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// Returns the error for an id that no run has. Other texts are not repeated.
fn missing(id: &str) -> ApiError {
    let id = if is_id(id, RUN) { format!("the id `{id}`") } else { "this id".to_owned() };
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("no run has {id}; GET /v1/runs lists them"))
}

/// Returns the error of a folder that cannot be written.
fn unwritable(error: &io::Error) -> ApiError {
    let message = format!("the server cannot write to its folder of runs: {}", error.kind());
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", message)
}

/// Returns the error of a journal that cannot be read.
fn unreadable(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", format!("the rows cannot be read: {error}"))
}
