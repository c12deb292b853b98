//! The sources of policies: `/v1/policies/{policy}/source`, `PUT /v1/policies/{policy}`, and the history of each.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, Method, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::stored::blocking;
use super::{Route, handler};
use crate::policy::{GoldenCase, Notation, is_id};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};
use crate::serve::state::State;
use crate::serve::workspace::Workspace;
use crate::serve::workspace::golden::Case;
use crate::serve::workspace::save::{Draft, Replaced, Saved, unread};
use crate::serve::workspace::source::Source;

/// The source of a policy.
#[derive(Serialize, JsonSchema)]
struct SourceReply {
    /// The policy's id.
    id: String,
    /// `yaml` or `markdown`.
    notation: &'static str,
    /// The text, as its author wrote it.
    text: String,
    /// The digest of the policy, as in its name for requests.
    digest: String,
    /// The tag of this very text and golden set, for the header `If-Match`.
    etag: String,
    /// False for a policy that a save copies into the workspace.
    editable: bool,
    /// The golden set.
    golden: Vec<Case>,
}

/// A policy to save: `yaml` or `markdown`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveRequest {
    /// The YAML of the policy.
    yaml: Option<String>,
    /// The text of the policy.
    markdown: Option<String>,
    /// The golden set. If absent, the old one stays.
    golden: Option<Vec<Case>>,
}

/// A policy that was saved.
#[derive(Serialize, JsonSchema)]
struct SavedReply {
    /// The policy's id.
    id: String,
    /// The digest of the policy, as in its name for requests.
    digest: String,
    /// The tag of this very text and golden set, for the next header `If-Match`.
    etag: String,
    /// The author's version of the wording.
    version: String,
    /// Seconds since 1970 when it was saved.
    saved: u64,
    /// The number of its version in the history.
    history: u64,
}

/// The versions of a policy.
#[derive(Serialize, JsonSchema)]
struct Versions {
    /// The versions, the newest first.
    versions: Vec<ListedVersion>,
}

/// A version of a policy.
#[derive(Serialize, JsonSchema)]
struct ListedVersion {
    /// Its number, counted from 1.
    number: u64,
    /// Seconds since 1970 when it was saved, or found on the disk.
    time: u64,
    /// The digest of the policy.
    digest: String,
    /// The name of the key that saved it. `null` for a version that was found.
    by: Option<String>,
    /// The policy's title.
    title: String,
    /// The author's version of the wording.
    version: String,
}

/// A version of a policy, with its text.
#[derive(Serialize, JsonSchema)]
struct VersionReply {
    /// Its number.
    number: u64,
    /// `yaml` or `markdown`.
    notation: &'static str,
    /// The text.
    text: String,
    /// The golden set.
    golden: Vec<Case>,
}

pub(super) fn routes() -> Vec<Route> {
    let source = Route::new(
        Method::GET,
        "/v1/policies/{policy}/source",
        "Returns a policy as its author wrote it, with its golden set",
        handler!(source),
    );
    let save = Route::new(
        Method::PUT,
        "/v1/policies/{policy}",
        "Saves a policy in the workspace; If-Match names the version that it replaces",
        handler!(save),
    );
    let versions =
        Route::new(Method::GET, "/v1/policies/{policy}/history", "Lists the versions of a policy", handler!(versions));
    let version = Route::new(
        Method::GET,
        "/v1/policies/{policy}/history/{number}",
        "Returns a version of a policy",
        handler!(version),
    );
    vec![
        Route { response: Some(SchemaGenerator::subschema_for::<SourceReply>), ..source },
        Route {
            request: Some(SchemaGenerator::subschema_for::<SaveRequest>),
            response: Some(SchemaGenerator::subschema_for::<SavedReply>),
            ..save
        },
        Route { response: Some(SchemaGenerator::subschema_for::<Versions>), ..versions },
        Route { response: Some(SchemaGenerator::subschema_for::<VersionReply>), ..version },
    ]
}

async fn source(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let (state, id) = (Arc::clone(&call.state), policy_id(&call)?);
    let reply = blocking(move || {
        let found = Source::open(state.workspace.as_ref(), &state.policies, &id).map_err(|error| unread(&error))?;
        let found = found.ok_or_else(unknown)?;
        Ok(SourceReply {
            notation: notation(found.notation == Notation::Yaml),
            digest: found.digest(),
            etag: found.tag(),
            editable: found.is_own,
            golden: found.cases().iter().map(Case::of).collect(),
            text: found.text,
            id,
        })
    });
    let reply = reply.await?;
    Ok(tagged(json(&reply), &reply.etag))
}

