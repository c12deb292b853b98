//! The body of a chat request, and the properties of it that are not used.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::form::Form;
use super::messages::Message;
use crate::policy::{Effort, Verdict};
use crate::serve::api_error::ApiError;
use crate::serve::asked::{AskedPolicy, Decode};

/// A chat to judge.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ChatRequest {
    /// A policy, with a form of reply behind a plus sign if wanted: `spam+score`. Or the model, and then the policy is
    /// in the system message.
    pub model: String,
    /// The policy's text, and the text to judge.
    pub messages: Vec<Message>,
    /// Sends the reply in events.
    pub stream: Option<bool>,
    /// The form of the events.
    pub stream_options: Option<StreamOptions>,
    /// The form of the reply in JSON. A schema is answered from the verdict.
    pub response_format: Option<ResponseFormat>,
    /// Adds the logarithm of the answer's probability.
    pub logprobs: Option<bool>,
    /// The number of possible answers beside it, up to 20.
    pub top_logprobs: Option<u64>,
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.
    pub reasoning_effort: Option<String>,
    /// The effort in another place.
    pub reasoning: Option<InEffort>,
    /// The effort as vLLM's clients send it.
    pub chat_template_kwargs: Option<InTemplate>,
    /// The most tokens of reasoning.
    pub thinking_token_budget: Option<usize>,
    /// The most tokens of reasoning and rationale. Up to 8 there is neither.
    pub max_tokens: Option<usize>,
    /// A newer name of `max_tokens`.
    pub max_completion_tokens: Option<usize>,
    /// Returns the model's raw reasoning. For developers: it may be wrong, or as harmful as the text.
    pub include_reasoning: Option<bool>,
    /// `parsed` returns the raw reasoning, `hidden` does not.
    pub reasoning_format: Option<String>,
    /// The temperature of reasoning and rationale. It is used with a seed alone.
    pub temperature: Option<f32>,
    /// The seed of a temperature.
    pub seed: Option<i64>,
    /// The number of replies, which is 1.
    pub n: Option<u64>,
    /// `required` is refused, because no tool is called.
    pub tool_choice: Option<Value>,
    /// Settings that OpenAI does not have.
    pub magistrate: Option<Settings>,
    /// Other properties, which are not used.
    #[serde(flatten)]
    #[schemars(skip)]
    pub others: BTreeMap<String, Value>,
}

/// The form of events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct StreamOptions {
    /// Sends an event with the tokens used before the last one.
    pub include_usage: Option<bool>,
}

/// An effort within an object.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct InEffort {
    /// The effort.
    pub effort: Option<String>,
}

/// An effort within the arguments of a template.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct InTemplate {
    reasoning_effort: Option<String>,
}

/// The form of a reply in JSON.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    pub r#type: String,
    /// The schema, and its name.
    pub json_schema: Option<NamedSchema>,
}

/// A schema with a name.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NamedSchema {
    /// The schema.
    pub schema: Option<Value>,
}

/// Settings that OpenAI does not have.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The policy, in place of the one in `model`.
    pub policy: Option<AskedPolicy>,
    /// The verdict that each answer of a policy in the system message means.
    pub labels: Option<BTreeMap<String, Verdict>>,
    /// The form of the reply.
    pub form: Option<Form>,
    /// The lowest probability that counts as a violation.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// The lowest probability of all allowed answers together.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_mass: Option<f64>,
    /// The fields of the row that are returned. All if absent.
    pub fields: Option<Vec<String>>,
    /// False leaves out the certificate that the server was started with.
    pub certificate: Option<bool>,
    /// `phased` scores the answers; `free` lets the model write everything, for comparison.
    pub decode: Option<Decode>,
}

/// The form in which JSON is asked for.
#[derive(Debug, PartialEq)]
pub enum AskedJson {
    /// Some object.
    Object,
    /// An object of this schema.
    Schema(Value),
}

/// Up to this many tokens there is room for an answer alone.
const ANSWER_ALONE: usize = 8;

