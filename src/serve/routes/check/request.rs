//! The body of a request to judge texts, and the question that it asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::label::row::{Row, Status};
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedOptions, AskedPolicy, Parts, Turn};
use crate::serve::call::Call;
use crate::serve::judging::{Question, Text};
use crate::serve::state::State;

/// Texts to judge, by one policy or several.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CheckRequest {
    /// One text.
    pub text: Option<String>,
    /// Several texts.
    pub texts: Option<Vec<Item>>,
    /// An id that the row of one text repeats.
    #[serde(default)]
    pub id: Value,
    /// The turns before one text.
    #[serde(default)]
    pub context: Vec<Turn>,
    /// The answer of a model to one text.
    pub answer: Option<String>,
    /// The policies. May be absent if the server has one policy.
    pub policy: Option<AskedPolicy>,
    /// Puts the row of a single policy into `verdicts`, too.
    #[serde(default)]
    pub by_policy: bool,
    /// The settings.
    #[serde(flatten)]
    pub options: AskedOptions,
    /// Other properties, which are refused.
    #[serde(flatten)]
    #[schemars(skip)]
    pub others: BTreeMap<String, Value>,
}

/// One of several texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Item {
    /// A text alone.
    Text(String),
    /// A text with an id, a conversation before it, or an answer to it.
    Parts(Parts),
}

/// A request that was understood.
pub struct Checked {
    /// The question about each text.
    pub question: Arc<Question>,
    /// The texts, each with its id.
    pub texts: Vec<(Value, Text)>,
    /// True if the request has a list of texts.
    pub is_list: bool,
    /// Puts the row of a single policy into `verdicts`, too.
    pub by_policy: bool,
}

impl CheckRequest {
    /// Finds the policies, and checks the settings.
    pub fn understood(self, state: &State) -> Result<Checked, ApiError> {
        if let Some(name) = self.others.keys().next() {
            let is_name = name.len() < 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let error = if is_name {
                ApiError::invalid("unsupported_parameter", format!("there is no property `{name}`")).of(name.clone())
            } else {
                ApiError::invalid("unsupported_parameter", "there is a property that is not known")
            };
            return Err(error);
        }
        let (texts, is_list) = match (self.text, self.texts) {
            (Some(text), None) => {
                let parts = Parts { id: self.id, text, context: self.context, answer: self.answer };
                (vec![(parts.id.clone(), parts.text()?)], false)
            }
            (None, Some(texts)) => {
                if !self.context.is_empty() || self.answer.is_some() {
                    let message = "of several texts, each has a context and an answer of its own";
                    return Err(ApiError::invalid("invalid_value", message).of("texts"));
                }
                let texts = texts.into_iter().map(|item| match item {
                    Item::Text(text) => Ok((Value::Null, Parts { text, ..Parts::default() }.text()?)),
                    Item::Parts(parts) => Ok((parts.id.clone(), parts.text()?)),
                });
                (texts.collect::<Result<_, ApiError>>()?, true)
            }
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid("invalid_value", "give text or texts, not both").of("texts"));
            }
            (None, None) => return Err(ApiError::invalid("missing", "the property `text` is missing").of("text")),
        };
        let policies = match self.policy {
            Some(policy) => policy.find(state)?,
            None => vec![state.only_policy()?],
        };
        let question = Arc::new(self.options.question(state, policies)?);
        Ok(Checked { question, texts, is_list, by_policy: self.by_policy })
    }
}

/// Returns the properties in the address, for a body that has no place for them.
pub fn of_address(call: &Call) -> Map<String, Value> {
    let property = |(name, value): (String, String)| {
        let list = || Value::from(value.split(',').collect::<Vec<_>>());
        let value = match name.as_str() {
            "policy" | "fields" if value.contains(',') || name == "fields" => list(),
            "policy" => Value::from(value),
            // A number or a boolean stays one, and anything else is a string.
            _ => serde_json::from_str(&value)
                .ok()
                .filter(|value: &Value| !value.is_object())
                .unwrap_or_else(|| value.into()),
        };
        (name, value)
    };
    call.queries().into_iter().map(property).collect()
}

/// Puts the id of a text into its rows.
pub fn put_id(id: &Value, rows: &mut [Row]) {
    if !id.is_null() {
        for row in rows {
            row.id = serde_json::value::to_raw_value(id).ok();
        }
    }
}

/// Returns the error of a text that was not judged.
#[must_use]
pub fn error_of(row: &Row) -> ApiError {
    let Some(error) = &row.error else { return ApiError::unprocessable("unresolved", "there is no verdict") };
    let hint = error.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    let message = format!("{}{hint}", error.message);
    match error.code.as_ref() {
        "too-long" => ApiError::unprocessable("too_long", message),
        "fault" | "engine" => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", message),
        _ if row.status == Status::Unresolved => ApiError::unprocessable("unresolved", message),
        _ => ApiError::unprocessable("no_text", message),
    }
}
