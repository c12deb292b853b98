//! The front of every route: hosts, keys, limits, ids, metrics, and panics that must not end the server.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, ORIGIN, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use super::api_error::ApiError;
use super::call::Call;
use super::keys::Key;
use super::route::Route;
use super::state::State;

/// Answers a request to a route.
pub async fn answer(state: Arc<State>, route: &'static Route, request: Request) -> Response<Body> {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let origin = request.headers().get(ORIGIN).cloned();
    let traceparent = request.headers().get("traceparent").cloned();
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let params = params.map(|params| params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    let answered = match admitted(&state, route, &parts) {
        Err(error) => Err(error),
        Ok(Admitted { key, running }) => {
            let (state, id, params) = (Arc::clone(&state), id.clone(), params.unwrap_or_default());
            let call = Call { state, id, key, route: route.path, params, parts, is_patient: false };
            caught((route.handler)(call, body)).await.map(|response| held(response, running))
        }
    };
    let mut response = answered.unwrap_or_else(|error| {
        refuse(&state, &error);
        (route.error)(&error)
    });
    state.metrics.request(route.path, response.status().as_u16(), begun.elapsed().as_secs_f64());
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    if let Some(traceparent) = traceparent {
        headers.insert("traceparent", traceparent);
    }
    allow(&state, origin, headers);
    response
}

/// Answers the question of a browser whether a page may call the server.
pub fn preflight(state: &State, headers: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let origin = headers.get(ORIGIN).cloned();
    if origin.as_ref().and_then(|origin| origin.to_str().ok()).is_some_and(|origin| state.hosts.allows(origin)) {
        for (name, value) in [
            ("access-control-allow-methods", "GET, POST, PUT, DELETE"),
            (
                "access-control-allow-headers",
                "authorization, content-type, if-match, if-none-match, x-api-key, x-request-id",
            ),
            ("access-control-max-age", "600"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    allow(state, origin, response.headers_mut());
    response
}

/// Allows pages of a known site to read the response.
fn allow(state: &State, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    if let Some(origin) = origin.filter(|origin| origin.to_str().is_ok_and(|origin| state.hosts.allows(origin))) {
        headers.insert("access-control-allow-origin", origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
    }
}

struct Admitted {
    key: Option<Arc<Key>>,
    running: Option<OwnedSemaphorePermit>,
}

/// Checks who sends a request and whether it is this key's turn.
fn admitted(state: &State, route: &Route, parts: &Parts) -> Result<Admitted, ApiError> {
    let headers = &parts.headers;
    state.hosts.check(parts.version, headers, route.is_open && parts.method == Method::GET)?;
    if route.is_open || state.keys.is_empty() {
        return Ok(Admitted { key: None, running: None });
    }
    let Some(key) = sent_key(headers).and_then(|sent| state.keys.find(sent)) else {
        let message = "a key is needed, in the header authorization: Bearer KEY, or x-api-key: KEY";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    };
    let limited = |message: &str, seconds| {
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
        ApiError { retry_after: Some(seconds), ..error }
    };
    if [Method::POST, Method::PUT].contains(&route.method) {
        key.take().map_err(|seconds| limited("this key has sent its requests of this minute", seconds))?;
    }
    let running = match &key.running {
        None => None,
        Some(places) => {
            let place = Arc::clone(places).try_acquire_owned();
            Some(place.map_err(|_| limited("too many requests of this key are running", 1))?)
        }
    };
    Ok(Admitted { key: Some(Arc::clone(key)), running })
}

/// Returns the key in the headers.
fn sent_key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    // NeMo's clients for PolicyAI use the last one.
    let named = || ["x-api-key", "musubi-api-key"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
    bearer.or_else(named)
}

/// Counts a refused request, where its texts were not counted.
fn refuse(state: &State, error: &ApiError) {
    let reason = match error.code {
        "invalid_api_key" => "unauthorized",
        "rate_limited" => "rate_limited",
        _ => return,
    };
    state.metrics.rejected(reason, 1);
}

/// Runs a handler. A panic becomes an error with status 500.
pub async fn caught(
    handler: impl Future<Output = Result<Response<Body>, ApiError>>,
) -> Result<Response<Body>, ApiError> {
    let mut handler = Box::pin(AssertUnwindSafe(handler));
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            let message = "the server has a fault in this route; please report it";
            std::task::Poll::Ready(Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", message)))
        })
    })
    .await
}

/// Keeps a key's place among its running requests until the response is sent.
fn held(response: Response<Body>, running: Option<OwnedSemaphorePermit>) -> Response<Body> {
    let Some(running) = running else { return response };
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &running;
            frame
        }))
    })
}

/// Puts the request's id into a response.
pub fn identified(mut response: Response<Body>, headers: &HeaderMap) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(&request_id(headers)) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Returns the id that the client gave the request, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    given.filter(is_plain).map_or_else(|| super::ids::new("req", COUNT.fetch_add(1, Ordering::Relaxed)), str::to_owned)
}
