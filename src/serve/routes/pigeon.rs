//! `GET /v1/modelspecs` and `POST /v1/classify`: the contract of ROOST's Pigeon. Beta, as Pigeon still changes.
//!
//! A policy is a model that a policy is bound to. The model itself takes the policy of the request. `GET /v1/policies` has
//! the fields of Pigeon's list, and policies come from files, so there is no route that adds or removes one.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Route, check, handler};
use crate::content::Content;
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};
use crate::serve::criteria;
use crate::serve::policies::Served;

/// The models that texts can be classified with.
#[derive(Serialize, JsonSchema)]
struct ModelSpecs {
    modelspecs: Vec<ModelSpec>,
}

/// A policy, or the model with the policy of a request.
#[derive(Serialize, JsonSchema)]
struct ModelSpec {
    /// The name for requests.
    id: String,
    /// The version of the policy's wording, or a digest's beginning.
    version: String,
    /// `byop`: the model is steered by a policy.
    kind: &'static str,
    /// The model of a policy.
    base: Option<String>,
    /// The model's name at its publisher.
    #[serde(rename = "modelId")]
    model_id: String,
    #[serde(rename = "inputTypes")]
    input_types: [&'static str; 1],
    labels: [LabelSpec; 1],
}

/// A label that texts get a score for.
#[derive(Serialize, JsonSchema)]
struct LabelSpec {
    id: &'static str,
    display: String,
    #[serde(rename = "valueType")]
    value_type: &'static str,
}

/// A text to classify.
#[derive(Deserialize, JsonSchema)]
struct ClassifyRequest {
    /// `NAME` or `NAME@VERSION`.
    model: String,
    /// The text.
    input: Input,
    /// The rules as a text. A model with a policy of its own does not read it.
    policy: Option<String>,
}

/// A text, and the thread that it belongs to.
#[derive(Deserialize, JsonSchema)]
struct Input {
    text: Option<String>,
    /// The address of an image, which is refused.
    #[serde(rename = "mediaUrl")]
    media_url: Option<Value>,
    context: Option<Context>,
}

#[derive(Deserialize, JsonSchema)]
struct Context {
    thread: Option<Thread>,
}

#[derive(Deserialize, JsonSchema)]
struct Thread {
    /// The messages before the text, the oldest first.
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize, JsonSchema)]
struct Message {
    role: Option<String>,
    text: String,
}

/// The scores of a text.
#[derive(Serialize, JsonSchema)]
struct Classified {
    /// `NAME@VERSION`.
    model: String,
    results: [Score; 1],
}

#[derive(Serialize, JsonSchema)]
struct Score {
    label: &'static str,
    /// The probability of a violation.
    score: f64,
}

/// The name of the one label.
const VERDICT: &str = "verdict";

/// The most messages of a thread, as in Pigeon.
const MOST_MESSAGES: usize = 100;

/// The digits of a digest that stand for a version.
const DIGITS: usize = 12;

pub(super) fn routes() -> Vec<Route> {
    let list = "Lists the policies and the model, as Pigeon does (beta)";
    let classify = "Returns the probability of a violation, as Pigeon does (beta)";
    vec![
        Route {
            error: ApiError::detail,
            response: Some(SchemaGenerator::subschema_for::<ModelSpecs>),
            ..Route::new(Method::GET, "/v1/modelspecs", list, handler!(self::list))
        },
        Route {
            error,
            request: Some(SchemaGenerator::subschema_for::<ClassifyRequest>),
            response: Some(SchemaGenerator::subschema_for::<Classified>),
            ..Route::new(Method::POST, "/v1/classify", classify, handler!(self::classify))
        },
    ]
}

/// Writes an error as Pigeon does: a request that it does not understand has the status 422.
fn error(error: &ApiError) -> Response<Body> {
    let status = match error.status {
        StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
        status => status,
    };
    ApiError { status, ..error.clone() }.detail()
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let model = call.state.model()?;
    let spec = |id: &str, version: &str, base: Option<String>, display: &str| ModelSpec {
        id: id.to_owned(),
        version: version.to_owned(),
        kind: "byop",
        base,
        model_id: model.name.clone(),
        input_types: ["text"],
        labels: [LabelSpec { id: VERDICT, display: display.to_owned(), value_type: "score" }],
    };
    let mut modelspecs = vec![spec(&model.name, digits(&model.digest), None, "Violation of the policy in the request")];
    modelspecs.extend(call.state.policies.now().iter().map(|served| {
        let policy = &served.policy;
        spec(&policy.id, &policy.version, Some(model.name.clone()), &policy.title)
    }));
    Ok(json(&ModelSpecs { modelspecs }))
}

