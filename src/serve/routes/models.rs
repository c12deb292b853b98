//! `/v1/models`: the model, and the policies as models, for clients of OpenAI's API.

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;

use super::{Route, handler};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};

/// The list of models.
#[derive(Debug, Serialize, JsonSchema)]
struct Models {
    object: &'static str,
    data: Vec<Listed>,
}

/// A model, or a policy that a client may name as one.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// The name that requests give as `model`.
    id: String,
    object: &'static str,
    /// Seconds since 1970 when the model was loaded.
    created: u64,
    owned_by: &'static str,
    magistrate: About,
}

/// The subject of a name.
#[derive(Debug, Serialize, JsonSchema)]
struct About {
    /// `policy` or `model`.
    kind: &'static str,
    /// The policy's title.
    title: Option<String>,
    /// The policy's version.
    version: Option<String>,
    /// The digest of the policy, or of the model's file.
    digest: String,
}

pub(super) fn routes() -> Vec<Route> {
    let list = Route::new(Method::GET, "/v1/models", "Lists the model and the policies", handler!(list));
    let one = Route::new(Method::GET, "/v1/models/{model}", "Describes the model or a policy", handler!(one));
    vec![
        Route { response: Some(SchemaGenerator::subschema_for::<Models>), ..list },
        Route { response: Some(SchemaGenerator::subschema_for::<Listed>), ..one },
    ]
}

fn listed(call: &Call) -> Result<Vec<Listed>, ApiError> {
    // Some clients take any list for a server that is ready, so it gets an error before.
    let model = call.state.model()?;
    let (object, owned_by, created) = ("model", "magistrate", model.created);
    let about = About { kind: "model", title: None, version: None, digest: model.digest.clone() };
    let mut data = vec![Listed { id: model.name.clone(), object, created, owned_by, magistrate: about }];
    data.extend(call.state.policies.now().iter().map(|served| {
        let policy = &served.policy;
        let about = About {
            kind: "policy",
            title: Some(policy.title.clone()),
            version: Some(policy.version.clone()),
            digest: served.digest.clone(),
        };
        Listed { id: policy.id.clone(), object, created, owned_by, magistrate: about }
    }));
    Ok(data)
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(json(&Models { object: "list", data: listed(&call)? }))
}

async fn one(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let name = call.param("model");
    match listed(&call)?.into_iter().find(|listed| listed.id == name) {
        Some(listed) => Ok(json(&listed)),
        None => Err(call
            .state
            .policies
            .now()
            .find(name)
            .err()
            .unwrap_or_else(|| ApiError::invalid("model_not_found", "a model is named without a version here"))),
    }
}
