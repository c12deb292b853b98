//! `/v1/runs`: files that are labeled in the server: upload, plan, start, progress, rows, outputs and the report.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::stored::{blocking, received, sent};
use super::{Route, handler};
use crate::label::row::RowVerdict;
use crate::label::run::GRACE;
use crate::policy::Effort;
use crate::serve::api_error::ApiError;
use crate::serve::asked::AskedPolicy;
use crate::serve::call::{Call, json as reply, typed};
use crate::serve::runs::plan::Plan;
use crate::serve::runs::record::Order;
use crate::serve::runs::rows::{Choice, RowPage};
use crate::serve::runs::shown::{Run, RunList, RunNow};
use crate::serve::runs::work::{runs, start as begin};
use crate::serve::runs::{NewFile, Runs, too_large};
use crate::serve::state::State;

/// The policies of a run, and its settings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedRun {
    /// The names of the policies.
    policy: Vec<String>,
    /// The column with the text. Absent for plain lines.
    text_column: Option<String>,
    /// How much the model reasons before it answers.
    effort: Option<Effort>,
    /// The lowest probability that counts as a violation.
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: Option<f64>,
}

pub(super) fn routes() -> Vec<Route> {
    type Describe = fn(&mut SchemaGenerator) -> Schema;
    let run = Some(SchemaGenerator::subschema_for::<Run> as Describe);
    let asked = Some(SchemaGenerator::subschema_for::<AskedRun> as Describe);
    let route = Route::new;
    let upload = route(Method::POST, "/v1/runs", "Uploads a file to label; ?name= is its name", handler!(upload));
    let list = route(Method::GET, "/v1/runs", "Lists the runs", handler!(list));
    let one = route(Method::GET, "/v1/runs/{run}", "Returns a run with its progress", handler!(one));
    let plan = route(Method::POST, "/v1/runs/{run}/plan", "Estimates the time of a run", handler!(plan));
    let start = route(Method::POST, "/v1/runs/{run}/start", "Starts a run, or lets it go on", handler!(start));
    let stop = route(Method::POST, "/v1/runs/{run}/stop", "Stops a run, which can go on later", handler!(stop));
    let remove = route(Method::DELETE, "/v1/runs/{run}", "Removes a run with its file and its rows", handler!(remove));
    let rows = route(Method::GET, "/v1/runs/{run}/rows", "Returns a part of the rows", handler!(rows));
    let output = route(Method::GET, "/v1/runs/{run}/output", "Returns the labeled file; ?format=", handler!(output));
    let report = route(Method::GET, "/v1/runs/{run}/report", "Returns the report as a page", handler!(report));
    vec![
        Route { response: run, ..upload },
        Route { response: Some(SchemaGenerator::subschema_for::<RunList>), ..list },
        Route { response: run, ..one },
        Route { request: asked, response: Some(SchemaGenerator::subschema_for::<Plan>), ..plan },
        Route { request: asked, response: run, ..start },
        Route { response: run, ..stop },
        remove,
        Route { response: Some(SchemaGenerator::subschema_for::<RowPage>), ..rows },
        output,
        report,
    ]
}

/// Runs a function of the runs that waits for the disk.
async fn on_disk<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&Runs, &str) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let (state, id) = (Arc::clone(&call.state), call.param("run").to_owned());
    blocking(move || work(runs(&state)?, &id)).await
}

fn shown(now: RunNow) -> Response<Body> {
    reply(&Run::from(now))
}

