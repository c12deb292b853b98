//! `POST /v1/chat/completions`: a policy and a text as messages in, one answer of the policy out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response};
use schemars::SchemaGenerator;

use super::check::error_of;
use super::{Route, handler};
use crate::engine::llama_version;
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};
use crate::serve::chat::{self, Asked, ChatCompletion, ChatRequest, Made};
use crate::serve::ids;

pub(super) fn routes() -> Vec<Route> {
    let summary = "Judges a text by a policy, and answers as a chat completion";
    vec![Route {
        request: Some(SchemaGenerator::subschema_for::<ChatRequest>),
        response: Some(SchemaGenerator::subschema_for::<ChatCompletion<'static>>),
        ..Route::new(Method::POST, "/v1/chat/completions", summary, handler!(complete))
    }]
}

async fn complete(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let request: ChatRequest = call.json(body).await?;
    call.state.takes_requests()?;
    let asked = Asked::new(&call.state, request)?;
    let policy = asked.policy().full_name();
    let ignored = asked.ignored.join(",");
    let mut response = if asked.is_stream {
        let wants_usage = asked.wants_usage;
        chat::stream(Box::pin(async move { made(&call, asked).await }), wants_usage).await?
    } else {
        json(&made(&call, asked).await?.completion())
    };
    let headers = response.headers_mut();
    for (name, value) in [("x-magistrate-policy", policy), ("x-magistrate-ignored", ignored)] {
        if let Some(value) = HeaderValue::try_from(value).ok().filter(|value| !value.is_empty()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Judges the text, and makes the completion.
async fn made(call: &Call, asked: Asked) -> Result<Made, ApiError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let rows = call.judge(&asked.question, vec![asked.text.clone()]).await?;
    let row = rows
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| ApiError::unprocessable("unresolved", "there is no verdict"))?;
    if row.verdict.is_none() {
        return Err(error_of(&row));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Made {
        id: ids::new("chatcmpl", COUNT.fetch_add(1, Ordering::Relaxed)),
        created: now.map_or(0, |time| time.as_secs()),
        model: asked.policy().full_name(),
        fingerprint: format!("magistrate-{}+llama.cpp-{}", env!("CARGO_PKG_VERSION"), llama_version()),
        shown: asked.show(&row),
        logprobs: asked.logprobs,
        row,
    })
}
