//! `POST /v1/reports`: the JSON of an evaluation in, its report as a page out. Nothing is stored.

use axum::body::Body;
use axum::http::{Method, Response};

use super::stored::blocking;
use super::{Route, handler};
use crate::eval::Evaluation;
use crate::eval::report::html;
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, typed};

/// Bytes of an evaluation, at most.
const LARGEST: usize = 64 << 20;

pub(super) fn routes() -> Vec<Route> {
    let summary = "Makes a page of the JSON of an evaluation, and stores nothing";
    vec![Route::new(Method::POST, "/v1/reports", summary, handler!(report))]
}

async fn report(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let bytes = call.bytes_up_to(body, LARGEST).await?;
    let page = blocking(move || {
        let wrong = |error: &dyn std::error::Error| ApiError::invalid("invalid_evaluation", error.to_string());
        let evaluations = Evaluation::read_all(&bytes).map_err(|error| wrong(&error))?;
        html(&evaluations).map_err(|error| wrong(&error))
    });
    Ok(typed("text/html; charset=utf-8", page.await?))
}
