//! Files and batches: many requests in a file, judged while other requests are answered.
//!
//! A batch is a run of `label` with a journal, on the engine of the server. Batches take turns. Their state is in a folder,
//! so a batch that a killed server leaves goes on where it was.

pub(in crate::serve) mod folder;
pub(in crate::serve) mod head;
pub(in crate::serve) mod multipart;
pub mod objects;
pub(in crate::serve) mod requests;
mod results;
pub(in crate::serve) mod work;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use self::folder::{BATCH, FILE, Folder, is_id, new_id, now};
use self::objects::{BatchErrors, BatchObject, BatchRecord, BatchStatus, FileObject, FileRecord, RequestCounts};
use super::api_error::ApiError;
use crate::files::Draft;

/// The files and batches of a server.
#[derive(Debug)]
pub struct Batches {
    folder: Folder,
    inner: Mutex<Inner>,
    /// Held while a record is written, so that no older one replaces a newer.
    writing: Mutex<()>,
    /// Set once the server ends.
    ending: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, FileRecord>,
    batches: BTreeMap<String, Kept>,
    /// Set while a thread judges batches.
    is_working: bool,
}

#[derive(Debug)]
struct Kept {
    record: BatchRecord,
    /// Set to stop its run.
    stop: Arc<AtomicBool>,
}

/// The name of the key that something belongs to. `None` on a server without keys.
pub type Owner<'key> = Option<&'key str>;

