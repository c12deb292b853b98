//! The parts that routes of files and of batches share: lists, owners, and work that waits for the disk.

use std::fs::File;
use std::io::Read;

use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Duration, Instant, timeout_at};

use crate::serve::api_error::ApiError;
use crate::serve::batches::Batches;
use crate::serve::call::{Call, typed};
use crate::serve::pieces::pieces;
use crate::serve::state::State;

/// Bytes that are written at once.
pub const PIECE: usize = 1 << 20;

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

/// Takes the pieces of a body, and writes each to the disk. A body that is too slow is given up.
pub async fn received<T: Send + 'static>(
    call: &Call,
    mut body: Body,
    mut taker: T,
    take: fn(T, &[u8]) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    /// Bytes a second that an upload must bring.
    const LEAST_RATE: f64 = 65_536.0;
    let begun = Instant::now();
    let (mut count, mut piece) = (0_u32, Vec::new());
    loop {
        let ends = begun + call.state.limits.body_timeout + Duration::from_secs_f64(f64::from(count) / LEAST_RATE);
        let late = |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time");
        let frame = timeout_at(ends, body.frame()).await.map_err(late)?;
        let is_over = frame.is_none();
        if let Some(frame) = frame {
            let frame = frame.map_err(|_| ApiError::invalid("incomplete", "the body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            count = count.saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
            piece.extend_from_slice(&data);
        }
        if piece.len() >= PIECE || is_over {
            let full = std::mem::take(&mut piece);
            taker = blocking(move || take(taker, &full)).await?;
        }
        if is_over {
            return Ok(taker);
        }
    }
}

/// Sends a file from its place to its end.
pub fn sent(mut file: File, kind: &'static str) -> Response<Body> {
    let (out, response) = pieces();
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            if out.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_err() {
                return;
            }
        }
    });
    typed(kind, response)
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
