//! Files and batches: many requests in a file, which the server sends to its own routes one by one.
//!
//! Their state is in a folder, so a batch that a killed server leaves goes on where it was.

mod ending;
mod folder;
pub mod journal;
pub mod multipart;
pub mod objects;
pub mod requests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use tokio::sync::Notify;

use self::folder::{BATCH, FILE, Folder};
use self::journal::Finished;
use self::objects::{BatchError, BatchErrors, BatchObject, BatchRecord, BatchStatus, FileObject, FileRecord};
use self::requests::{Counted, Requests, count};
use super::api_error::ApiError;
use crate::files::Draft;

pub use ending::id_of;
pub use folder::{is_id, locked, new_id, now, put_record, read_record};

/// The endpoints whose requests can be in a batch.
pub const ENDPOINTS: [&str; 4] = ["/v1/chat/completions", "/v1/moderations", "/v1/decisions", "/v1/check"];

/// The files and batches of a server.
#[derive(Debug)]
pub struct Batches {
    folder: Folder,
    inner: Mutex<Inner>,
    /// Held while a record is written, so that no older one replaces a newer.
    writing: Mutex<()>,
    /// Set once the server ends.
    ending: AtomicBool,
    /// Told when a batch has changed, or the server ends.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, FileRecord>,
    batches: BTreeMap<String, BatchRecord>,
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
            batches: batches.into_iter().map(|record| (record.batch.id.clone(), record)).collect(),
        };
        let (inner, ending) = (Mutex::new(inner), AtomicBool::new(false));
        Ok(Self { folder, inner, writing: Mutex::default(), ending, changed: Notify::new() })
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
        let is_input = |record: &BatchRecord| record.batch.input_file_id == id && record.batch.status.is_open();
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
        let own = inner.batches.values().rev().filter(|record| record.owner.as_deref() == owner);
        own.map(|record| record.batch.clone()).collect()
    }

    /// Returns a batch.
    ///
    /// # Errors
    ///
    /// Status 404.
    pub fn batch(&self, id: &str, owner: Owner<'_>) -> Result<BatchObject, ApiError> {
        let inner = self.lock();
        let found = inner.batches.get(id).filter(|record| record.owner.as_deref() == owner);
        found.map(|record| record.batch.clone()).ok_or_else(|| missing("batch", id, BATCH))
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
            output: new_id(FILE),
            errors: new_id(FILE),
        };
        self.folder.put(&record.batch.id, &record).map_err(|error| unwritable(&error))?;
        let batch = record.batch.clone();
        self.lock().batches.insert(batch.id.clone(), record);
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
        Ok(batch)
    }

    /// Reads the requests of a new batch, which is then in progress, or failed. It takes as long as the file is large.
    ///
    /// # Errors
    ///
    /// An I/O error. The batch is then unchanged, and read again at the next start.
    pub fn validate(&self, id: &str) -> io::Result<()> {
        let Some(batch) = self.lock().batches.get(id).map(|record| record.batch.clone()) else { return Ok(()) };
        let counted = match self.requests(&batch) {
            Ok(requests) => count(requests),
            Err(_) => Err(vec![BatchError::new("unreadable", "the file cannot be read")]),
        };
        match counted {
            Ok(Counted { total, model }) => self.change(id, |record| {
                record.batch.model = model;
                record.batch.request_counts.total = total;
                record.batch.moves_to(BatchStatus::InProgress, now());
            })?,
            Err(errors) => self.fail(id, errors)?,
        };
        Ok(())
    }

    /// Returns the ids of the batches whose requests are still to be read.
    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        let inner = self.lock();
        let unread = inner.batches.values().filter(|record| record.batch.status == BatchStatus::Validating);
        unread.map(|record| record.batch.id.clone()).collect()
    }

    /// Returns the oldest batch of which the condition holds.
    pub fn oldest(&self, holds: impl Fn(&BatchObject) -> bool) -> Option<BatchRecord> {
        self.lock().batches.values().find(|record| holds(&record.batch)).cloned()
    }

    /// Changes the record of a batch, on the disk and then here.
    fn change(&self, id: &str, change: impl FnOnce(&mut BatchRecord)) -> io::Result<BatchObject> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the batch is gone");
        let mut record = self.lock().batches.get(id).cloned().ok_or_else(gone)?;
        change(&mut record);
        self.folder.put(id, &record)?;
        let batch = record.batch.clone();
        self.lock().batches.insert(id.to_owned(), record);
        self.changed.notify_one();
        Ok(batch)
    }

    /// Tells how many requests of a batch are done, here alone: the journal tells it after a restart.
    pub fn tell(&self, id: &str, finished: Finished) {
        if let Some(record) = self.lock().batches.get_mut(id) {
            record.batch.request_counts = finished.of(record.batch.request_counts.total);
        }
    }

    /// Ends a batch as failed.
    ///
    /// # Errors
    ///
    /// An I/O error. The batch is then unchanged.
    pub fn fail(&self, id: &str, errors: Vec<BatchError>) -> io::Result<BatchObject> {
        self.change(id, |record| {
            if record.batch.moves_to(BatchStatus::Failed, now()) {
                record.batch.errors = Some(BatchErrors::new(errors));
            }
        })
    }

    /// Stops the batches. They go on when the server is started again.
    pub fn stop(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Reports whether the server ends.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Waits until a batch has changed, or the server ends. One task waits at a time, and no change is lost.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns the path of a batch's journal.
    #[must_use]
    pub fn journal(&self, id: &str) -> PathBuf {
        self.folder.journal(id)
    }

    /// Opens the requests of a batch.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn requests(&self, batch: &BatchObject) -> io::Result<Requests> {
        Requests::open(&self.folder.content(&batch.input_file_id), &batch.endpoint)
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
