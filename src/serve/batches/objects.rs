//! Files and batches as OpenAI's API shows them, and as their folder keeps them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds that a batch has.
const WINDOW: u64 = 24 * 60 * 60;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileObject {
    /// Its id.
    pub id: String,
    /// Always `file`.
    pub object: String,
    /// Its size.
    pub bytes: u64,
    /// Seconds since 1970 when it was made.
    pub created_at: u64,
    /// The name that its sender gave it.
    pub filename: String,
    /// `batch` for requests, `batch_output` for results.
    pub purpose: String,
    /// Always `processed`.
    pub status: String,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchObject {
    /// Its id.
    pub id: String,
    /// Always `batch`.
    pub object: String,
    /// The endpoint of its requests.
    pub endpoint: String,
    /// The model that its first request names.
    pub model: Option<String>,
    /// The errors of a batch that failed.
    pub errors: Option<BatchErrors>,
    /// The file of its requests.
    pub input_file_id: String,
    /// The time that it has, `24h`.
    pub completion_window: String,
    /// Its state.
    pub status: BatchStatus,
    /// The file of its answers.
    pub output_file_id: Option<String>,
    /// The file of its requests without an answer.
    pub error_file_id: Option<String>,
    /// Seconds since 1970 when it was made.
    pub created_at: u64,
    /// When its requests were found to be in order.
    pub in_progress_at: Option<u64>,
    /// When its time is over.
    pub expires_at: Option<u64>,
    /// When its last request was done.
    pub finalizing_at: Option<u64>,
    /// When its results were complete.
    pub completed_at: Option<u64>,
    /// When it failed.
    pub failed_at: Option<u64>,
    /// When it ended for lack of time.
    pub expired_at: Option<u64>,
    /// When its cancellation was asked for.
    pub cancelling_at: Option<u64>,
    /// When it was canceled.
    pub cancelled_at: Option<u64>,
    /// Its requests, by their state.
    pub request_counts: RequestCounts,
    /// The client's own notes.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// The state of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Its requests are being read.
    Validating,
    /// It cannot be judged.
    Failed,
    /// It is judged, or waits for its turn.
    InProgress,
    /// Its results are being written.
    Finalizing,
    /// Its results are complete.
    Completed,
    /// It is being canceled.
    Cancelling,
    /// It was canceled. The results until then are kept.
    Cancelled,
    /// Its time was over. The results until then are kept.
    Expired,
}

/// The requests of a batch, by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestCounts {
    /// All requests.
    pub total: u64,
    /// Requests with an answer.
    pub completed: u64,
    /// Requests with an error.
    pub failed: u64,
}

/// The errors of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchErrors {
    /// Always `list`.
    pub object: String,
    /// The errors.
    pub data: Vec<BatchError>,
}

/// An error of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchError {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The property of the request that is wrong.
    pub param: Option<String>,
    /// The line of the request, from 1.
    pub line: Option<u64>,
}

/// A file, as the folder keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The file.
    pub file: FileObject,
    /// The name of the key that it belongs to.
    pub owner: Option<String>,
}

/// A batch, as the folder keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// The batch.
    pub batch: BatchObject,
    /// The name of the key that it belongs to.
    pub owner: Option<String>,
    /// The id that the file of its answers gets.
    pub output: String,
    /// The id that the file of its requests without an answer gets.
    pub errors: String,
}

impl FileObject {
    /// Returns a file.
    #[must_use]
    pub fn new(id: String, filename: String, purpose: &str, bytes: u64, created_at: u64) -> Self {
        let (object, status) = ("file".to_owned(), "processed".to_owned());
        Self { id, object, bytes, created_at, filename, purpose: purpose.to_owned(), status }
    }
}

impl BatchObject {
    /// Returns a batch whose requests are still to be read.
    #[must_use]
    pub fn new(id: String, endpoint: String, input_file_id: String, created_at: u64) -> Self {
        Self {
            id,
            object: "batch".to_owned(),
            endpoint,
            model: None,
            errors: None,
            input_file_id,
            completion_window: "24h".to_owned(),
            status: BatchStatus::Validating,
            output_file_id: None,
            error_file_id: None,
            created_at,
            in_progress_at: None,
            expires_at: Some(created_at + WINDOW),
            finalizing_at: None,
            completed_at: None,
            failed_at: None,
            expired_at: None,
            cancelling_at: None,
            cancelled_at: None,
            request_counts: RequestCounts::default(),
            metadata: None,
        }
    }

    /// Moves the batch to a state, at a time. A state that does not follow on the present one is not taken, and the
    /// function returns false.
    pub fn moves_to(&mut self, status: BatchStatus, now: u64) -> bool {
        use BatchStatus::{Cancelled, Cancelling, Completed, Expired, Failed, Finalizing, InProgress, Validating};
        let follows = match self.status {
            Validating => matches!(status, InProgress | Failed | Cancelling),
            InProgress => matches!(status, Finalizing | Failed | Cancelling),
            Finalizing => matches!(status, Completed | Expired | Failed),
            Cancelling => matches!(status, Cancelled | Failed),
            Completed | Cancelled | Expired | Failed => false,
        };
        if !follows {
            return false;
        }
        self.status = status;
        match status {
            Validating => {}
            InProgress => self.in_progress_at = Some(now),
            Finalizing => self.finalizing_at = Some(now),
            Completed => self.completed_at = Some(now),
            Failed => self.failed_at = Some(now),
            Cancelling => self.cancelling_at = Some(now),
            Cancelled => self.cancelled_at = Some(now),
            Expired => self.expired_at = Some(now),
        }
        true
    }
}

impl BatchStatus {
    /// Reports whether a batch of this state still uses its input file.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Completed | Self::Cancelled | Self::Expired | Self::Failed)
    }
}

impl BatchErrors {
    /// Returns a list of errors.
    #[must_use]
    pub fn new(data: Vec<BatchError>) -> Self {
        Self { object: "list".to_owned(), data }
    }
}

impl BatchError {
    /// Returns an error without a line.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), param: None, line: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_only_states_that_follow_and_keeps_their_times() {
        let mut batch = BatchObject::new("b".into(), "/v1/check".into(), "f".into(), 1);
        assert!(!batch.moves_to(BatchStatus::Completed, 2));
        assert!(batch.moves_to(BatchStatus::InProgress, 3) && batch.moves_to(BatchStatus::Cancelling, 4));
        assert!(!batch.moves_to(BatchStatus::Finalizing, 5));
        assert!(batch.moves_to(BatchStatus::Cancelled, 6) && !batch.moves_to(BatchStatus::Cancelling, 7));
        let times = (batch.in_progress_at, batch.cancelling_at, batch.cancelled_at, batch.finalizing_at);
        assert_eq!(times, (Some(3), Some(4), Some(6), None));
        assert!(!batch.status.is_open());
    }

    #[test]
    fn a_record_is_read_as_it_is_written_and_the_words_are_those_of_the_api() {
        let mut batch = BatchObject::new("b".into(), "/v1/moderations".into(), "f".into(), 1);
        batch.moves_to(BatchStatus::InProgress, 2);
        let record = BatchRecord { batch, owner: Some("ana".into()), output: "o".into(), errors: "e".into() };
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!((&json["batch"]["status"], &json["batch"]["expires_at"]), (&"in_progress".into(), &86_401.into()));
        assert_eq!(serde_json::from_value::<BatchRecord>(json).unwrap(), record);
    }
}
