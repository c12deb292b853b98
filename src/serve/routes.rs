//! The routes: one table, from which the router and the OpenAPI document are made.

pub mod check;
mod health;
mod models;
mod policies;

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{Schema, SchemaGenerator};

use super::api_error::ApiError;
use super::call::Call;
use super::front;
use super::openapi;
use super::state::State;

/// The future of a response.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, ApiError>> + Send>>;

/// A route.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{name}` for a place.
    pub path: &'static str,
    /// A sentence for the document.
    pub summary: &'static str,
    /// True if no key is needed.
    pub is_open: bool,
    /// Answers a request.
    pub handler: fn(Call, Body) -> Answering,
    /// Writes an error in the form that the route's callers know.
    pub error: fn(&ApiError) -> Response<Body>,
    /// The schema of the body, if the route has one.
    pub request: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// The schema of the response, if it is JSON.
    pub response: Option<fn(&mut SchemaGenerator) -> Schema>,
}

/// Makes a handler of an asynchronous function.
macro_rules! handler {
    ($function:path) => {
        |call, body| Box::pin($function(call, body))
    };
}
pub(super) use handler;

impl Route {
    /// Returns a route that needs a key, and whose errors are those of OpenAI's API.
    pub const fn new(
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: fn(Call, Body) -> Answering,
    ) -> Self {
        Self {
            method,
            path,
            summary,
            is_open: false,
            handler,
            error: ApiError::response,
            request: None,
            response: None,
        }
    }
}

/// Returns all routes.
fn table() -> Vec<Route> {
    [check::routes(), policies::routes(), models::routes(), health::routes(), openapi::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns all routes, which live as long as the program.
pub fn all() -> &'static [Route] {
    static TABLE: std::sync::OnceLock<Vec<Route>> = std::sync::OnceLock::new();
    TABLE.get_or_init(table)
}

/// Returns the router.
pub fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for route in all() {
        let state = Arc::clone(state);
        let answer = move |request: Request| front::answer(Arc::clone(&state), route, request);
        let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::GET);
        let method: MethodRouter = on(filter, answer);
        router = router.route(route.path, method);
    }
    let of_fallback = Arc::clone(state);
    router.fallback(move |request| unknown(Arc::clone(&of_fallback), request)).method_not_allowed_fallback({
        let state = Arc::clone(state);
        move |request| wrong_method(Arc::clone(&state), request)
    })
}

/// Answers a request that no route is for.
async fn unknown(state: Arc<State>, request: Request) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        return front::preflight(&state, request.headers());
    }
    state.metrics.request("other", 404, 0.0);
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no route has this path; GET /openapi.json lists them").response()
}

/// Answers a request with another method than those of its path.
async fn wrong_method(state: Arc<State>, request: Request) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        return front::preflight(&state, request.headers());
    }
    state.metrics.request("other", 405, 0.0);
    let message = "this path has another method; GET /openapi.json lists them";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).response()
}