impl Batches {
    /// Opens the files and batches in a folder.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = Folder::open(path)?;
        let (files, batches) = folder.read()?;
        let inner = Inner {
            files: files.into_iter().map(|record| (record.file.id.clone(), record)).collect(),
            batches: batches.into_iter().map(|record| (record.batch.id.clone(), Kept::of(record))).collect(),
            is_working: false,
        };
        Ok(Self { folder, inner: Mutex::new(inner), writing: Mutex::default(), ending: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the files of an owner, the newest first.
    #[must_use]
    pub fn files(&self, owner: Owner<'_>) -> Vec<FileObject> {
        let inner = self.lock();
        let own = inner.files.values().rev().filter(|record| record.owner.as_deref() == owner);
        own.map(|record| record.file.clone()).collect()
    }

    /// Returns a file.
    ///
    /// # Errors
    ///
    /// Status 404.
    pub fn file(&self, id: &str, owner: Owner<'_>) -> Result<FileObject, ApiError> {
        let inner = self.lock();
        let found = inner.files.get(id).filter(|record| record.owner.as_deref() == owner);
        found.map(|record| record.file.clone()).ok_or_else(|| missing("file", id, FILE))
    }

    /// Returns the path of a file's bytes.
    #[must_use]
    pub fn content(&self, file: &FileObject) -> PathBuf {
        self.folder.content(&file.id)
    }

    /// Begins a file: its id, and a draft for its bytes.
    ///
    /// # Errors
    ///
    /// Status 500 if the folder cannot be written.
    pub fn begin_file(&self) -> Result<(String, Draft), ApiError> {
        let id = new_id(FILE);
        let draft = self.folder.draft(&id).map_err(|error| unwritable(&error))?;
        Ok((id, draft))
    }

    /// Adds a file whose bytes are in a draft.
    ///
    /// # Errors
    ///
    /// Status 500 if the folder cannot be written.
    pub fn add_file(&self, record: FileRecord, draft: Draft) -> Result<FileObject, ApiError> {
        let put = draft.file().sync_all().and_then(|()| draft.put());
        put.map_err(|error| unwritable(&error))?;
        self.keep_file(record).map_err(|error| unwritable(&error))
    }

    fn keep_file(&self, record: FileRecord) -> io::Result<FileObject> {
        self.folder.put(&record.file.id, &record)?;
        let file = record.file.clone();
        self.lock().files.insert(file.id.clone(), record);
        Ok(file)
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// Status 404, or 400 while a batch reads it.
    pub fn remove_file(&self, id: &str, owner: Owner<'_>) -> Result<(), ApiError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.file(id, owner)?;
        let is_input = |kept: &Kept| kept.record.batch.input_file_id == id && kept.record.batch.status.is_open();
        if self.lock().batches.values().any(is_input) {
            let message = "a batch that is not done reads this file; cancel the batch first";
            return Err(ApiError::invalid("in_use", message));
        }
        self.folder.remove(id).map_err(|error| unwritable(&error))?;
        self.lock().files.remove(id);
        Ok(())
    }

    /// Returns the batches of an owner, the newest first.
    #[must_use]
    pub fn batches(&self, owner: Owner<'_>) -> Vec<BatchObject> {
        let inner = self.lock();
        let own = inner.batches.values().rev().filter(|kept| kept.record.owner.as_deref() == owner);
        own.map(|kept| kept.record.batch.clone()).collect()
    }

    /// Returns a batch.
    ///
    /// # Errors
    ///
    /// Status 404.
    pub fn batch(&self, id: &str, owner: Owner<'_>) -> Result<BatchObject, ApiError> {
        let inner = self.lock();
        let found = inner.batches.get(id).filter(|kept| kept.record.owner.as_deref() == owner);
        found.map(|kept| kept.record.batch.clone()).ok_or_else(|| missing("batch", id, BATCH))
    }

    /// Makes a batch of the requests in a file. They are still to be read.
    ///
    /// # Errors
    ///
    /// Status 404 for an unknown file, 500 if the folder cannot be written.
    pub fn create(
        &self,
        endpoint: &str,
        file: &str,
        metadata: Option<BTreeMap<String, String>>,
        owner: Owner<'_>,
    ) -> Result<BatchObject, ApiError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file(file, owner).map_err(|error| error.of("input_file_id"))?;
        let batch = BatchObject::new(new_id(BATCH), endpoint.to_owned(), file.id, now());
        let record = BatchRecord {
            batch: BatchObject { metadata, ..batch },
            owner: owner.map(str::to_owned),
            head: serde_json::Map::new(),
            policies: Vec::new(),
            output: new_id(FILE),
            errors: new_id(FILE),
        };
        self.folder.put(&record.batch.id, &record).map_err(|error| unwritable(&error))?;
        let batch = record.batch.clone();
        self.lock().batches.insert(batch.id.clone(), Kept::of(record));
        Ok(batch)
    }

    /// Cancels a batch. The results until then are kept.
    ///
    /// # Errors
    ///
    /// Status 404, or 400 for a batch that is done.
    pub fn cancel(&self, id: &str, owner: Owner<'_>) -> Result<BatchObject, ApiError> {
        self.batch(id, owner)?;
        let mut moved = false;
        let batch = self.change(id, |record| moved = record.batch.moves_to(BatchStatus::Cancelling, now()));
        let batch = batch.map_err(|error| unwritable(&error))?;
        if !moved && batch.status != BatchStatus::Cancelling {
            return Err(ApiError::invalid("invalid_state", "the batch is done, or about to be"));
        }
        if let Some(kept) = self.lock().batches.get(id) {
            kept.stop.store(true, Ordering::Relaxed);
        }
        Ok(batch)
    }

    /// Changes the record of a batch, on the disk and then here.
    fn change(&self, id: &str, change: impl FnOnce(&mut BatchRecord)) -> io::Result<BatchObject> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the batch is gone");
        let mut record = self.lock().batches.get(id).map(|kept| kept.record.clone()).ok_or_else(gone)?;
        change(&mut record);
        self.folder.put(id, &record)?;
        let batch = record.batch.clone();
        if let Some(kept) = self.lock().batches.get_mut(id) {
            kept.record = record;
        }
        Ok(batch)
    }

    /// Tells how many requests of a batch are done, here alone: it is counted again after a restart.
    fn count(&self, id: &str, counts: RequestCounts) {
        if let Some(kept) = self.lock().batches.get_mut(id) {
            kept.record.batch.request_counts = counts;
        }
    }

    /// Ends a batch as failed.
    fn fail(&self, id: &str, errors: BatchErrors) -> io::Result<BatchObject> {
        self.change(id, |record| {
            if record.batch.moves_to(BatchStatus::Failed, now()) {
                record.batch.errors = Some(errors);
            }
        })
    }

    /// Returns the oldest batch that is to be judged or ended. Without one, the thread that asks counts as ended.
    fn next(&self) -> Option<(BatchRecord, Arc<AtomicBool>)> {
        let mut inner = self.lock();
        let next = if self.ending.load(Ordering::Relaxed) { None } else { inner.next() };
        if next.is_none() {
            inner.is_working = false;
        }
        next
    }

    /// Stops the batches. They go on when the server is started again.
    pub fn stop(&self) {
        let inner = self.lock();
        self.ending.store(true, Ordering::Relaxed);
        inner.batches.values().for_each(|kept| kept.stop.store(true, Ordering::Relaxed));
    }
}

impl Inner {
    fn unread(&self) -> Vec<String> {
        let is_unread = |kept: &&Kept| kept.record.batch.status == BatchStatus::Validating;
        self.batches.values().filter(is_unread).map(|kept| kept.record.batch.id.clone()).collect()
    }

    fn next(&self) -> Option<(BatchRecord, Arc<AtomicBool>)> {
        use BatchStatus::{Cancelling, Finalizing, InProgress};
        let is_next = |kept: &&Kept| matches!(kept.record.batch.status, InProgress | Finalizing | Cancelling);
        let kept = self.batches.values().find(is_next)?;
        Some((kept.record.clone(), Arc::clone(&kept.stop)))
    }
}

impl Kept {
    fn of(record: BatchRecord) -> Self {
        Self { record, stop: Arc::default() }
    }
}

/// Returns the error for an id that nothing has. Only what can be an id is repeated.
fn missing(what: &str, id: &str, prefix: &str) -> ApiError {
    let id = if is_id(id, prefix) { format!("the id `{id}`") } else { "this id".to_owned() };
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("no {what} has {id}"))
}

/// Returns the error of a folder that cannot be written.
fn unwritable(error: &io::Error) -> ApiError {
    let message = format!("the server cannot write to its folder of batches: {}", error.kind());
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", message)
}
