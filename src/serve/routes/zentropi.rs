//! `POST /v1/label`: a text and its label, for clients of Zentropi.
//!
//! The form is that of the script zentropi-labeler 0.10.8, and of the signal in Coop. A labeler is a policy.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Route, check, handler};
use crate::content::Content;
use crate::label::row::Row;
use crate::policy::Verdict;
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};
use crate::serve::criteria;
use crate::serve::policies::{Served, Set};

/// A text to label.
#[derive(Deserialize, JsonSchema)]
struct LabelRequest {
    /// The name of a policy.
    labeler_id: Option<String>,
    /// The version or the digest of the policy, or a policy's whole name.
    labeler_version_id: Option<String>,
    /// The rules as a text, instead of a policy's name.
    criteria_text: Option<String>,
    /// The text.
    content_text: Option<String>,
    /// An image, which is refused.
    content_image: Option<Value>,
    /// A video, which is refused.
    content_video: Option<Value>,
}

/// The label of a text.
#[derive(Serialize, JsonSchema)]
struct Labeled {
    /// `1` for a violation, and `0` for a safe text.
    label: &'static str,
    /// The probability of this label.
    confidence: f64,
    /// The time for the verdict, in seconds.
    compute_time: f64,
    /// The model's reason, if the policy asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    let summary = "Labels a text with 1 or 0, as Zentropi's API does";
    vec![Route {
        error,
        request: Some(SchemaGenerator::subschema_for::<LabelRequest>),
        response: Some(SchemaGenerator::subschema_for::<Labeled>),
        ..Route::new(Method::POST, "/v1/label", summary, handler!(label))
    }]
}

/// Writes an error as Zentropi's API does: an overloaded server has the status 529.
fn error(error: &ApiError) -> Response<Body> {
    let status = match error.status {
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::from_u16(529).unwrap_or(error.status),
        status => status,
    };
    ApiError { status, ..error.clone() }.detail()
}

async fn label(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let since = Instant::now();
    let request: LabelRequest = call.json(body).await?;
    if request.content_image.is_some() || request.content_video.is_some() {
        let message = "only texts are labeled: leave out content_image and content_video";
        return Err(ApiError::invalid("unsupported_parameter", message));
    }
    let Some(text) = request.content_text else {
        return Err(ApiError::invalid("missing", "the property `content_text` is missing").of("content_text"));
    };
    let set = call.state.policies.now();
    let served = match (&request.labeler_id, &request.labeler_version_id, &request.criteria_text) {
        (None, None, Some(criteria)) => criteria::read(criteria)?,
        (None, None, None) => {
            let message = "give a labeler_id, a labeler_version_id or a criteria_text";
            return Err(ApiError::invalid("missing", message).of("labeler_id"));
        }
        (labeler, version, None) => labeler_of(&set, labeler.as_deref(), version.as_deref())?,
        (_, _, Some(_)) => {
            let message = "give a labeler or a criteria_text, not both";
            return Err(ApiError::invalid("invalid_value", message).of("criteria_text"));
        }
    };
    let options = criteria::options(&call.state, call.query("effort").as_deref())?;
    let question = Arc::new(options.question(&call.state, vec![served])?);
    let rows = call.judge(&question, vec![Content::of(text).map_err(Into::into)]).await?;
    let row = rows.iter().flatten().next();
    let row = row.ok_or_else(|| ApiError::unprocessable("unresolved", "there is no verdict"))?;
    let (label, confidence) = chosen(row)?;
    let compute_time = since.elapsed().as_secs_f64();
    Ok(json(&Labeled { label, confidence, compute_time, explanation: row.rationale.clone() }))
}

/// Finds the policy of a labeler, or of one version of it.
fn labeler_of(set: &Set, labeler: Option<&str>, version: Option<&str>) -> Result<Arc<Served>, ApiError> {
    // A policy is served as its file is now.
    let version = version.filter(|version| !["latest", "draft"].contains(version));
    match (labeler, version) {
        (Some(labeler), Some(version)) if !version.contains('@') => set
            .find(&format!("{labeler}@{version}"))
            .or_else(|error| set.find(&format!("{labeler}@sha256:{version}")).map_err(|_| error)),
        (labeler, Some(name)) if name.contains('@') => {
            let found = set.find(name)?;
            match labeler {
                Some(id) if id.split('@').next() != Some(found.policy.id.as_str()) => Err(unknown_version()),
                _ => Ok(found),
            }
        }
        (Some(name), _) => set.find(name),
        (None, version) => {
            let digits = version.unwrap_or_default().trim_start_matches("sha256:");
            let of = |served: &Arc<Served>| set.find(&format!("{}@sha256:{digits}", served.policy.id)).ok();
            set.iter().find_map(of).ok_or_else(unknown_version)
        }
    }
}

fn unknown_version() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "model_not_found", "no labeler has this version; GET /v1/policies lists them")
}

/// Returns the label of a row, with the probability of just this label.
fn chosen(row: &Row) -> Result<(&'static str, f64), ApiError> {
    match (row.verdict, row.probability) {
        (Some(Verdict::Violation), Some(probability)) => Ok(("1", probability)),
        (Some(Verdict::Safe), Some(probability)) => Ok(("0", 1.0 - probability)),
        (Some(Verdict::Review), _) => {
            Err(ApiError::unprocessable("unresolved", "the policy asks for a person's review of this text"))
        }
        (Some(_), None) => Err(ApiError::unprocessable("unresolved", "a verdict that was written has no probability")),
        (None, _) => Err(check::error_of(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overloaded_server_has_the_status_that_zentropi_gives_one() {
        let response = error(&ApiError::unavailable("overloaded", "full", 3));
        assert_eq!(response.status().as_u16(), 529);
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(error(&ApiError::invalid("missing", "no text")).status().as_u16(), 400);
    }
}
