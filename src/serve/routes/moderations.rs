//! `POST /v1/moderations`: texts in, OpenAI's categories and the server's own policies out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::check::error_of;
use super::{Route, handler};
use crate::label::row::Row;
use crate::policy::Effort;
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedEffort, AskedOptions, Decode, Parts};
use crate::serve::call::{Call, json};
use crate::serve::ids;
use crate::serve::moderation::{Input, Moderated, NAMES};
use crate::serve::policies::Served;
use crate::serve::state::State;

/// Texts to moderate.
#[derive(Debug, Deserialize, JsonSchema)]
struct Moderation {
    /// The texts.
    input: Input,
    /// A policy, or several with commas between. Without it, or with a name of OpenAI, the server's own set.
    model: Option<String>,
    /// Settings that OpenAI does not have.
    #[serde(default)]
    magistrate: Settings,
}

/// Settings that OpenAI does not have.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How much the model reasons before it answers. Without it, that of the server, or none.
    effort: Option<Effort>,
    /// The lowest probability that counts as a violation.
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: Option<f64>,
}

/// The results.
#[derive(Serialize, JsonSchema)]
struct Moderations<'rows> {
    id: String,
    /// The model, with `magistrate/` before its name.
    model: String,
    /// The results, in the order of the texts.
    results: Vec<Moderated<'rows>>,
}

pub(super) fn routes() -> Vec<Route> {
    let summary = "Judges texts by the server's policies, and returns OpenAI's categories";
    vec![Route {
        request: Some(SchemaGenerator::subschema_for::<Moderation>),
        response: Some(SchemaGenerator::subschema_for::<Moderations<'static>>),
        ..Route::new(Method::POST, "/v1/moderations", summary, handler!(moderate))
    }]
}

async fn moderate(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Moderation { input, model, magistrate } = call.json(body).await?;
    let texts = input.texts()?;
    let name = &call.state.model()?.name;
    let policies = policies(&call.state, model.as_deref())?;
    let options = AskedOptions {
        effort: magistrate.effort.or(call.state.config.options.effort).or(Some(Effort::None)).map(AskedEffort::from),
        threshold: magistrate.threshold,
        // A score is a probability, and a reply has no place for a rationale.
        decode: Some(Decode::Phased),
        fields: Some(vec!["verdict".to_owned()]),
        // It holds for one policy and one effort.
        certificate: Some(false),
        ..AskedOptions::default()
    };
    let question = Arc::new(options.question(&call.state, policies)?);
    let texts = texts.into_iter().map(|text| Parts { text, ..Parts::default() }.text()).collect::<Result<_, _>>()?;
    let rows = call.judge(&question, texts).await?;
    let results = rows.iter().enumerate().map(|(number, rows)| {
        Moderated::of(&question.policies, rows).map_err(|at| without_verdict(number, &question.policies[at], &rows[at]))
    });
    let results = results.collect::<Result<_, ApiError>>()?;
    let id = ids::new("modr", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut response = json(&Moderations { id, model: format!("magistrate/{name}"), results });
    let names: Vec<String> = question.policies.iter().map(|served| served.full_name()).collect();
    if let Ok(names) = names.join(",").parse() {
        response.headers_mut().insert("x-magistrate-policy", names);
    }
    Ok(response)
}

/// Returns the policies that a request names, or the server's own set.
///
/// Some clients send a text to OpenAI itself if the route says 404, so an unknown name is a 400.
fn policies(state: &State, model: Option<&str>) -> Result<Vec<Arc<Served>>, ApiError> {
    let set = state.policies.now();
    let found = |names: &mut dyn Iterator<Item = &str>| {
        let mut policies: Vec<Arc<Served>> = Vec::new();
        for name in names {
            let served = set
                .find(name.trim())
                .map_err(|error| ApiError { status: StatusCode::BAD_REQUEST, ..error.of("model") })?;
            if !policies.iter().any(|other| other.policy.id == served.policy.id) {
                policies.push(served);
            }
        }
        Ok(policies)
    };
    match model {
        Some(name) if !NAMES.contains(&name) && !state.is_model(name)? => found(&mut name.split(',')),
        _ if !state.moderation.is_empty() => found(&mut state.moderation.iter().map(String::as_str)),
        _ => {
            let model = state.model()?;
            let policies: Vec<_> = set.iter().filter(|served| model.can_judge(&served.policy)).cloned().collect();
            if policies.is_empty() {
                let message = "the model was not trained for any policy of the server";
                return Err(ApiError::unprocessable("unresolved", message).of("model"));
            }
            Ok(policies)
        }
    }
}

/// Returns the error of a text on which a policy has no verdict.
fn without_verdict(number: usize, served: &Served, row: &Row) -> ApiError {
    let error = error_of(row);
    let message = format!("text {number}, policy `{}`: {}", served.policy.id, error.message);
    ApiError { message, ..error }.of(format!("input[{number}]"))
}