async fn save(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    workspace(&call.state)?;
    let replaces = match (call.header("if-match"), call.header("if-none-match")) {
        (Some(names), None) => Replaced::Known(names.to_owned()),
        (None, Some(all)) if all.trim() == "*" => Replaced::New,
        _ => {
            let message = "a save has one header: if-match with the version that it replaces, or if-none-match: *";
            return Err(ApiError::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", message));
        }
    };
    let id = policy_id(&call)?;
    let SaveRequest { yaml, markdown, golden } = call.json(body).await?;
    let (notation, text) = match (yaml, markdown) {
        (Some(yaml), None) => (Notation::Yaml, yaml),
        (None, Some(markdown)) => (Notation::Plain, markdown),
        _ => return Err(ApiError::invalid("missing", "give yaml or markdown").of("yaml")),
    };
    let by = call.key.as_ref().map(|key| key.name.clone());
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let draft = Draft { id: id.clone(), notation, text, golden, by, replaces, time };
    let state = Arc::clone(&call.state);
    let Saved { source, policy, number, is_new } =
        blocking(move || workspace(&state)?.save(&state.policies, &draft)).await?;
    let reply = SavedReply {
        id,
        digest: policy.digest(),
        etag: source.tag(),
        version: policy.version,
        saved: time,
        history: number,
    };
    let mut response = tagged(json(&reply), &reply.etag);
    if is_new {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

async fn versions(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let (state, id) = (Arc::clone(&call.state), policy_id(&call)?);
    let versions = blocking(move || {
        let versions = workspace(&state)?.versions(&id).map_err(|error| unread(&error))?;
        if versions.is_empty() {
            state.policies.now().find(&id)?;
        }
        Ok(versions)
    });
    let versions = versions.await?.into_iter().map(|version| ListedVersion {
        number: version.number,
        time: version.time,
        digest: version.digest,
        by: version.by,
        title: version.title,
        version: version.wording,
    });
    Ok(json(&Versions { versions: versions.collect() }))
}

async fn version(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let (state, id) = (Arc::clone(&call.state), policy_id(&call)?);
    let number: Option<u64> = call.param("number").parse().ok();
    let version = blocking(move || {
        let workspace = workspace(&state)?;
        let found = number.map(|number| workspace.version(&id, number)).transpose().map_err(|error| unread(&error))?;
        found.flatten().ok_or_else(|| {
            let message = "the policy has no version with this number; its history lists them";
            ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
        })
    });
    let version = version.await?;
    let inside = || crate::policy::Policy::from_yaml("policy.yaml", &version.text).map(|policy| policy.golden).ok();
    let golden = match &version.golden {
        Some(yaml) => GoldenCase::read("golden", yaml).unwrap_or_default(),
        None => inside().filter(|_| version.is_yaml).unwrap_or_default(),
    };
    let golden = golden.iter().map(Case::of).collect();
    Ok(json(&VersionReply { number: version.number, notation: notation(version.is_yaml), golden, text: version.text }))
}

/// Returns the workspace.
///
/// # Errors
///
/// Status 404 on a server without one.
pub(super) fn workspace(state: &State) -> Result<&Workspace, ApiError> {
    state.workspace.as_ref().ok_or_else(|| {
        let message = "this server saves nothing: it was started without a workspace, which is a folder for policies";
        ApiError::new(StatusCode::NOT_FOUND, "workspace_off", message)
    })
}

/// Returns the id in the path. Nothing else may become a part of a path.
fn policy_id(call: &Call) -> Result<String, ApiError> {
    let id = call.param("policy");
    if is_id(id) { Ok(id.to_owned()) } else { Err(unknown()) }
}

fn unknown() -> ApiError {
    let message = "no policy has this id: lower-case letters, digits and hyphens; GET /v1/policies lists them";
    ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message)
}

fn notation(is_yaml: bool) -> &'static str {
    if is_yaml { "yaml" } else { "markdown" }
}

/// Puts a tag into a response.
fn tagged(mut response: Response<Body>, tag: &str) -> Response<Body> {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
