//! A completion in server-sent events, and the comments that keep a connection open meanwhile.
//!
//! Nothing is sent before the verdict is known, so an error has its own status. After a long time the response begins
//! without it, because proxies cut silent connections. From then on an error is an event.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::completion::Made;
use crate::serve::api_error::ApiError;
use crate::serve::call::typed;
use crate::serve::pieces::pieces;

/// The longest silence.
const SILENCE: Duration = Duration::from_secs(15);

/// A comment, which clients skip.
const WAITING: &[u8] = b": waiting\n\n";

/// The completion, once its text is judged.
type Judged = Pin<Box<dyn Future<Output = Result<Made, ApiError>> + Send>>;

/// Answers in events.
///
/// # Errors
///
/// The error of a text that is judged within the longest silence.
pub async fn answer(mut judged: Judged, wants_usage: bool) -> Result<Response<Body>, ApiError> {
    match timeout(SILENCE, &mut judged).await {
        Ok(made) => Ok(response(Bytes::from(events(&made?, wants_usage)).into())),
        Err(_) => {
            let (out, body) = pieces();
            tokio::spawn(async move {
                let gone = out.clone();
                tokio::select! {
                    () = feed(judged, wants_usage, SILENCE, &out) => {}
                    () = gone.closed() => {}
                }
            });
            Ok(response(body))
        }
    }
}

/// Sends comments until the completion is there, and then its events.
async fn feed(mut judged: Judged, wants_usage: bool, silence: Duration, out: &Sender<Bytes>) {
    loop {
        if out.send(Bytes::from_static(WAITING)).await.is_err() {
            return;
        }
        let Ok(made) = timeout(silence, &mut judged).await else { continue };
        let last = match made {
            Ok(made) => events(&made, wants_usage),
            Err(error) => event(&serde_json::to_value(error.body()).unwrap_or_default()),
        };
        // A client that is gone needs no event.
        let _ = out.send(last.into()).await;
        return;
    }
}

fn response(body: Body) -> Response<Body> {
    let mut response = typed("text/event-stream", body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Some proxies hold an answer back without it.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Writes an event.
fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// Returns the events of a completion: the role, the reasoning if there is any, the answer, the end, and the tokens if
/// they are asked for.
fn events(made: &Made, wants_usage: bool) -> String {
    let chunk = |choices: Value| {
        let mut chunk = json!({
            "id": made.id,
            "object": "chat.completion.chunk",
            "created": made.created,
            "model": made.model,
            "system_fingerprint": made.fingerprint,
            "choices": choices,
        });
        if wants_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let delta = |delta: Value, logprobs: Value, end: Option<&str>| {
        chunk(json!([{ "index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": end }]))
    };
    let mut all = vec![delta(json!({ "role": "assistant", "content": "" }), Value::Null, None)];
    if let Some(reasoning) = &made.row.reasoning {
        all.push(delta(json!({ "reasoning": reasoning, "reasoning_content": reasoning }), Value::Null, None));
    }
    let logprobs = serde_json::to_value(made.logprobs()).unwrap_or_default();
    all.push(delta(json!({ "content": made.shown.content }), logprobs, None));
    let mut end = delta(json!({}), Value::Null, Some("stop"));
    end["magistrate"] = serde_json::to_value(made.printed()).unwrap_or_default();
    all.push(end);
    if wants_usage {
        let mut usage = chunk(json!([]));
        usage["usage"] = serde_json::to_value(made.used()).unwrap_or_default();
        all.push(usage);
    }
    all.iter().map(event).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::form::Form;
    use super::super::tests::{made, row};
    use super::*;

    fn read(events: &str) -> Vec<Value> {
        let data = events.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    #[test]
    fn the_events_are_the_role_the_answer_the_end_and_the_tokens_if_asked_for() {
        let made = made(Form::Binary, row("violation", 0.75, 0.0), Some(1));
        let plain = events(&made, false);
        assert!(plain.ends_with("data: [DONE]\n\n"));
        let chunks = read(&plain);
        let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
        assert_eq!(deltas, [&json!({ "role": "assistant", "content": "" }), &json!({ "content": "1" }), &json!({})]);
        assert_eq!(chunks[1]["choices"][0]["logprobs"]["content"][0]["token"], "1");
        assert_eq!(
            (&chunks[2]["choices"][0]["finish_reason"], &chunks[2]["magistrate"]["verdict"]),
            (&json!("stop"), &json!("violation"))
        );
        let with_usage = read(&events(&made, true));
        assert_eq!((&with_usage[0]["usage"], with_usage.len()), (&Value::Null, 4));
        assert_eq!((&with_usage[3]["choices"], with_usage[3]["usage"].is_object()), (&json!([]), true));
    }

    #[test]
    fn reasoning_has_an_event_of_its_own() {
        let mut row = row("violation", 0.75, 0.0);
        row.reasoning = Some("It promises a prize.".to_owned());
        let chunks = read(&events(&made(Form::Binary, row, None), false));
        assert_eq!(chunks[1]["choices"][0]["delta"]["reasoning_content"], "It promises a prize.");
    }

    async fn fed(judged: Judged) -> String {
        let (out, mut received) = tokio::sync::mpsc::channel(100);
        feed(judged, false, Duration::from_millis(20), &out).await;
        drop(out);
        let mut all = Vec::new();
        while let Some(piece) = received.recv().await {
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_long_wait_has_comments_and_its_error_is_an_event() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = runtime.block_on(fed(Box::pin(async {
            tokio::time::sleep(Duration::from_millis(70)).await;
            Err(ApiError::unprocessable("unresolved", "there is no verdict"))
        })));
        assert!(text.matches(": waiting\n\n").count() >= 2, "{text}");
        let last = read(&text.replace(": waiting\n\n", ""));
        assert_eq!(last[0]["error"]["code"], "unresolved");
    }
}
