//! `/health`, `/ready` and `/metrics`: whether the process lives, whether it takes requests, and its counters.
//!
//! A full queue makes neither of the first two fail: a busy server must not be restarted.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde_json::json;

use super::{Route, handler};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json as reply, typed};

pub(super) fn routes() -> Vec<Route> {
    let open = |path, summary, handler| Route { is_open: true, ..Route::new(Method::GET, path, summary, handler) };
    let mut routes: Vec<Route> = ["/health", "/healthz", "/livez", "/v1/health", "/ping"]
        .into_iter()
        .map(|path| open(path, "Reports that the process lives", handler!(health)))
        .collect();
    routes.extend(["/ready", "/readyz"].into_iter().map(|path| {
        open(
            path,
            "Reports whether texts are taken; with fail_on_busy=1 also whether the queue has room",
            handler!(ready),
        )
    }));
    routes.push(Route::new(
        Method::GET,
        "/metrics",
        "Returns the metrics in the text format of Prometheus",
        handler!(metrics),
    ));
    routes
}

async fn health(_: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(reply(&json!({ "status": "ok" })))
}

async fn ready(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    call.state.model()?;
    if call.state.is_draining() {
        return Err(ApiError::unavailable("draining", "the server is about to end", 1));
    }
    if !call.state.is_open() {
        return Err(ApiError::unavailable("loading", "the first policies are being decoded", 5));
    }
    let is_full = call.state.queue.items() >= call.state.queue.limit();
    if is_full && call.query("fail_on_busy").as_deref() == Some("1") {
        return Err(call
            .state
            .queue
            .take()
            .err()
            .unwrap_or_else(|| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "the queue was full")));
    }
    Ok(reply(&json!({ "status": "ready" })))
}

async fn metrics(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let text = call.state.metrics.text(&call.state.gauges());
    Ok(typed("text/plain; version=0.0.4; charset=utf-8", text))
}
