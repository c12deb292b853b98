//! The body of a request for decisions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::policy::Effort;
use crate::serve::api_error::ApiError;
use crate::serve::chat::{InEffort, Message, Words, conversation, effort_named};
use crate::serve::judging::Text;
use crate::serve::parts;

/// Questions about a text.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DecisionsRequest {
    /// The model. Every name means the server's own.
    #[allow(dead_code, reason = "only its schema is used")]
    model: Option<String>,
    /// The text.
    pub input: Input,
    /// The questions, 1 to 400.
    pub questions: Vec<AskedQuestion>,
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`. Without it, the effort of the server, or none.
    pub reasoning_effort: Option<String>,
    /// The effort within an object.
    pub reasoning: Option<InEffort>,
}

/// A text to decide about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Input {
    /// A text.
    Text(String),
    /// A conversation.
    Items(Vec<Item>),
}

/// An item of a conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Item {
    /// A message.
    Message(Message),
    /// A call of a tool or its output, which is refused.
    Other {
        /// The type.
        r#type: String,
    },
}

/// A question.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AskedQuestion {
    /// `predicate`, `choice` or `score`.
    pub r#type: String,
    /// A name that the answer repeats. A predicate with the name of a policy is answered by this policy.
    pub name: Option<String>,
    /// The question, or `policy:` and the name of a policy.
    pub instructions: Words,
    /// The values of a choice, 2 to 255.
    pub choices: Option<Vec<AskedChoice>>,
    /// The levels of a score, the lowest first, 2 to 10.
    pub levels: Option<Vec<Level>>,
}

/// A value of a choice.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AskedChoice {
    /// The value.
    pub value: ChoiceValue,
    /// The description.
    pub description: Option<String>,
}

/// A value: a string or a boolean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ChoiceValue {
    /// A boolean.
    Boolean(bool),
    /// A string.
    Text(String),
}

/// A level of a score.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Level {
    /// Its name.
    pub label: String,
    /// The description.
    pub description: Option<String>,
}

/// The most questions, as in OpenAI's API.
const MOST_QUESTIONS: usize = 400;

impl DecisionsRequest {
    /// Checks the number of questions.
    ///
    /// # Errors
    ///
    /// Status 400 for none, and for too many.
    pub fn check(&self) -> Result<(), ApiError> {
        if (1..=MOST_QUESTIONS).contains(&self.questions.len()) {
            return Ok(());
        }
        let message = format!("a request has 1 to {MOST_QUESTIONS} questions");
        Err(ApiError::invalid("invalid_value", message).of("questions"))
    }

    /// Returns the asked effort.
    ///
    /// # Errors
    ///
    /// Status 400 for an unknown word.
    pub fn effort(&self) -> Result<Option<Effort>, ApiError> {
        let in_object = self.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_ref());
        self.reasoning_effort.as_ref().or(in_object).map(|word| effort_named(word)).transpose()
    }
}

impl Input {
    /// Returns the text.
    ///
    /// # Errors
    ///
    /// Status 400 for an item that is not judged: a call of a tool, an image, or a system message.
    pub fn text(self) -> Result<Text, ApiError> {
        let refused = |message: &str, param: &str| ApiError::invalid("unsupported_parameter", message).of(param);
        let items = match self {
            Self::Text(text) => return Ok(Content::of(text).map_err(Into::into)),
            Self::Items(items) => items,
        };
        let messages = items.into_iter().enumerate().map(|(number, item)| match item {
            Item::Message(message) => Ok(message),
            Item::Other { r#type } if r#type == "message" => {
                let message = "the message has no role, or its content is no text";
                Err(ApiError::invalid("invalid_value", message).of(format!("input[{number}]")))
            }
            Item::Other { .. } => {
                let message = "only messages are judged: send the words of a call as a message";
                Err(refused(message, &format!("input[{number}].type")))
            }
        });
        let read = conversation(messages.collect::<Result<_, _>>()?).map_err(|error| {
            let param = error.param.as_deref().map(|param| param.replacen("messages", "input", 1));
            ApiError { param, ..error }
        })?;
        if read.instructions.is_some() {
            let message = "a system message is not judged: put its words into the instructions of the questions";
            return Err(refused(message, "input"));
        }
        Ok(read.text)
    }
}

impl AskedQuestion {
    /// Returns the instructions.
    ///
    /// # Errors
    ///
    /// Status 400 for a part that is not text.
    pub fn words(&self, place: &str) -> Result<String, ApiError> {
        match &self.instructions {
            Words::Text(text) => Ok(text.clone()),
            Words::Parts(parts) => parts::joined(parts, &format!("{place}.instructions")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(input: Value) -> Result<String, ApiError> {
        let input: Input = serde_json::from_value(input).unwrap();
        input.text().map(|text| text.unwrap().text().to_owned())
    }

    #[test]
    fn an_input_is_a_text_or_messages() {
        assert_eq!(text(json!("Hello")).unwrap(), "Hello");
        let parts = json!([{ "type": "input_text", "text": "See" }, { "type": "input_text", "text": "you" }]);
        assert_eq!(text(json!([{ "type": "message", "role": "user", "content": parts }])).unwrap(), "See\nyou");
        let turns = json!([{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Buy now" }]);
        assert_eq!(text(turns).unwrap(), "[user]\nHi\n[assistant]\nBuy now");
    }

    #[test]
    fn what_is_not_judged_is_refused_with_its_place() {
        let image = json!([{ "type": "input_image", "image_url": "data:," }]);
        let user = json!({ "role": "user", "content": "Hi" });
        for (items, param) in [
            (
                json!([user, { "type": "function_call", "name": "f", "arguments": "{}", "call_id": "1" }]),
                "input[1].type",
            ),
            (json!([{ "type": "custom_tool_call_output", "output": "text", "call_id": "1" }]), "input[0].type"),
            (json!([{ "role": "user", "content": image }]), "input[0].content"),
            (json!([{ "role": "system", "content": "Rules." }, user]), "input"),
            (json!([{ "type": "message", "content": "Hi" }]), "input[0]"),
            (json!([]), "input"),
        ] {
            let refused = text(items.clone()).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.param.as_deref()), (400, Some(param)), "{items}");
        }
    }

    #[test]
    fn the_effort_and_the_number_of_questions_are_checked() {
        let request = |count: usize, more: Value| {
            let question = json!({ "type": "predicate", "instructions": "policy:spam" });
            let mut body = json!({ "model": "gpt-6-luna", "input": "Hi", "questions": vec![question; count] });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<DecisionsRequest>(body).unwrap()
        };
        for (count, is_right) in [(0, false), (1, true), (400, true), (401, false)] {
            assert_eq!(request(count, json!({})).check().is_ok(), is_right, "{count}");
        }
        assert_eq!(request(1, json!({})).effort(), Ok(None));
        assert_eq!(request(1, json!({ "reasoning_effort": "low" })).effort(), Ok(Some(Effort::Low)));
        assert_eq!(request(1, json!({ "reasoning": { "effort": "max" } })).effort(), Ok(Some(Effort::High)));
        let refused = request(1, json!({ "reasoning_effort": "deep" })).effort().unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("reasoning_effort"));
    }
}
