//! The end of a batch: its results become files.

use std::fs;
use std::io;

use serde_json::{Value, json};

use super::Batches;
use super::folder::now;
use super::journal::{Results, split};
use super::objects::{BatchObject, BatchRecord, BatchStatus, FileObject, FileRecord};

impl Batches {
    /// Ends a batch that is finalizing or being canceled. A batch with open requests has expired.
    ///
    /// # Errors
    ///
    /// An I/O error. The batch can be ended again later.
    pub fn end(&self, record: &BatchRecord) -> io::Result<BatchObject> {
        let id = &record.batch.id;
        let journal = self.folder.journal(id);
        let mut answers = Results::new(self.folder.draft(&record.output)?)?;
        let mut errors = Results::new(self.folder.draft(&record.errors)?)?;
        let mut finished = split(&journal, &mut answers, &mut errors)?;
        let total = record.batch.request_counts.total;
        let is_expired = record.batch.status == BatchStatus::Finalizing && finished.completed + finished.failed < total;
        if is_expired {
            for request in self.requests(&record.batch)? {
                let request = request?;
                if request.number > finished.last {
                    errors.put(expired(id, request.number, &request.id).to_string().as_bytes())?;
                    finished.failed += 1;
                }
            }
        }
        let keep = |results: Results, file: &str, kind: &str| {
            let Some(bytes) = results.finish()? else { return Ok(None) };
            let file = FileObject::new(file.to_owned(), format!("{id}_{kind}.jsonl"), "batch_output", bytes, now());
            self.keep_file(FileRecord { file, owner: record.owner.clone() }).map(|file| Some(file.id))
        };
        let output = keep(answers, &record.output, "output")?;
        let error = keep(errors, &record.errors, "error")?;
        let batch = self.change(id, |record| {
            let batch = &mut record.batch;
            batch.request_counts = finished.of(total);
            (batch.output_file_id, batch.error_file_id) = (output, error);
            let status = match batch.status {
                BatchStatus::Cancelling => BatchStatus::Cancelled,
                _ if is_expired => BatchStatus::Expired,
                _ => BatchStatus::Completed,
            };
            batch.moves_to(status, now());
        })?;
        // Its lines are in the results.
        let _ = fs::remove_file(journal);
        Ok(batch)
    }

    /// Moves a batch to its end: all its requests are done, or its time is over.
    ///
    /// # Errors
    ///
    /// An I/O error. The batch is then unchanged.
    pub fn finalize(&self, id: &str) -> io::Result<BatchObject> {
        self.change(id, |record| _ = record.batch.moves_to(BatchStatus::Finalizing, now()))
    }
}

/// Returns the id of a request's result.
#[must_use]
pub fn id_of(batch: &str, number: u64) -> String {
    format!("batch_req_{}_{number}", batch.trim_start_matches(super::folder::BATCH))
}

/// Returns the result of a request whose time was over.
fn expired(batch: &str, number: u64, id: &Value) -> Value {
    let error = json!({ "code": "batch_expired", "message": "the time of the batch was over before this request" });
    json!({ "id": id_of(batch, number), "custom_id": id, "response": null, "error": error })
}
