//! The routes of hooks: each answers in the form of the system that calls it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde_json::Value;

use super::{Route, check, handler};
use crate::label::row::Row;
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedOptions, AskedPolicy};
use crate::serve::call::{Call, typed};
use crate::serve::criteria;
use crate::serve::hooks::Hooks;
use crate::serve::hooks::hook::Hook;
use crate::serve::hooks::outcome::{ErrorValues, Finding, Outcome, Values, by_policy, by_text, outcome};
use crate::serve::hooks::request::{Around, Asked};
use crate::serve::policies::Served;

/// Returns the routes of a server's hooks.
pub(super) fn routes(hooks: &Hooks) -> Vec<Route> {
    hooks.iter().map(|hook| Route::new(Method::POST, hook.route, hook.summary, handler!(answer))).collect()
}

impl Around for Call {
    fn header(&self, name: &str) -> Option<&str> {
        Self::header(self, name)
    }

    fn place(&self, name: &str) -> &str {
        self.param(name)
    }

    fn query(&self, name: &str) -> Option<String> {
        Self::query(self, name)
    }
}

async fn answer(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let hook = call.state.hooks.find(call.route).ok_or_else(|| fault("this route has no hook"))?;
    match judged(&call, hook, body).await {
        Ok((outcome, values, error)) => reply(hook, outcome, &values, error.as_ref()),
        Err(error) => {
            let values = Values { error: Some(ErrorValues::from(&error)), ..values(&call, hook, &[], &[]) };
            reply(hook, Outcome::Error, &values, Some(&error))
        }
    }
}

/// Judges the texts of a request.
async fn judged(call: &Call, hook: &Hook, body: Body) -> Result<(Outcome, Values, Option<ApiError>), ApiError> {
    if !call.params.last().map_or("", |(_, value)| value.as_str()).ends_with(&hook.suffix) {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "no route has this path"));
    }
    let body: Value = call.json(body).await?;
    let Asked { texts, policies, threshold, effort, flags } = hook.read(&body, call)?;
    drop(body);
    let policies = policies_of(call, hook, policies)?;
    let options = criteria::options(&call.state, effort.as_deref())?;
    let options = AskedOptions { threshold, ..options };
    let (lengths, texts): (Vec<usize>, Vec<_>) = texts.into_iter().unzip();
    let rows = if texts.is_empty() {
        call.state.takes_requests()?;
        Vec::new()
    } else {
        call.judge(&Arc::new(options.question(&call.state, policies)?), texts).await?
    };
    let (outcome, row) = outcome(&rows, hook.answers);
    let error = row.filter(|_| matches!(outcome, Outcome::Unresolved | Outcome::Error)).map(check::error_of);
    let finding = row.map(Finding::of).unwrap_or_default();
    let error_values = error.as_ref().map(ErrorValues::from);
    let values = Values { finding, flags, error: error_values, ..values(call, hook, &rows, &lengths) };
    Ok((outcome, values, error))
}

/// Returns the policies that a request names. Without a name, those that the hook then takes.
fn policies_of(call: &Call, hook: &Hook, names: Vec<String>) -> Result<Vec<Arc<Served>>, ApiError> {
    match names {
        names if !names.is_empty() => AskedPolicy::Names(names).find(&call.state),
        _ if hook.all_policies => Ok(call.state.policies.now().iter().cloned().collect()),
        _ => Ok(vec![call.state.only_policy()?]),
    }
}

/// Returns the values of a reply that do not depend on the outcome.
fn values(call: &Call, hook: &Hook, rows: &[Vec<Row>], lengths: &[usize]) -> Values {
    Values {
        request: call.id.clone(),
        model: call.state.model().ok().map(|model| model.name.clone()),
        created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        finding: Finding::default(),
        policies: by_policy(rows),
        results: by_text(rows, lengths),
        flags: hook.flags.keys().map(|name| (name.clone(), false)).collect(),
        error: None,
    }
}

/// Writes the reply for an outcome. An error keeps its headers, such as the time to wait.
fn reply(hook: &Hook, outcome: Outcome, values: &Values, error: Option<&ApiError>) -> Result<Response<Body>, ApiError> {
    let (status, body) = hook.replies.reply(outcome, values).map_err(fault)?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match error {
        Some(error) => Ok(ApiError { status, ..error.clone() }.response_with(body)),
        None => {
            let mut response = typed("application/json", body);
            *response.status_mut() = status;
            Ok(response)
        }
    }
}

fn fault(message: impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", format!("the reply of the hook {message}"))
}