/// The most possible answers beside the given one, as in OpenAI's API.
const MOST_TOP: u64 = 20;

/// Returns the effort that a word of OpenAI's API means.
///
/// # Errors
///
/// Status 400 for an unknown word.
pub fn effort_named(word: &str) -> Result<Effort, ApiError> {
    match word {
        "none" => Ok(Effort::None),
        "minimal" | "low" => Ok(Effort::Low),
        "medium" => Ok(Effort::Medium),
        "high" | "xhigh" | "max" => Ok(Effort::High),
        _ => {
            let message = "the effort must be none, minimal, low, medium, high, xhigh or max";
            Err(ApiError::invalid("invalid_value", message).of("reasoning_effort"))
        }
    }
}

impl ChatRequest {
    /// Refuses a property that cannot be obeyed and would change the reply.
    ///
    /// # Errors
    ///
    /// Status 400, with the property's name.
    pub fn check(&self) -> Result<(), ApiError> {
        let refused = |param: &str, message: &str| Err(ApiError::invalid("unsupported_parameter", message).of(param));
        if self.n.is_some_and(|count| count != 1) {
            return refused("n", "there is one reply: leave out n");
        }
        if self.top_logprobs.is_some_and(|count| count > MOST_TOP) {
            return refused("top_logprobs", "at most 20 possible answers are returned");
        }
        let may_answer = |choice: &Value| choice.is_null() || choice == "auto" || choice == "none";
        if self.tool_choice.as_ref().is_some_and(|choice| !may_answer(choice)) {
            return refused("tool_choice", "no tool is called: leave out tool_choice, or ask for a response_format");
        }
        if !matches!(self.reasoning_format.as_deref(), None | Some("parsed" | "hidden" | "none")) {
            return refused("reasoning_format", "reasoning is parsed or hidden");
        }
        Ok(())
    }

