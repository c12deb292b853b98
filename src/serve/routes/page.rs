//! `/`, `/page/NAME` and `/v1/page`: the files of the page, and the facts that it begins with.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;

use super::{Route, handler};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json, typed};
use crate::serve::page::{PageFile, names_tag, security_policy};

/// The facts that the page begins with.
#[derive(Serialize, JsonSchema)]
struct Facts<'state> {
    /// The version of the server.
    version: &'static str,
    /// The model.
    model: ModelFacts<'state>,
    /// True if policies can be saved.
    workspace: bool,
    /// True if texts are queued for review.
    review: bool,
    /// True if requests need a key.
    needs_key: bool,
    /// The name of the key that was sent, which is the name of a reviewer.
    reviewer: Option<&'state str>,
    /// The most texts of one request.
    max_texts: usize,
}

/// The model.
#[derive(Serialize, JsonSchema)]
struct ModelFacts<'state> {
    /// Its name.
    name: &'state str,
    /// The only shipped policies that it can judge by. `null` for all.
    trained_for: Option<&'static [&'static str]>,
    /// True for a model that shows how magistrate works, and whose verdicts are not meant for use.
    is_demonstration: bool,
}

pub(super) fn routes() -> Vec<Route> {
    let open = |path, summary, handler| Route { is_open: true, ..Route::new(Method::GET, path, summary, handler) };
    let facts = Route::new(Method::GET, "/v1/page", "Returns the facts that the page begins with", handler!(facts));
    vec![
        open("/", "The page, for a browser", handler!(index)),
        open("/page/{name}", "A file of the page", handler!(named)),
        Route { response: Some(SchemaGenerator::subschema_for::<Facts<'static>>), ..facts },
    ]
}

async fn index(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    file(&call, "index.html")
}

async fn named(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    file(&call, call.param("name"))
}

/// Answers with a file, or with status 304 if the browser has it.
fn file(call: &Call, name: &str) -> Result<Response<Body>, ApiError> {
    let file = PageFile::named(name).ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "the page has no such file; it begins at /")
    })?;
    let tag = file.tag();
    let mut response = if call.header("if-none-match").is_some_and(|header| names_tag(header, &tag)) {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else if call.header("accept-encoding").is_some_and(takes_gzip) {
        let mut packed = typed(file.kind(), file.packed());
        packed.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        packed
    } else {
        typed(file.kind(), file.text)
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (ETAG, tag.as_str()),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, security_policy()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Reports whether a header `Accept-Encoding` allows gzip.
fn takes_gzip(header: &str) -> bool {
    let named = |part: &str| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !["q=0", "q=0.0"].contains(&weight.trim())
    };
    header.split(',').any(named)
}

async fn facts(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let state = &call.state;
    let model = state.model()?;
    Ok(json(&Facts {
        version: env!("CARGO_PKG_VERSION"),
        model: ModelFacts {
            name: &model.name,
            trained_for: model.trained_for,
            is_demonstration: model.is_demonstration,
        },
        workspace: state.workspace.is_some(),
        review: state.reviewing.is_some(),
        needs_key: !state.keys.is_empty(),
        reviewer: call.key.as_ref().map(|key| key.name.as_str()),
        max_texts: state.limits.max_texts,
    }))
}
