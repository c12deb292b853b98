//! The requests of a batch: read once to see that they are in order, and again to be judged.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::head;
use super::objects::BatchError;
use crate::digest::Hash;
use crate::label::records::{Defect, InputFormat, Record, RecordFields};
use crate::label::source::{Input, Placed, Source};

/// Requests of a batch, at most.
pub const MOST_LINES: u64 = 50_000;
/// Bytes of a file, at most.
pub const MOST_BYTES: u64 = 200_000_000;
/// Errors that a batch lists, at most.
const MOST_ERRORS: usize = 100;

/// The word of a request whose settings are not those of the batch.
pub const OTHER_SETTINGS: &str = "other-settings";

/// The requests of a batch that are in order.
#[derive(Debug, PartialEq)]
pub struct Requests {
    /// Their number.
    pub total: u64,
    /// The settings of the first one.
    pub head: Map<String, Value>,
}

/// Opens the requests in a file. `name` is the file's id, which rows and messages show.
///
/// # Errors
///
/// When the file cannot be read.
pub fn open(path: PathBuf, name: &str) -> io::Result<Source> {
    let mut input = Input::file(path);
    input.name = name.into();
    Source::new(vec![input], Some(InputFormat::Batch), RecordFields::default()).map_err(io::Error::other)
}

/// Reads all requests, and checks that each one is a request to the endpoint and has an id of its own.
///
/// # Errors
///
/// The errors, at most 100.
pub fn read(source: Source, endpoint: &str) -> Result<Requests, Vec<BatchError>> {
    let (mut ids, mut errors) = (HashSet::new(), Vec::new());
    let (mut total, mut first) = (0, None);
    for placed in source {
        let Ok(Placed { record, .. }) = placed else {
            errors.push(BatchError::new("unreadable", "the file cannot be read to its end"));
            break;
        };
        total += 1;
        if total > MOST_LINES {
            errors.push(BatchError::new("too_many_lines", format!("a batch has at most {MOST_LINES} requests")));
            break;
        }
        match checked(&record, endpoint, &mut ids) {
            Ok(head) => drop(first.get_or_insert(head)),
            Err((code, message, param)) => {
                let (line, param) = (Some(record.number), param.map(str::to_owned));
                errors.push(BatchError { param, line, ..BatchError::new(code, message) });
            }
        }
        if errors.len() >= MOST_ERRORS {
            break;
        }
    }
    match first {
        Some(head) if errors.is_empty() => Ok(Requests { total, head }),
        None if errors.is_empty() => Err(vec![BatchError::new("empty_file", "the file has no request")]),
        _ => Err(errors),
    }
}

/// A code, a message, and the property that is wrong.
type Wrong = (&'static str, &'static str, Option<&'static str>);

/// Returns the settings of a request.
fn checked(record: &Record, endpoint: &str, ids: &mut HashSet<Hash>) -> Result<Map<String, Value>, Wrong> {
    if record.columns.0.is_empty() {
        return Err(("invalid_json_line", "the line is no JSON object", None));
    }
    let Some(id) = &record.id else {
        return Err(("missing_required_parameter", "the request has no custom_id", Some("custom_id")));
    };
    if !ids.insert(Hash::of(id.get().as_bytes())) {
        return Err(("duplicate_custom_id", "another request has the same custom_id", Some("custom_id")));
    }
    if string(record, "method").is_none_or(|method| method != "POST") {
        return Err(("invalid_method", "the method of a request is POST", Some("method")));
    }
    if string(record, "url").is_none_or(|url| url != endpoint) {
        return Err(("invalid_url", "the url of a request is the endpoint of its batch", Some("url")));
    }
    settings(record).ok_or(("invalid_value", "the body of a request is a JSON object", Some("body")))
}

fn string(record: &Record, name: &str) -> Option<String> {
    serde_json::from_str(record.columns.named(name).last()?.get()).ok()
}

fn settings(record: &Record) -> Option<Map<String, Value>> {
    head::of_body(record.columns.named("body").last().map(RawValue::get)?)
}

/// Returns a request with its text taken away if its settings are not those of the batch: it gets an error.
#[must_use]
pub fn alike(mut placed: Placed, head: &Map<String, Value>) -> Placed {
    let own = settings(&placed.record);
    if placed.record.content.is_ok() && own.as_ref() != Some(head) {
        let message = if own.as_ref().and_then(|own| own.get("model")) == head.get("model") {
            "a setting is not that of the batch's first request, which holds for all of them"
        } else {
            "the model is not that of the batch's first request, which holds for all of them"
        };
        let message = format!("line {}: {message}; make a batch of its own", placed.record.number);
        placed.record.content = Err(Defect { code: OTHER_SETTINGS, message, hint: None });
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(lines: &str) -> Source {
        let stream = io::Cursor::new(lines.to_owned().into_bytes());
        Source::of_stream("file-1", stream, InputFormat::Batch, RecordFields::default()).unwrap()
    }

    fn line(id: &str, url: &str, body: &str) -> String {
        format!("{{\"custom_id\":{id},\"method\":\"POST\",\"url\":\"{url}\",\"body\":{body}}}\n")
    }

    const MODERATIONS: &str = "/v1/moderations";

    #[test]
    fn requests_in_order_are_counted_and_the_first_gives_the_settings() {
        let lines = line("\"a\"", MODERATIONS, r#"{"model":"spam","input":"x"}"#)
            + "\n"
            + &line("\"b\"", MODERATIONS, r#"{"model":"hate","input":"x"}"#);
        let requests = read(source(&lines), MODERATIONS).unwrap();
        assert_eq!((requests.total, Value::Object(requests.head.clone())), (2, serde_json::json!({ "model": "spam" })));
        let texts: Vec<_> =
            source(&lines).map(|placed| alike(placed.unwrap(), &requests.head).record.content).collect();
        assert_eq!(texts[0].as_ref().unwrap().text(), "x");
        let other = texts[1].as_ref().unwrap_err();
        assert_eq!((other.code, other.message.starts_with("line 3: the model is not that")), (OTHER_SETTINGS, true));
    }

    #[test]
    fn a_file_that_is_not_in_order_gets_an_error_for_each_line() {
        let good = line("\"a\"", MODERATIONS, r#"{"input":"x"}"#);
        for (bad, code) in [
            ("{\n".to_owned(), "invalid_json_line"),
            ("[]\n".to_owned(), "invalid_json_line"),
            (line("null", MODERATIONS, "{}"), "missing_required_parameter"),
            (good.clone(), "duplicate_custom_id"),
            (line("\"b\"", "/v1/embeddings", "{}"), "invalid_url"),
            (line("\"b\"", MODERATIONS, "7"), "invalid_value"),
            (line("\"b\"", MODERATIONS, "{}").replace("POST", "GET"), "invalid_method"),
        ] {
            let errors = read(source(&(good.clone() + &bad)), MODERATIONS).unwrap_err();
            assert_eq!((errors[0].code.as_str(), errors[0].line, errors.len()), (code, Some(2), 1), "{bad}");
        }
        assert_eq!(read(source("\n"), MODERATIONS).unwrap_err()[0].code, "empty_file");
        let many: String = (0..=MOST_LINES).map(|id| line(&id.to_string(), MODERATIONS, "{}")).collect();
        assert_eq!(read(source(&many), MODERATIONS).unwrap_err()[0].code, "too_many_lines");
        assert_eq!(read(source(&"{\n".repeat(200)), MODERATIONS).unwrap_err().len(), MOST_ERRORS);
    }
}
