//! The parts that routes of files and of batches share: lists, owners, and work that waits for the disk.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::serve::api_error::ApiError;
use crate::serve::batches::Batches;
use crate::serve::call::Call;
use crate::serve::state::State;

/// A list, with the ids at its ends.
#[derive(Serialize, JsonSchema)]
pub struct List<T> {
    /// Always `list`.
    object: &'static str,
    /// The entries.
    data: Vec<T>,
    /// The id of the first entry.
    first_id: Option<String>,
    /// The id of the last entry.
    last_id: Option<String>,
    /// True if more entries follow.
    has_more: bool,
}

/// Returns the part of a list that the address asks for by `limit` and `after`.
pub fn listed<T>(call: &Call, mut all: Vec<T>, usual: usize, id: impl Fn(&T) -> &String) -> Result<List<T>, ApiError> {
    let limit =
        match call.query("limit") {
            None => usual,
            Some(limit) => limit.parse().ok().filter(|limit| (1..=10_000).contains(limit)).ok_or_else(|| {
                ApiError::invalid("invalid_value", "the limit is a number from 1 to 10000").of("limit")
            })?,
        };
    if let Some(after) = call.query("after") {
        let at = all.iter().position(|one| *id(one) == after);
        let at = at.ok_or_else(|| ApiError::invalid("invalid_value", "no entry has this id").of("after"))?;
        all.drain(..=at);
    }
    let has_more = all.len() > limit;
    all.truncate(limit);
    let (first_id, last_id) = (all.first().map(|one| id(one).clone()), all.last().map(|one| id(one).clone()));
    Ok(List { object: "list", data: all, first_id, last_id, has_more })
}

/// Runs a function that waits for the disk on a thread of its own.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "the server has a fault in this route; please report it";
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", message))
    })
}

/// Returns the files and batches of a server that keeps some.
///
/// # Errors
///
/// Status 404.
pub fn batches(state: &State) -> Result<&Batches, ApiError> {
    state.batches.as_ref().ok_or_else(|| {
        let message = "this server keeps no files: it was started without a folder for them";
        ApiError::new(StatusCode::NOT_FOUND, "batches_off", message)
    })
}

impl Call {
    /// Returns the files and batches of a server that keeps some.
    ///
    /// # Errors
    ///
    /// Status 404.
    pub(super) fn batches(&self) -> Result<&Batches, ApiError> {
        batches(&self.state)
    }

    /// Returns the name of the key, which owns what it makes.
    pub(super) fn owner(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.name.as_str())
    }
}
