//! `POST /v1/check`: texts and policies in, the rows of `check --json` out.
//!
//! A single text gets its row. Several texts get a list of rows, each with its own status. A stream of lines gets a line
//! for each, in order, as soon as it is known.

mod request;
mod stream;

use axum::body::Body;
use axum::http::{Method, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

use super::{Route, handler};
use crate::label::row::{Printed, Status};
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, from_value, json};
use crate::serve::judging::Text;
pub use request::error_of;
use request::{CheckRequest, Checked, of_address, put_id};

/// The rows of several texts.
#[derive(Serialize, JsonSchema)]
struct Rows<'rows> {
    /// The rows, in the order of the texts.
    rows: Vec<Printed<'rows>>,
}

pub(super) fn routes() -> Vec<Route> {
    let summary = "Judges texts by policies, and returns the rows of the command check";
    vec![Route {
        request: Some(SchemaGenerator::subschema_for::<CheckRequest>),
        response: Some(SchemaGenerator::subschema_for::<Printed<'static>>),
        ..Route::new(Method::POST, "/v1/check", summary, handler!(check))
    }]
}

async fn check(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    match call.media_type().as_deref() {
        Some("application/x-ndjson" | "application/jsonl" | "application/x-jsonlines") => stream::answer(call, body),
        Some("text/plain") => {
            let bytes = call.bytes(body).await?;
            let text =
                std::str::from_utf8(&bytes).map_err(|_| ApiError::unprocessable("no_text", "the text is not UTF-8"))?;
            let mut request = of_address(&call);
            request.insert("text".to_owned(), text.into());
            let request: CheckRequest = from_value(request.into())?;
            answer(&call, request.understood(&call.state)?).await
        }
        _ => {
            let request: CheckRequest = call.json(body).await?;
            answer(&call, request.understood(&call.state)?).await
        }
    }
}

/// Judges the texts of a request, and returns their rows.
async fn answer(call: &Call, checked: Checked) -> Result<Response<Body>, ApiError> {
    let Checked { question, texts, is_list, by_policy } = checked;
    let (ids, texts): (Vec<Value>, Vec<Text>) = texts.into_iter().unzip();
    let mut rows = call.judge(&question, texts).await?;
    for (id, rows) in ids.iter().zip(&mut rows) {
        put_id(id, rows);
    }
    let print = |rows| if by_policy { Printed::by_policy(rows) } else { Printed::new(rows) };
    if is_list {
        return Ok(json(&Rows { rows: rows.iter().map(|rows| print(rows)).collect() }));
    }
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    match rows {
        [row] if row.status == Status::Error => Err(error_of(row)),
        rows => Ok(json(&print(rows))),
    }
}
