//! The results of a batch: a file of answers, and a file of requests without an answer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::requests::OTHER_SETTINGS;
use crate::files::Draft;
use crate::label::entry::{Entry, OutputForm};
use crate::label::export::batch_body;
use crate::label::journal::Ordered;
use crate::label::row::{self, Row};
use crate::serve::api_error::ApiError;
use crate::serve::policies::Served;
use crate::serve::routes::check::error_of;
use crate::serve::routes::moderations::Moderations;

/// A file of results that is being written.
#[derive(Debug)]
pub struct Results {
    draft: Draft,
    file: BufWriter<File>,
    /// Its size.
    pub bytes: u64,
}

impl Results {
    /// Begins a file of results.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn new(draft: Draft) -> io::Result<Self> {
        let file = BufWriter::new(draft.file().try_clone()?);
        Ok(Self { draft, file, bytes: 0 })
    }

    fn put(&mut self, line: &Value) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.bytes += line.len() as u64;
        self.file.write_all(&line)
    }

    /// Puts the file in its place, unless it is empty. Returns its size.
    ///
    /// # Errors
    ///
    /// An I/O error.
    pub fn finish(self) -> io::Result<Option<u64>> {
        let Self { draft, mut file, bytes } = self;
        if bytes == 0 {
            return Ok(None);
        }
        file.flush()?;
        draft.file().sync_all()?;
        draft.put()?;
        Ok(Some(bytes))
    }
}

/// The form of the answers of a batch.
#[derive(Debug)]
pub struct Answers<'batch> {
    /// The batch's id.
    pub batch: &'batch str,
    /// The form of rows.
    pub form: OutputForm,
    /// The name of the model, and the policies of the moderations. `None` for other requests.
    pub moderating: Option<(&'batch str, Vec<Arc<Served>>)>,
}

impl Answers<'_> {
    /// Writes the rows of a journal as answers, and those without a verdict as errors, in the order of the requests.
    /// Returns the numbers of both.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or a file cannot be written.
    pub fn write(&self, journal: &Path, answers: &mut Results, errors: &mut Results) -> io::Result<(u64, u64)> {
        let (mut completed, mut failed) = (0, 0);
        for entry in Ordered::open(journal).map_err(io::Error::other)? {
            let entry = entry.map_err(io::Error::other)?;
            match self.body(&entry)? {
                Ok(body) => {
                    completed += 1;
                    answers.put(&line(self.batch, &entry, 200, &body))?;
                }
                Err(error) => {
                    failed += 1;
                    let body = serde_json::to_value(error.body())?;
                    errors.put(&line(self.batch, &entry, error.status.as_u16(), &body))?;
                }
            }
        }
        Ok((completed, failed))
    }

    /// Returns the body of the answer to a request, or the error in its place.
    fn body(&self, entry: &Entry) -> io::Result<Result<Value, ApiError>> {
        let rows = [row::rows(&entry.verdicts)];
        let error = error(&rows[0]);
        if let Some((model, policies)) = &self.moderating {
            let is_judged = error.as_ref().is_none_or(|error| error.status == StatusCode::UNPROCESSABLE_ENTITY);
            if is_judged && policies.len() == rows[0].len() {
                return match Moderations::of(format!("modr-{}", entry.number), model, policies, &rows) {
                    Ok(body) => Ok(Ok(serde_json::to_value(body)?)),
                    Err(error) => Ok(Err(error)),
                };
            }
        }
        match error {
            Some(error) => Ok(Err(error)),
            None => Ok(Ok(batch_body(entry, &rows[0], &self.form)?.unwrap_or_default())),
        }
    }
}

/// Returns a line of results: the answer to a request, in the form of its route.
fn line(batch: &str, entry: &Entry, status: u16, body: &Value) -> Value {
    let response =
        json!({ "status_code": status, "request_id": format!("req_{batch}_{}", entry.number), "body": body });
    let id = format!("batch_req_{}_{}", batch.trim_start_matches(super::folder::BATCH), entry.number);
    json!({ "id": id, "custom_id": entry.id, "response": response, "error": null })
}

/// Returns the error of a request, if one of its rows has no verdict. A request without rows has no verdict.
fn error(rows: &[Row]) -> Option<ApiError> {
    let Some(row) = rows.iter().find(|row| row.verdict.is_none()) else {
        return rows.is_empty().then(|| ApiError::unprocessable("unresolved", "there is no verdict"));
    };
    let error = error_of(row);
    match row.error_code() {
        Some(OTHER_SETTINGS) => {
            Some(ApiError { status: StatusCode::BAD_REQUEST, code: "mismatched_model", ..error }.of("model"))
        }
        Some("not-a-request" | "several-inputs" | "wrong-type" | "not-text") => {
            Some(ApiError { status: StatusCode::BAD_REQUEST, code: "invalid_value", ..error }.of("body"))
        }
        _ => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_verdict_is_an_error_and_never_an_answer() {
        let row = |json: Value| serde_json::from_value::<Row>(json).unwrap();
        let policy = json!({ "id": "spam" });
        let safe = row(json!({ "status": "ok", "verdict": "safe", "policy": policy }));
        let lacks = |status: &str, code: &str| {
            row(json!({ "status": status, "policy": policy, "error": { "code": code, "message": "m" } }))
        };
        assert_eq!(error(&[safe.clone()]), None);
        for (row, status, code) in [
            (lacks("unresolved", "off-contract"), 422, "unresolved"),
            (lacks("error", "too-long"), 422, "too_long"),
            (lacks("error", OTHER_SETTINGS), 400, "mismatched_model"),
            (lacks("error", "not-a-request"), 400, "invalid_value"),
            (lacks("error", "fault"), 500, "fault"),
            (row(json!({ "status": "ok", "policy": policy })), 422, "unresolved"),
        ] {
            let error = error(&[safe.clone(), row]).unwrap();
            assert_eq!((error.status.as_u16(), error.code), (status, code));
        }
        assert_eq!(error(&[]).unwrap().code, "unresolved");
    }
}
