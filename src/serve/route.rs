//! A route: its method and path, its handler, and what the document says about it.

use std::pin::Pin;

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::{Schema, SchemaGenerator};

use super::api_error::ApiError;
use super::call::Call;

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
