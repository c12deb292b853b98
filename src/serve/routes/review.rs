//! `/v1/review`: the review queue, the decisions about its items, and how reviewers agree.

mod bodies;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use schemars::SchemaGenerator;

use self::bodies::{Added, Asked, Decided, Deciding, Open, Page};
use super::stored::blocking;
use super::{Route, handler};
use crate::review::agreement::Agreement;
use crate::review::item::{Decision, Item, Reason, new_id, now};
use crate::review::store::{Listed, Query, StoreError};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, json};
use crate::serve::metrics::Metrics;
use crate::serve::reviewing::Reviewing;
use crate::serve::state::State;

/// Items of a list, if the request names no number, and the most that it may name.
const LIMITS: [usize; 2] = [50, 1000];

/// The name of a reviewer who gives none, on a server without keys.
const REVIEWER: &str = "reviewer";

pub(super) fn routes() -> Vec<Route> {
    let list = Route::new(Method::GET, "/v1/review", "Lists texts that a person should look at", handler!(list));
    let add = Route::new(Method::POST, "/v1/review", "Puts a text into the review queue", handler!(add));
    let path = "/v1/review/{item}/decisions";
    let decide = Route::new(Method::POST, path, "Decides about an item of the review queue", handler!(decide));
    let path = "/v1/review/decisions/{decision}";
    let retract = Route::new(Method::DELETE, path, "Retracts a decision", handler!(retract));
    let summary = "Returns how reviewers agree with the model and with one another";
    let agree = Route::new(Method::GET, "/v1/review/agreement", summary, handler!(agreement));
    vec![
        Route { response: Some(SchemaGenerator::subschema_for::<Page>), ..list },
        Route {
            request: Some(SchemaGenerator::subschema_for::<Asked>),
            response: Some(SchemaGenerator::subschema_for::<Added>),
            ..add
        },
        Route {
            request: Some(SchemaGenerator::subschema_for::<Deciding>),
            response: Some(SchemaGenerator::subschema_for::<Decided>),
            ..decide
        },
        Route { response: Some(SchemaGenerator::subschema_for::<Open>), ..retract },
        Route { response: Some(SchemaGenerator::subschema_for::<Agreement>), ..agree },
    ]
}

/// Returns the review queue of a server that has one.
fn queue(state: &State) -> Result<&Reviewing, ApiError> {
    state.reviewing.as_ref().ok_or_else(|| {
        let message = "this server has no review queue: it was started without the flag `review` and a folder";
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
    })
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    queue(&call.state)?;
    let query = asked(&call)?;
    let state = Arc::clone(&call.state);
    let page = blocking(move || queue(&state)?.store.list(&query).map_err(|error| refused(error.into()))).await?;
    let policies = call.state.policies.now();
    Ok(json(&Page::of(page, |id| policies.find(id).ok())))
}

/// Reads the query of a list.
fn asked(call: &Call) -> Result<Query, ApiError> {
    let wrong = |param: &str, message: &str| ApiError::invalid("invalid_value", message).of(param);
    let reason = match call.query("reason").as_deref() {
        None | Some("" | "all") => None,
        Some(word) => {
            let words = Reason::ALL.map(Reason::word).join(", ");
            Some(Reason::of(word).ok_or_else(|| wrong("reason", &format!("the reason is one of {words}")))?)
        }
    };
    let state = match call.query("state").as_deref() {
        None | Some("open" | "") => Listed::Open,
        Some("decided") => Listed::Decided,
        Some("all") => Listed::All,
        Some(_) => return Err(wrong("state", "the state is open, decided or all")),
    };
    let [usual, most] = LIMITS;
    let limit = match call.query("limit") {
        None => usual,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| wrong("limit", "the limit is a number from 1 to 1000"))?,
    };
    let policy = call.query("policy").filter(|policy| !policy.is_empty());
    Ok(Query { policy, reason, state, limit })
}

async fn add(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    queue(&call.state)?;
    let asked: Asked = call.json(body).await?;
    let served = call.state.policies.now().find(&asked.policy).map_err(|error| error.of("policy"))?;
    let item = asked.item(&served, call.state.config.options.rule.threshold)?;
    let state = Arc::clone(&call.state);
    let id = item.id.clone();
    let put = |reviewing: &Reviewing, item: &Item, metrics: &Metrics| reviewing.add(item, metrics).map_err(refused);
    blocking(move || put(queue(&state)?, &item, &state.metrics)).await?;
    Ok(created(&Added { id }))
}

async fn decide(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    queue(&call.state)?;
    let deciding: Deciding = call.json(body).await?;
    let item = call.param("item").to_owned();
    let (state, id) = (Arc::clone(&call.state), item.clone());
    let find = move || queue(&state)?.store.policy_of(&id).ok_or_else(|| refused(StoreError::Missing));
    let policy = blocking(find).await?;
    let served = call.state.policies.now().find(&policy).ok();
    deciding.check(served.as_deref())?;
    let reviewer = call.reviewer(deciding.reviewer.clone())?.unwrap_or_else(|| REVIEWER.to_owned());
    let Deciding { verdict, category, note, golden, blind, .. } = deciding;
    let (id, time) = (new_id("decision_"), now());
    let decision = Decision { id, time, item, reviewer, verdict, category, note, golden, blind };
    let (state, put) = (Arc::clone(&call.state), decision.clone());
    let open = blocking(move || queue(&state)?.store.decide(&put).map_err(refused)).await?;
    Ok(created(&Decided { decision, open }))
}

async fn retract(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    queue(&call.state)?;
    let reviewer = call.reviewer(call.query("reviewer"))?;
    let (state, decision) = (Arc::clone(&call.state), call.param("decision").to_owned());
    let retract = move || queue(&state)?.store.retract(&decision, reviewer.as_deref()).map_err(refused);
    Ok(json(&Open { open: blocking(retract).await? }))
}

async fn agreement(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let policy = call.query("policy").filter(|policy| !policy.is_empty());
    let state = Arc::clone(&call.state);
    let agreement = blocking(move || Ok(queue(&state)?.store.agreement(policy.as_deref())));
    Ok(json(&agreement.await?))
}

impl Call {
    /// Returns the name of the reviewer: that of the key, else the given one.
    fn reviewer(&self, given: Option<String>) -> Result<Option<String>, ApiError> {
        if let Some(key) = &self.key {
            return Ok(Some(key.name.clone()));
        }
        let is_name = |name: &String| (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        match given {
            Some(name) if !is_name(&name) => {
                Err(ApiError::invalid("invalid_value", "a name has 1 to 64 characters").of("reviewer"))
            }
            given => Ok(given),
        }
    }
}

/// Returns a response with status 201.
fn created(body: &impl serde::Serialize) -> Response<Body> {
    let mut response = json(body);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// Returns the error of the queue.
fn refused(error: StoreError) -> ApiError {
    let (status, code) = match error {
        StoreError::Full => (StatusCode::INSUFFICIENT_STORAGE, "full"),
        StoreError::Missing => (StatusCode::NOT_FOUND, "not_found"),
        StoreError::Foreign => (StatusCode::FORBIDDEN, "forbidden"),
        StoreError::Disk(error) => {
            let message = format!("the server cannot use its folder of the review queue: {}", error.kind());
            return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", message);
        }
    };
    ApiError::new(status, code, error.to_string())
}
