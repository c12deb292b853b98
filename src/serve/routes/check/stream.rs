//! A stream of lines of JSON: a request in each, and a line with its row out, in order.
//!
//! The memory does not depend on the length of the stream. A slow reader holds up the stream, and loses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::request::{CheckRequest, Checked, put_id};
use crate::label::row::Printed;
use crate::serve::api_error::ApiError;
use crate::serve::asked::AskedPolicy;
use crate::serve::call::{Call, from_json, typed};
use crate::serve::judging::Judging;
use crate::serve::pieces::pieces;

/// The longest silence of a client within a stream.
const SILENCE: Duration = Duration::from_mins(10);

/// Answers a stream.
#[must_use]
pub fn answer(call: Call, body: Body) -> Response<Body> {
    let (out, response) = pieces();
    tokio::spawn(async move {
        let gone = out.clone();
        tokio::select! {
            () = judge(&call, body, &out) => {}
            () = gone.closed() => {}
        }
    });
    typed("application/x-ndjson", response)
}

/// The result of reading a line.
enum Line {
    /// A text in flight, and its id.
    Judged(Value, bool),
    /// A line that cannot be judged.
    Refused(ApiError),
}

async fn judge(call: &Call, mut body: Body, out: &Sender<Bytes>) {
    let mut judging = Judging::stream(call);
    let mut lines = VecDeque::new();
    let mut input = Vec::new();
    loop {
        let frame = if lines.is_empty() {
            timeout(SILENCE, body.frame()).await.ok().flatten()
        } else {
            // Rows go out while the client is silent.
            tokio::select! {
                biased;
                frame = body.frame() => frame,
                sent = send(&mut judging, &mut lines, out) => {
                    if !sent { return; }
                    continue;
                }
            }
        };
        let Some(Ok(frame)) = frame else { break };
        let Ok(data) = frame.into_data() else { continue };
        input.extend_from_slice(&data);
        while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = input.drain(..=end).collect();
            if !take(call, &mut judging, &mut lines, &line, out).await {
                return;
            }
        }
        if input.len() > call.state.limits.max_body {
            input.clear();
            lines.push_back(Line::Refused(ApiError::invalid("too_large", "a line is too long, and ends the stream")));
            break;
        }
    }
    if !input.is_empty() && !take(call, &mut judging, &mut lines, &input, out).await {
        return;
    }
    while !lines.is_empty() {
        if !send(&mut judging, &mut lines, out).await {
            return;
        }
    }
}

/// Takes a line in. Returns false if nobody reads the rows.
async fn take(
    call: &Call,
    judging: &mut Judging<'_>,
    lines: &mut VecDeque<Line>,
    line: &[u8],
    out: &Sender<Bytes>,
) -> bool {
    let line = line.trim_ascii();
    if line.is_empty() {
        return true;
    }
    while judging.is_full() || lines.len() > 4096 {
        if !send(judging, lines, out).await {
            return false;
        }
    }
    let taken = match understood(call, line) {
        Err(error) => Line::Refused(error),
        Ok((request, by_policy)) => {
            let mut texts = request.texts;
            match (texts.pop(), texts.is_empty()) {
                (Some((id, text)), true) => match judging.push(&request.question, text).await {
                    Ok(()) => Line::Judged(id, by_policy),
                    Err(error) => Line::Refused(error),
                },
                _ => Line::Refused(ApiError::invalid("invalid_value", "a line has one text").of("texts")),
            }
        }
    };
    lines.push_back(taken);
    true
}

fn understood(call: &Call, line: &[u8]) -> Result<(Checked, bool), ApiError> {
    let mut request: CheckRequest = from_json(line)?;
    if request.policy.is_none()
        && let Some(policy) = call.query("policy")
    {
        let names: Vec<String> = policy.split(',').map(str::to_owned).collect();
        request.policy = Some(AskedPolicy::Names(names));
    }
    if request.options.effort.is_none()
        && let Some(effort) = call.query("effort")
    {
        request.options.effort =
            Some(effort.parse().map_err(|_| ApiError::invalid("invalid_value", "no such effort").of("effort"))?);
    }
    let by_policy = request.by_policy;
    Ok((request.understood(&call.state)?, by_policy))
}

/// Writes the line that is next. Returns false if nobody reads it. Nothing is lost if the future is dropped before.
async fn send(judging: &mut Judging<'_>, lines: &mut VecDeque<Line>, out: &Sender<Bytes>) -> bool {
    let Ok(place) = out.reserve().await else { return false };
    let mut json = match lines.front() {
        None => return true,
        Some(Line::Refused(error)) => serde_json::to_vec(&error.body()),
        Some(Line::Judged(id, by_policy)) => match judging.next().await {
            Ok(rows) => {
                let mut rows = rows.unwrap_or_default();
                put_id(id, &mut rows);
                serde_json::to_vec(&if *by_policy { Printed::by_policy(&rows) } else { Printed::new(&rows) })
            }
            Err(error) => serde_json::to_vec(&error.body()),
        },
    }
    .unwrap_or_default();
    lines.pop_front();
    json.push(b'\n');
    place.send(json.into());
    true
}
