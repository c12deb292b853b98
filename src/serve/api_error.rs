//! The error of a request: a status and the error object of OpenAI's API.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

/// The reason why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// A word for programs, such as `invalid_json` or `overloaded`.
    pub code: &'static str,
    /// A sentence for people. It never has a text that was to be judged.
    pub message: String,
    /// The property of the request that is wrong.
    pub param: Option<String>,
    /// Seconds until another try is worth it.
    pub retry_after: Option<u64>,
}

/// The body of a refused request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorBody<'error> {
    /// The error.
    pub error: ErrorObject<'error>,
}

/// An error, with the fields of OpenAI's API.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorObject<'error> {
    /// A sentence for people.
    pub message: &'error str,
    /// The kind of the error, which depends on the status.
    pub r#type: &'static str,
    /// The property of the request that is wrong.
    pub param: Option<&'error str>,
    /// A word for programs.
    pub code: &'static str,
}

impl ApiError {
    /// Returns an error without a parameter.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), param: None, retry_after: None }
    }

    /// Returns an error of a request that is wrong in itself: status 400.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Returns an error of a text that cannot be judged, or has no verdict: status 422.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// Returns an error of a server that cannot take the request now: status 503.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    /// Names the property of the request that is wrong.
    #[must_use]
    pub fn of(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// Returns the kind of the error, as OpenAI's clients know it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// Returns the error object.
    #[must_use]
    pub fn body(&self) -> ErrorBody<'_> {
        let error =
            ErrorObject { message: &self.message, r#type: self.kind(), param: self.param.as_deref(), code: self.code };
        ErrorBody { error }
    }

    /// Returns the response with this body and the error's status and headers.
    #[must_use]
    pub fn response_with(&self, body: impl Into<Body>) -> Response<Body> {
        let mut response = Response::new(body.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::UNPROCESSABLE_ENTITY {
            // OpenAI's clients would send the same text again.
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }

    /// Returns the response as servers in Python often write it: `{"detail": MESSAGE}`.
    #[must_use]
    pub fn detail(&self) -> Response<Body> {
        self.response_with(serde_json::json!({ "detail": self.message }).to_string())
    }

    /// Returns the response.
    #[must_use]
    pub fn response(&self) -> Response<Body> {
        self.response_with(serde_json::to_string(&self.body()).unwrap_or_default())
    }
}