async fn upload(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    runs(&call.state)?;
    let most = call.state.limits.max_upload;
    let length = call.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let name = call.query("name").unwrap_or_default();
    let state = Arc::clone(&call.state);
    let new = blocking(move || Ok(Arriving { new: Some(runs(&state)?.begin(&name)?), state })).await?;
    let mut arrived = received(&call, body, new, Arriving::take).await?;
    let added = blocking(move || {
        let new = arrived.new.take().ok_or_else(broken)?;
        runs(&arrived.state)?.add(new)
    });
    let mut response = shown(added.await?);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// A file that arrives. Without its end it is removed.
struct Arriving {
    new: Option<NewFile>,
    state: Arc<State>,
}

impl Arriving {
    fn take(mut self, piece: &[u8]) -> Result<Self, ApiError> {
        let most = self.state.limits.max_upload;
        self.new.as_mut().ok_or_else(broken)?.take(piece, most)?;
        Ok(self)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let (Some(new), Ok(runs)) = (self.new.take(), runs(&self.state)) {
            runs.give_up(new);
        }
    }
}

fn broken() -> ApiError {
    ApiError::invalid("incomplete", "the body broke off")
}

async fn list(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(reply(&RunList { runs: runs(&call.state)?.all().into_iter().map(Run::from).collect() }))
}

async fn one(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(shown(runs(&call.state)?.get(call.param("run"))?))
}

/// Reads the order of a request.
async fn order(call: &Call, body: Body) -> Result<Order, ApiError> {
    let AskedRun { policy, text_column, effort, threshold } = call.json(body).await?;
    let served = AskedPolicy::Names(policy).find(&call.state)?;
    let model = call.state.model()?;
    if let Some(unknown) = served.iter().find(|served| !model.can_judge(&served.policy)) {
        let message = format!("the model of this server was not trained for the policy `{}`", unknown.policy.id);
        return Err(ApiError::invalid("invalid_value", message).of("policy"));
    }
    let policies = served.into_iter().map(|served| served.policy.clone()).collect();
    Ok(Order { policies, text_column, effort, threshold })
}

async fn plan(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    let run = runs(&call.state)?.get(call.param("run"))?;
    let order = order(&call, body).await?;
    let others = runs(&call.state)?.all();
    let rows = run.record.file.rows;
    Ok(reply(&Plan::of(rows, &order, &others, call.state.queue.per_second())))
}

async fn start(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    runs(&call.state)?.get(call.param("run"))?;
    let order = order(&call, body).await?;
    let (state, id) = (Arc::clone(&call.state), call.param("run").to_owned());
    Ok(shown(blocking(move || begin(&state, &id, order)).await?))
}

async fn stop(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    /// The time between two looks at a run that is ending.
    const LOOK: Duration = Duration::from_millis(20);
    let (runs, id) = (runs(&call.state)?, call.param("run"));
    let ends = Instant::now() + GRACE + Duration::from_secs(1);
    loop {
        let now = runs.get(id)?;
        match &now.live {
            Some(live) if Instant::now() < ends => live.stop(),
            _ => return Ok(shown(now)),
        }
        sleep(LOOK).await;
    }
}

async fn remove(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    on_disk(&call, Runs::remove).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn rows(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let choice = choice(&call)?;
    Ok(reply(&on_disk(&call, move |runs, id| runs.rows(id, &choice)).await?))
}

/// Reads the choice of rows in the address.
fn choice(call: &Call) -> Result<Choice, ApiError> {
    const MOST: usize = 1000;
    let wrong = |name: &str, what: &str| ApiError::invalid("invalid_value", what).of(name);
    let number = |name: &str, usual: usize, most: usize| match call.query(name) {
        None => Ok(usual),
        Some(number) => {
            let number = number.parse().ok().filter(|number| *number <= most);
            number.ok_or_else(|| wrong(name, &format!("the number is from 0 to {most}")))
        }
    };
    let share = |name: &str, usual: f32| match call.query(name) {
        None => Ok(usual),
        Some(share) => {
            let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| wrong(name, "the number is from 0 to 1"))
        }
    };
    let verdict = match call.query("verdict").as_deref() {
        None | Some("all") => None,
        Some("violation") => Some(RowVerdict::Violation),
        Some("safe") => Some(RowVerdict::Safe),
        Some("review") => Some(RowVerdict::Review),
        Some("undecided") => Some(RowVerdict::Undecided),
        Some(_) => return Err(wrong("verdict", "the verdicts are violation, review, safe, undecided and all")),
    };
    let by_probability = match call.query("sort").as_deref() {
        None | Some("row") => false,
        Some("probability") => true,
        Some(_) => return Err(wrong("sort", "rows are sorted by row or probability")),
    };
    Ok(Choice {
        verdict,
        range: [share("min", 0.0)?, share("max", 1.0)?],
        by_probability,
        part: [number("offset", 0, usize::MAX)?, number("limit", 100, MOST)?],
    })
}

async fn output(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    let format = call.query("format").unwrap_or_else(|| "csv".to_owned());
    let made = on_disk(&call, move |runs, id| runs.output(id, &format)).await?;
    let length = made.file.metadata().map_or(0, |about| about.len());
    let mut response = sent(made.file, made.kind);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    if let Ok(name) = HeaderValue::from_str(&made.disposition) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

async fn report(call: Call, _: Body) -> Result<Response<Body>, ApiError> {
    Ok(typed("text/html; charset=utf-8", on_disk(&call, Runs::report).await?))
}