    /// Returns the form in which JSON is asked for. `None` for a text.
    ///
    /// # Errors
    ///
    /// Status 400 for another form, and for a missing schema.
    pub fn json(&self) -> Result<Option<AskedJson>, ApiError> {
        let Some(format) = &self.response_format else { return Ok(None) };
        match format.r#type.as_str() {
            "text" => Ok(None),
            "json_object" => Ok(Some(AskedJson::Object)),
            "json_schema" => match format.json_schema.as_ref().and_then(|named| named.schema.clone()) {
                Some(schema) => Ok(Some(AskedJson::Schema(schema))),
                None => Err(ApiError::invalid("missing", "the schema is missing").of("response_format.json_schema")),
            },
            _ => {
                let message = "the type is text, json_object or json_schema";
                Err(ApiError::invalid("unsupported_parameter", message).of("response_format.type"))
            }
        }
    }

    /// Returns the asked effort.
    ///
    /// # Errors
    ///
    /// Status 400 for an unknown word.
    pub fn effort(&self) -> Result<Option<Effort>, ApiError> {
        if self.is_answer_alone() {
            return Ok(Some(Effort::None));
        }
        let of_object = self.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_ref());
        let of_template = || self.chat_template_kwargs.as_ref().and_then(|kwargs| kwargs.reasoning_effort.as_ref());
        let Some(word) = self.reasoning_effort.as_ref().or(of_object).or_else(of_template) else { return Ok(None) };
        effort_named(word).map(Some)
    }

    /// Reports whether there is room for an answer alone, without reasoning and rationale.
    #[must_use]
    pub fn is_answer_alone(&self) -> bool {
        self.most_tokens().is_some_and(|most| most <= ANSWER_ALONE)
    }

    /// Returns the most tokens of reasoning and rationale.
    #[must_use]
    pub fn most_tokens(&self) -> Option<usize> {
        [self.max_tokens, self.max_completion_tokens].into_iter().flatten().min()
    }

    /// Reports whether the raw reasoning is asked for.
    #[must_use]
    pub fn wants_reasoning(&self) -> bool {
        self.include_reasoning == Some(true) || self.reasoning_format.as_deref() == Some("parsed")
    }

    /// Returns the temperature, if it is used: with a seed the text can be written again.
    #[must_use]
    pub fn used_temperature(&self) -> Option<f32> {
        self.temperature.filter(|_| self.seed.is_some())
    }

    /// Returns the names of properties that are not used. A name that could be a text is left out.
    #[must_use]
    pub fn ignored(&self) -> Vec<&str> {
        let is_name =
            |name: &&str| name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let others = self.others.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str());
        let is_unused =
            self.temperature.is_some_and(|temperature| temperature > 0.0) && self.used_temperature().is_none();
        is_unused.then_some("temperature").into_iter().chain(others.filter(is_name)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values of `json!` are written in place")]

    use serde_json::json;

    use super::*;

    fn request(more: Value) -> ChatRequest {
        let mut body = json!({ "model": "spam", "messages": [{ "role": "user", "content": "Hello" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn the_effort_is_found_in_each_place_and_a_short_reply_has_none() {
        let effort = |more: Value| request(more).effort().unwrap();
        assert_eq!(effort(json!({})), None);
        for (word, expected) in [
            ("none", Effort::None),
            ("minimal", Effort::Low),
            ("medium", Effort::Medium),
            ("xhigh", Effort::High),
            ("max", Effort::High),
        ] {
            assert_eq!(effort(json!({ "reasoning_effort": word })), Some(expected));
            assert_eq!(effort(json!({ "reasoning": { "effort": word } })), Some(expected));
            assert_eq!(effort(json!({ "chat_template_kwargs": { "reasoning_effort": word } })), Some(expected));
        }
        assert_eq!(effort(json!({ "reasoning_effort": "high", "max_tokens": 1 })), Some(Effort::None));
        assert_eq!(effort(json!({ "reasoning_effort": "high", "max_completion_tokens": 9 })), Some(Effort::High));
        assert_eq!(request(json!({ "reasoning_effort": "hi" })).effort().unwrap_err().code, "invalid_value");
    }

    #[test]
    fn what_would_change_the_reply_and_cannot_be_done_is_refused() {
        for (more, param) in [
            (json!({ "n": 2 }), "n"),
            (json!({ "top_logprobs": 21 }), "top_logprobs"),
            (json!({ "tool_choice": "required" }), "tool_choice"),
            (json!({ "tool_choice": { "type": "function" } }), "tool_choice"),
            (json!({ "reasoning_format": "raw" }), "reasoning_format"),
        ] {
            assert_eq!(request(more).check().unwrap_err().param.as_deref(), Some(param));
        }
        assert!(request(json!({ "n": 1, "tools": [], "tool_choice": "auto" })).check().is_ok());
    }

    #[test]
    fn the_names_of_unused_properties_are_told_but_never_a_text() {
        let ignored = |more: Value| request(more).ignored().join(",");
        assert_eq!(ignored(json!({ "temperature": 0.7, "top_p": 1, "stop": null })), "temperature,top_p");
        assert_eq!(ignored(json!({ "temperature": 0.7, "seed": 1 })), "");
        assert_eq!(ignored(json!({ "temperature": 0, "See you on Thursday": 1 })), "");
    }

    #[test]
    fn a_schema_must_be_there_if_one_is_asked_for() {
        let json = |format: Value| request(json!({ "response_format": format })).json();
        assert_eq!(json(json!({ "type": "text" })), Ok(None));
        assert_eq!(json(json!({ "type": "json_object" })), Ok(Some(AskedJson::Object)));
        let schema = json!({ "type": "object" });
        let named = json!({ "type": "json_schema", "json_schema": { "name": "a", "strict": true, "schema": schema } });
        assert_eq!(json(named), Ok(Some(AskedJson::Schema(schema))));
        assert_eq!(json(json!({ "type": "json_schema" })).unwrap_err().code, "missing");
        assert_eq!(json(json!({ "type": "grammar" })).unwrap_err().code, "unsupported_parameter");
    }
}
