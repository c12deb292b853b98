//! `/openapi.json`: the document of all routes.

use axum::body::Body;
use axum::http::{Method, Response};

use super::{Route, handler};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};

pub(super) fn routes() -> Vec<Route> {
    let route = Route::new(Method::GET, "/openapi.json", "Returns this document", handler!(answer));
    vec![Route { is_open: true, ..route }]
}

async fn answer(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(json(&call.state.document.get()))
}
