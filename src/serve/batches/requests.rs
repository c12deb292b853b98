//! The requests of a batch: a line each. Its defect is its own error, and no other line's.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::objects::BatchError;
use crate::serve::api_error::ApiError;

/// Requests of a batch, at most.
pub const MOST_LINES: u64 = 50_000;
/// Bytes of a file, at most.
pub const MOST_BYTES: u64 = 200_000_000;
/// Bytes of a line, at most.
const LONGEST: u64 = 16 << 20;
/// Errors that a batch lists, at most.
const MOST_ERRORS: usize = 100;

/// A request of a batch.
#[derive(Debug)]
pub struct Request {
    /// Its line, from 1.
    pub number: u64,
    /// The client's own id. Null if the line has no id.
    pub id: Value,
    /// The body, or the reason why the request cannot be sent.
    pub body: Result<Bytes, ApiError>,
}

/// The requests in a file. Empty lines are skipped.
#[derive(Debug)]
pub struct Requests<R = BufReader<File>> {
    source: R,
    number: u64,
    endpoint: String,
}

#[derive(Deserialize)]
struct Line<'line> {
    #[serde(default)]
    custom_id: Value,
    #[serde(borrow)]
    method: Option<Cow<'line, str>>,
    #[serde(borrow)]
    url: Option<Cow<'line, str>>,
    #[serde(borrow)]
    body: Option<&'line RawValue>,
}

impl Requests {
    /// Opens the requests in a file, which go to an endpoint.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn open(path: &Path, endpoint: &str) -> io::Result<Self> {
        Ok(Self { source: BufReader::new(File::open(path)?), number: 0, endpoint: endpoint.to_owned() })
    }
}

impl<R: BufRead> Iterator for Requests<R> {
    type Item = io::Result<Request>;

    fn next(&mut self) -> Option<io::Result<Request>> {
        loop {
            let mut line = Vec::new();
            match self.source.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return None,
                Ok(_) => {}
            }
            self.number += 1;
            if !line.ends_with(b"\n") && line.len() as u64 == LONGEST {
                let message = format!("line {} is longer than {LONGEST} bytes", self.number);
                let body = Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
                let request = Request { number: self.number, id: Value::Null, body };
                return Some(self.source.skip_until(b'\n').map(|_| request));
            }
            let line = if self.number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            if !line.trim_ascii().is_empty() {
                return Some(Ok(Request::read(self.number, line, &self.endpoint)));
            }
        }
    }
}

impl Request {
    fn read(number: u64, line: &[u8], endpoint: &str) -> Self {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
            let message = format!("line {number} is no request: a JSON object with custom_id, method, url and body");
            return Self { number, id: Value::Null, body: Err(ApiError::invalid("invalid_json_line", message)) };
        };
        let wrong = |code, message: &str, param: &str| Err(ApiError::invalid(code, message).of(param));
        let body = match &line {
            Line { custom_id, .. } if !custom_id.is_string() => {
                wrong("missing_required_parameter", "the request has no custom_id", "custom_id")
            }
            Line { method, .. } if method.as_deref() != Some("POST") => {
                wrong("invalid_method", "the method of a request is POST", "method")
            }
            Line { url, .. } if url.as_deref() != Some(endpoint) => {
                wrong("invalid_url", "the url of a request is the endpoint of its batch", "url")
            }
            Line { body: Some(body), .. } => Ok(Bytes::copy_from_slice(body.get().as_bytes())),
            Line { body: None, .. } => wrong("missing_required_parameter", "the request has no body", "body"),
        };
        let id = if line.custom_id.is_string() { line.custom_id } else { Value::Null };
        Self { number, id, body }
    }

    /// Returns the model that the request names.
    fn model(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            model: Option<String>,
        }
        serde_json::from_slice::<Named>(self.body.as_ref().ok()?).ok()?.model
    }
}

/// A file of requests that can be judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The number of its requests.
    pub total: u64,
    /// The model that the first one names.
    pub model: Option<String>,
}

