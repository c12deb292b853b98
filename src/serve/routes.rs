//! The routes: one table, from which the router and the OpenAPI document are made.

mod batches;
mod chat;
pub mod check;
mod decisions;
mod figures;
mod files;
mod health;
mod hooks;
mod models;
mod moderations;
mod openapi;
mod page;
mod pigeon;
mod policies;
mod reports;
mod review;
mod runs;
mod stored;
mod workspace;
mod zentropi;

use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::api_error::ApiError;
use super::front;
use super::hooks::Hooks;
use super::openapi::document;
pub(super) use super::route::{Route, handler};
use super::state::State;

/// Returns all routes.
fn table() -> Vec<Route> {
    [
        check::routes(),
        chat::routes(),
        moderations::routes(),
        decisions::routes(),
        policies::routes(),
        models::routes(),
        pigeon::routes(),
        zentropi::routes(),
        files::routes(),
        batches::routes(),
        review::routes(),
        runs::routes(),
        reports::routes(),
        health::routes(),
        openapi::routes(),
        page::routes(),
        workspace::routes(),
        figures::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns all routes, which live as long as the program.
pub fn all() -> &'static [Route] {
    static TABLE: std::sync::OnceLock<Vec<Route>> = std::sync::OnceLock::new();
    TABLE.get_or_init(table)
}

/// Checks that the router can have the routes of hooks beside those of the server.
///
/// # Errors
///
/// A message that names the hook and the path.
pub fn check(hooks: &Hooks) -> Result<(), String> {
    hooks.check(all().iter().map(|route| (&route.method, route.path)))
}

/// Returns the router.
pub fn router(state: &Arc<State>) -> Router {
    // The routes of a server live as long as the program.
    let of_hooks: &'static [Route] = hooks::routes(&state.hooks).leak();
    let each = || all().iter().chain(of_hooks);
    let _ = state.document.set(document(each()));
    let mut router = Router::new();
    for route in each() {
        let state = Arc::clone(state);
        let answer = move |request: Request| front::answer(Arc::clone(&state), route, request);
        let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::GET);
        let method: MethodRouter = on(filter, answer);
        router = router.route(route.path, method);
    }
    let (of_path, of_method) = (Arc::clone(state), Arc::clone(state));
    router
        .fallback(move |request: Request| ready(unknown(&of_path, &request)))
        .method_not_allowed_fallback(move |request: Request| ready(wrong_method(&of_method, &request)))
}

/// Answers a request that no route is for.
fn unknown(state: &State, request: &Request) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        return front::preflight(state, request.headers());
    }
    state.metrics.request("other", 404, 0.0);
    let message = "no route has this path; GET /openapi.json lists them";
    let response = ApiError::new(StatusCode::NOT_FOUND, "not_found", message).response();
    front::identified(response, request.headers())
}

/// Answers a request with another method than those of its path.
fn wrong_method(state: &State, request: &Request) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        return front::preflight(state, request.headers());
    }
    state.metrics.request("other", 405, 0.0);
    let message = "this path has another method; GET /openapi.json lists them";
    let response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).response();
    front::identified(response, request.headers())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_router_have_the_same_routes() {
        let document = document(all().iter());
        let mut documented = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let methods = operations.as_object().unwrap().keys();
            documented.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        }
        let mut routed: Vec<String> = all().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        documented.sort();
        routed.sort();
        assert_eq!(documented, routed);
    }

    #[test]
    fn every_reference_of_the_document_leads_to_a_schema() {
        let document = document(all().iter());
        let text = document.to_string();
        let mut references = text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        assert!(references.clone().count() > 3);
        assert!(references.all(|reference| document.pointer(reference).is_some()), "{text}");
    }
}
