//! A request of a batch: it goes to its route, and the response becomes a line of the results.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::serve::api_error::ApiError;
use crate::serve::batches::objects::{BatchError, BatchRecord};
use crate::serve::batches::requests::Request;
use crate::serve::batches::{id_of, journal};
use crate::serve::call::Call;
use crate::serve::front::caught;
use crate::serve::keys::Key;
use crate::serve::route::Route;
use crate::serve::state::State;

/// The longest time until a request is sent again that the server could not take.
const LONGEST_WAIT: u64 = 5;

/// Sends the requests of a batch to their route.
pub struct Sender {
    state: Arc<State>,
    route: &'static Route,
    key: Option<Arc<Key>>,
    batch: String,
}

/// A request that has its result.
pub struct Done {
    /// Its line.
    pub number: u64,
    /// True if the result belongs to the errors.
    pub is_error: bool,
    /// The line of the journal.
    pub line: Vec<u8>,
}

/// A line of the results.
#[derive(Serialize)]
struct Line<'line> {
    id: String,
    custom_id: &'line Value,
    response: Answer<'line>,
    error: Value,
}

#[derive(Serialize)]
struct Answer<'line> {
    status_code: u16,
    request_id: &'line str,
    body: &'line RawValue,
}

impl Sender {
    /// Finds the route and the key of a batch.
    ///
    /// # Errors
    ///
    /// The error of a batch whose route or key the server does not have any more.
    pub fn new(state: &Arc<State>, routes: &'static [Route], record: &BatchRecord) -> Result<Self, BatchError> {
        let BatchRecord { batch, owner, .. } = record;
        let is_it = |route: &&Route| route.method == Method::POST && route.path == batch.endpoint;
        let route = routes.iter().find(is_it);
        let route = route.ok_or_else(|| BatchError::new("invalid_endpoint", "the server has no such endpoint"))?;
        let key = owner.as_ref().map(|name| {
            let gone = || BatchError::new("invalid_api_key", "the key of this batch is gone");
            state.keys.named(name).cloned().ok_or_else(gone)
        });
        Ok(Self { state: Arc::clone(state), route, key: key.transpose()?, batch: batch.id.clone() })
    }

    /// Sends a request until it has a result.
    pub async fn send(&self, request: Request) -> Done {
        let request_id = format!("req_{}_{}", self.batch, request.number);
        let (status, body) = match request.body {
            Err(error) => received((self.route.error)(&error)).await,
            Ok(body) => self.answer(&request_id, body).await,
        };
        let response = Answer { status_code: status.as_u16(), request_id: &request_id, body: &body };
        let id = id_of(&self.batch, request.number);
        let line = Line { id, custom_id: &request.id, response, error: Value::Null };
        let is_error = status.as_u16() >= 400;
        let line = serde_json::value::to_raw_value(&line).map_err(std::io::Error::from);
        let line = line.and_then(|line| journal::line(request.number, is_error, &line));
        // Strings and numbers are JSON, always.
        Done { number: request.number, is_error, line: line.unwrap_or_default() }
    }

    /// Returns the answer of the route. A request that the server cannot take now is sent again.
    async fn answer(&self, id: &str, body: Bytes) -> (StatusCode, Box<RawValue>) {
        loop {
            let answered = match self.call(id, body.len()) {
                Ok(call) => caught((self.route.handler)(call, body.clone().into())).await,
                Err(_) => Err(ApiError::invalid("invalid_value", "the request cannot be sent")),
            };
            if self.state.has_failed() {
                // The server ends, and the request stays open.
                return std::future::pending().await;
            }
            match answered {
                Ok(response) => return received(response).await,
                Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => {
                    let seconds = error.retry_after.unwrap_or(1).min(LONGEST_WAIT);
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                Err(error) => return received((self.route.error)(&error)).await,
            }
        }
    }

    fn call(&self, id: &str, length: usize) -> Result<Call, axum::http::Error> {
        let request = axum::http::Request::post(self.route.path);
        let request = request.header(CONTENT_TYPE, "application/json").header(CONTENT_LENGTH, length);
        let (parts, ()) = request.body(())?.into_parts();
        let (state, key) = (Arc::clone(&self.state), self.key.clone());
        let (id, route, params) = (id.to_owned(), self.route.path, Vec::new());
        Ok(Call { state, id, key, route, params, parts, is_patient: true })
    }
}

/// Returns the status and the body of a response, on one line. Only JSON has a place in the results.
async fn received(response: Response<Body>) -> (StatusCode, Box<RawValue>) {
    let (head, body) = response.into_parts();
    if head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
        && let Ok(body) = body.collect().await
    {
        // A line break in JSON is between its parts.
        let in_line = |byte| if byte == b'\n' { b' ' } else { byte };
        let bytes: Vec<u8> = body.to_bytes().iter().copied().map(in_line).collect();
        if let Ok(body) = serde_json::from_slice(&bytes) {
            return (head.status, body);
        }
    }
    let error = ApiError::invalid("unsupported_parameter", "a batch has no place for a stream").of("stream");
    (error.status, serde_json::value::to_raw_value(&error.body()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::call::{json, typed};

    #[test]
    fn only_json_becomes_a_result_and_it_is_one_line() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let received = |response| runtime.block_on(received(response));
        let (status, body) = received(json(&serde_json::json!({ "a": "b\nc" })));
        assert_eq!((status.as_u16(), body.get()), (200, r#"{"a":"b\nc"}"#));
        assert_eq!(received(typed("application/json", "{\n}")).1.get(), "{ }");
        let (status, body) = received(typed("text/event-stream", "data: {}\n\n"));
        assert_eq!((status.as_u16(), body.get().contains("\"param\":\"stream\"")), (400, true));
        assert_eq!(received(typed("application/json", "")).0, 400);
    }
}
