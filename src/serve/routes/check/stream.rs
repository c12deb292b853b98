//! A stream of lines of JSON: a request in each, and a line with its row out, in order.
//!
//! The memory does not depend on the length of the stream. A slow reader holds up the stream, and loses nothing.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::request::{CheckRequest, Checked, of_address, put_id};
use crate::label::row::Printed;
use crate::serve::api_error::ApiError;
use crate::serve::call::{Call, from_json, from_value, typed};
use crate::serve::judging::Judging;
use crate::serve::pieces::pieces;

/// The most lines of a stream that wait for their answers.
const MOST_LINES: usize = 4096;

/// The longest silence of a client within a stream.
const SILENCE: Duration = Duration::from_mins(10);

/// Answers a stream.
///
/// # Errors
///
/// Status 503 if no text can be taken now.
pub fn answer(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    call.state.takes_requests()?;
    // The first text of a stream waits for no place, as that of any request. Later ones do.
    drop(call.state.queue.take()?);
    let (out, response) = pieces();
    tokio::spawn(async move {
        let gone = out.clone();
        let stream = Stream {
            call: &call,
            judging: Judging::stream(&call),
            lines: VecDeque::new(),
            number: 0,
            defaults: of_address(&call),
            out,
        };
        tokio::select! {
            _ = stream.judge(body) => {}
            () = gone.closed() => {}
        }
    });
    Ok(typed("application/x-ndjson", response))
}

/// A stream of lines.
struct Stream<'call> {
    call: &'call Call,
    judging: Judging<'call>,
    /// The lines that were taken in and have no answer yet.
    lines: VecDeque<Line>,
    /// The number of lines until now.
    number: u64,
    /// Properties in the address, for lines without them.
    defaults: Map<String, Value>,
    out: Sender<Bytes>,
}

/// The result of reading a line.
enum Line {
    /// A text in flight, and its id.
    Judged { id: Value, number: u64, by_policy: bool },
    /// A line that cannot be judged.
    Refused(Refused),
}

/// The answer to a line that cannot be judged.
#[derive(Serialize)]
struct Refused {
    id: Value,
    line: u64,
    error: Value,
}

/// The end of a stream whose answers nobody reads.
struct Closed;

impl Stream<'_> {
    async fn judge(mut self, mut body: Body) -> Result<(), Closed> {
        let mut input = Vec::new();
        loop {
            let frame = if self.lines.is_empty() {
                timeout(SILENCE, body.frame()).await.ok().flatten()
            } else {
                // Rows go out while the client is silent.
                tokio::select! {
                    biased;
                    frame = body.frame() => frame,
                    sent = self.send() => {
                        sent?;
                        continue;
                    }
                }
            };
            let Some(Ok(frame)) = frame else { break };
            let Ok(data) = frame.into_data() else { continue };
            input.extend_from_slice(&data);
            let mut from = 0;
            while let Some(length) = input[from..].iter().position(|byte| *byte == b'\n') {
                self.take(&input[from..from + length]).await?;
                from += length + 1;
            }
            input.drain(..from);
            if input.len() > self.call.state.limits.max_body {
                input.clear();
                self.number += 1;
                let error = ApiError::invalid("too_large", "the line is too long, and ends the stream");
                self.lines.push_back(Line::Refused(refused(Value::Null, self.number, &error)));
                break;
            }
        }
        if !input.is_empty() {
            self.take(&input).await?;
        }
        while !self.lines.is_empty() {
            self.send().await?;
        }
        Ok(())
    }

    /// Takes a line in.
    async fn take(&mut self, line: &[u8]) -> Result<(), Closed> {
        self.number += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        while self.judging.is_full() || self.lines.len() >= MOST_LINES {
            self.send().await?;
        }
        let (mut id, number) = (Value::Null, self.number);
        let taken = match self.understood(line, &mut id) {
            Err(error) => Line::Refused(refused(id, number, &error)),
            Ok(Checked { question, mut texts, by_policy, .. }) => match (texts.pop(), texts.is_empty()) {
                (Some((id, text)), true) => match self.judging.push(&question, text).await {
                    Ok(()) => Line::Judged { id, number, by_policy },
                    Err(error) => Line::Refused(refused(id, number, &error)),
                },
                _ => {
                    let error = ApiError::invalid("invalid_value", "a line has one text").of("texts");
                    Line::Refused(refused(id, number, &error))
                }
            },
        };
        self.lines.push_back(taken);
        Ok(())
    }

    fn understood(&self, line: &[u8], id: &mut Value) -> Result<Checked, ApiError> {
        let mut request: Map<String, Value> = from_json(line)?;
        if let Some(given) = request.get("id") {
            id.clone_from(given);
        }
        for (name, value) in &self.defaults {
            request.entry(name.clone()).or_insert_with(|| value.clone());
        }
        from_value::<CheckRequest>(request.into())?.understood(&self.call.state)
    }

    /// Writes the answer to the next line. Nothing is lost if the future is dropped before.
    async fn send(&mut self) -> Result<(), Closed> {
        let place = self.out.reserve().await.map_err(|_| Closed)?;
        let mut json = match self.lines.front() {
            None => return Ok(()),
            Some(Line::Refused(refused)) => serde_json::to_vec(refused),
            Some(Line::Judged { id, number, by_policy }) => match self.judging.next().await {
                Ok(rows) => {
                    let mut rows = rows.unwrap_or_default();
                    put_id(id, &mut rows);
                    serde_json::to_vec(&if *by_policy { Printed::by_policy(&rows) } else { Printed::new(&rows) })
                }
                Err(error) => serde_json::to_vec(&refused(id.clone(), *number, &error)),
            },
        }
        .unwrap_or_default();
        self.lines.pop_front();
        json.push(b'\n');
        place.send(json.into());
        Ok(())
    }
}

fn refused(id: Value, line: u64, error: &ApiError) -> Refused {
    let error = serde_json::to_value(error.body().error).unwrap_or_default();
    Refused { id, line, error }
}
