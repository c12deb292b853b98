//! `/v1/batches`: many requests in a file, judged in the background, as OpenAI's clients ask for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::stored::{List, batches, blocking, listed};
use super::{Route, handler};
use crate::serve::api_error::ApiError;
use crate::serve::batches::ENDPOINTS;
use crate::serve::batches::objects::BatchObject;
use crate::serve::call::{Call, json};

/// Requests in a file, which are to be judged.
#[derive(Debug, Deserialize, JsonSchema)]
struct BatchRequest {
    /// The file, which was uploaded with the purpose `batch`.
    input_file_id: String,
    /// The endpoint of all requests: `/v1/chat/completions`, `/v1/moderations`, `/v1/decisions` or `/v1/check`.
    endpoint: String,
    /// The time that the batch has: `24h`, which is also the default.
    #[serde(default)]
    completion_window: Option<String>,
    /// The client's own notes.
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    /// The time until the results are removed. This server removes none.
    #[serde(default)]
    #[schemars(skip)]
    output_expires_after: Value,
}

/// Entries of a list, if the request names no number.
const SOME: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    let create = Route::new(Method::POST, "/v1/batches", "Has the requests in a file judged", handler!(create));
    let list = Route::new(Method::GET, "/v1/batches", "Lists the batches", handler!(list));
    let one = Route::new(Method::GET, "/v1/batches/{batch}", "Returns the state of a batch", handler!(one));
    let cancel = Route::new(Method::POST, "/v1/batches/{batch}/cancel", "Cancels a batch", handler!(cancel));
    vec![
        Route {
            request: Some(SchemaGenerator::subschema_for::<BatchRequest>),
            response: Some(SchemaGenerator::subschema_for::<BatchObject>),
            ..create
        },
        Route { response: Some(SchemaGenerator::subschema_for::<List<BatchObject>>), ..list },
        Route { response: Some(SchemaGenerator::subschema_for::<BatchObject>), ..one },
        Route { response: Some(SchemaGenerator::subschema_for::<BatchObject>), ..cancel },
    ]
}

async fn create(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    call.batches()?;
    let request: BatchRequest = call.json(body).await?;
    call.state.takes_requests()?;
    request.check()?;
    let (state, owner) = (Arc::clone(&call.state), call.owner().map(str::to_owned));
    let batch = blocking(move || {
        let BatchRequest { input_file_id, endpoint, metadata, .. } = request;
        batches(&state)?.create(&endpoint, &input_file_id, metadata, owner.as_deref())
    });
    let batch = batch.await?;
    let (state, id) = (Arc::clone(&call.state), batch.id.clone());
    // The client asks for the state from time to time.
    drop(tokio::task::spawn_blocking(move || {
        // A batch that cannot be written stays as it was, and is read again at the next start.
        state.batches.as_ref().map(|batches| batches.validate(&id))
    }));
    Ok(json(&batch))
}

impl BatchRequest {
    fn check(&self) -> Result<(), ApiError> {
        let wrong = |param: &str, message: &str| Err(ApiError::invalid("invalid_value", message).of(param));
        if !ENDPOINTS.contains(&self.endpoint.as_str()) {
            let message = format!("the endpoint of a batch is one of {}", ENDPOINTS.join(", "));
            return wrong("endpoint", &message);
        }
        if self.completion_window.as_ref().is_some_and(|window| window != "24h") {
            return wrong("completion_window", "the time of a batch is 24h");
        }
        if !self.output_expires_after.is_null() {
            let message = "this server removes no results by itself; DELETE /v1/files/{file} does";
            return Err(ApiError::invalid("unsupported_parameter", message).of("output_expires_after"));
        }
        let metadata = self.metadata.iter().flatten();
        let (mut count, mut fits) = (0, true);
        for (name, value) in metadata {
            count += 1;
            fits &= name.chars().count() <= 64 && value.chars().count() <= 512;
        }
        if count > 16 || !fits {
            return wrong("metadata", "at most 16 entries, of names up to 64 and values up to 512 characters");
        }
        Ok(())
    }
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let batches = call.batches()?.batches(call.owner());
    Ok(json(&listed(&call, batches, SOME, |batch| &batch.id)?))
}

async fn one(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(json(&call.batches()?.batch(call.param("batch"), call.owner())?))
}

async fn cancel(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    call.batches()?;
    let (state, id) = (Arc::clone(&call.state), call.param("batch").to_owned());
    let owner = call.owner().map(str::to_owned);
    Ok(json(&blocking(move || batches(&state)?.cancel(&id, owner.as_deref())).await?))
}