async fn classify(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let request: ClassifyRequest = call.json(body).await?;
    let Input { text, media_url, context } = request.input;
    if media_url.is_some_and(|url| !url.is_null()) {
        return Err(ApiError::unprocessable("unsupported_parameter", "only texts are classified: leave out mediaUrl"));
    }
    let text = text.ok_or_else(|| ApiError::unprocessable("missing", "the property `input.text` is missing"))?;
    let messages = context.and_then(|context| context.thread).map_or_else(Vec::new, |thread| thread.messages);
    let text = with_thread(text, &messages)?;
    let (served, name) = model_of(&call, &request.model, request.policy.as_deref())?;
    let options = criteria::options(&call.state, call.query("effort").as_deref())?;
    let question = Arc::new(options.question(&call.state, vec![served])?);
    let rows = call.judge(&question, vec![Content::of(text).map_err(Into::into)]).await?;
    let row = rows.iter().flatten().next();
    let row = row.ok_or_else(|| ApiError::unprocessable("unresolved", "there is no verdict"))?;
    let Some(score) = row.probability.filter(|_| row.verdict.is_some()) else {
        let error = check::error_of(row);
        return Err(ApiError { message: format!("{}: {}", error.code, error.message), ..error });
    };
    Ok(json(&Classified { model: name, results: [Score { label: VERDICT, score }] }))
}

/// Puts the messages of a thread before a text, a line each, as Pigeon does.
fn with_thread(text: String, messages: &[Message]) -> Result<String, ApiError> {
    if messages.len() > MOST_MESSAGES {
        let message = format!("a thread has {MOST_MESSAGES} messages at most");
        return Err(ApiError::unprocessable("invalid_value", message));
    }
    if text.trim().is_empty() || messages.is_empty() {
        return Ok(text);
    }
    let lines = messages.iter().map(|message| match &message.role {
        Some(role) => format!("{role}: {}", message.text),
        None => message.text.clone(),
    });
    Ok(lines.chain([text]).collect::<Vec<_>>().join("\n"))
}

/// Returns the policy that a model's name stands for, and the name with its version.
fn model_of(call: &Call, name: &str, policy: Option<&str>) -> Result<(Arc<Served>, String), ApiError> {
    let model = call.state.model()?;
    let (id, version) = name.split_once('@').map_or((name, None), |(id, version)| (id, Some(version)));
    if id != model.name || version.is_some_and(|version| !model.digest.starts_with(version)) {
        let served = call.state.policies.now().find(name)?;
        let full = format!("{}@{}", served.policy.id, served.policy.version);
        return Ok((served, full));
    }
    let Some(policy) = policy else {
        let message = "this model is steered by a policy: give one, or name a model with a policy of its own";
        return Err(ApiError::unprocessable("missing", message));
    };
    Ok((criteria::read(policy)?, format!("{}@{}", model.name, digits(&model.digest))))
}

fn digits(digest: &str) -> &str {
    digest.get(..DIGITS).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Option<&str>, text: &str) -> Message {
        Message { role: role.map(str::to_owned), text: text.to_owned() }
    }

    #[test]
    fn a_thread_stands_before_the_text_a_line_for_each_message() {
        let thread = [message(Some("ana"), "Are you there?"), message(None, "Hello")];
        assert_eq!(with_thread("Yes".to_owned(), &thread).unwrap(), "ana: Are you there?\nHello\nYes");
        assert_eq!(with_thread("Yes".to_owned(), &[]).unwrap(), "Yes");
        assert_eq!(with_thread(" ".to_owned(), &thread).unwrap(), " ", "a thread is no text");
    }

    #[test]
    fn a_thread_of_more_than_100_messages_is_refused() {
        let thread: Vec<_> = (0..101).map(|_| message(None, "Hello")).collect();
        assert_eq!(with_thread("Yes".to_owned(), &thread).unwrap_err().status, 422);
        assert!(with_thread("Yes".to_owned(), &thread[1..]).is_ok());
    }
}