/// Reads all requests. The file is broken if no request can be sent, or if two requests have the same id.
///
/// # Errors
///
/// The errors, at most 100.
pub fn count<R: BufRead>(requests: Requests<R>) -> Result<Counted, Vec<BatchError>> {
    let (mut ids, mut twice, mut errors) = (HashSet::new(), Vec::new(), Vec::new());
    let (mut total, mut first) = (0, None);
    for request in requests {
        let Ok(request) = request else {
            return Err(vec![BatchError::new("unreadable", "the file cannot be read to its end")]);
        };
        total += 1;
        if total > MOST_LINES {
            let message = format!("a batch has at most {MOST_LINES} requests");
            return Err(vec![BatchError::new("too_many_lines", message)]);
        }
        let line = Some(request.number);
        if let Some(id) = request.id.as_str()
            && !ids.insert(id.to_owned())
            && twice.len() < MOST_ERRORS
        {
            let error = BatchError::new("duplicate_custom_id", "another request has the same custom_id");
            twice.push(BatchError { param: Some("custom_id".to_owned()), line, ..error });
        }
        match &request.body {
            Ok(_) => drop(first.get_or_insert_with(|| request.model())),
            Err(error) if errors.len() < MOST_ERRORS => {
                let ApiError { code, message, param, .. } = error.clone();
                errors.push(BatchError { param, line, ..BatchError::new(code, message) });
            }
            Err(_) => {}
        }
    }
    match first {
        _ if !twice.is_empty() => Err(twice),
        Some(model) => Ok(Counted { total, model }),
        None if errors.is_empty() => Err(vec![BatchError::new("empty_file", "the file has no request")]),
        None => Err(errors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERATIONS: &str = "/v1/moderations";

    fn requests(lines: &str) -> Requests<&[u8]> {
        Requests { source: lines.as_bytes(), number: 0, endpoint: MODERATIONS.to_owned() }
    }

    fn line(id: &str, url: &str, body: &str) -> String {
        format!("{{\"custom_id\":{id},\"method\":\"POST\",\"url\":\"{url}\",\"body\":{body}}}\n")
    }

    #[test]
    fn requests_are_counted_and_keep_the_numbers_of_their_lines_and_their_bodies() {
        let body = r#"{"model":"spam",  "input":"x"}"#;
        let lines =
            "\u{feff}".to_owned() + &line("\"a\"", MODERATIONS, body) + "\r\n" + &line("\"b\"", MODERATIONS, "{}");
        let counted = count(requests(&lines)).unwrap();
        assert_eq!(counted, Counted { total: 2, model: Some("spam".to_owned()) });
        let read: Vec<_> = requests(&lines).map(Result::unwrap).collect();
        assert_eq!((read[0].number, read[1].number), (1, 3));
        assert_eq!(read[0].body.as_ref().unwrap(), body);
    }

    #[test]
    fn a_request_that_is_not_in_order_is_an_error_of_its_own() {
        let good = line("\"a\"", MODERATIONS, r#"{"input":"x"}"#);
        for (bad, code) in [
            ("{\n".to_owned(), "invalid_json_line"),
            ("[]\n".to_owned(), "invalid_json_line"),
            (line("\"b\"", MODERATIONS, "{broken}"), "invalid_json_line"),
            (line("null", MODERATIONS, "{}"), "missing_required_parameter"),
            (line("\"b\"", "/v1/embeddings", "{}"), "invalid_url"),
            (line("\"b\"", MODERATIONS, "{}").replace("POST", "GET"), "invalid_method"),
            (line("\"b\"", MODERATIONS, "{}").replace("body", "text"), "missing_required_parameter"),
            (line("\"b\"", MODERATIONS, &format!("\"{}\"", "x".repeat(17 << 20))), "too_large"),
        ] {
            let lines = good.clone() + &bad + &line("\"c\"", MODERATIONS, "{}");
            let read: Vec<_> = requests(&lines).map(Result::unwrap).collect();
            assert_eq!(read[1].body.as_ref().unwrap_err().code, code);
            assert_eq!((read.len(), read[2].number, read[2].body.is_ok()), (3, 3, true), "{code}");
            assert_eq!(count(requests(&lines)).unwrap().total, 3);
        }
    }

    #[test]
    fn a_broken_file_gets_the_errors_of_its_lines() {
        let good = line("\"a\"", MODERATIONS, r#"{"input":"x"}"#);
        let twice = count(requests(&(good.clone() + &good))).unwrap_err();
        assert_eq!((twice[0].code.as_str(), twice[0].line, twice.len()), ("duplicate_custom_id", Some(2), 1));
        assert_eq!(count(requests("\n")).unwrap_err()[0].code, "empty_file");
        let many: String = (0..=MOST_LINES).map(|id| line(&format!("\"{id}\""), MODERATIONS, "{}")).collect();
        assert_eq!(count(requests(&many)).unwrap_err()[0].code, "too_many_lines");
        assert_eq!(count(requests(&"{\n".repeat(200))).unwrap_err().len(), MOST_ERRORS);
    }
}
