//! The completion: an answer in the envelope of OpenAI's API.

use schemars::JsonSchema;
use serde::Serialize;

use super::form::Shown;
use crate::label::row::{Printed, Row, RowUsage};

/// The completion of a chat.
#[derive(Serialize, JsonSchema)]
pub struct ChatCompletion<'made> {
    id: &'made str,
    object: &'static str,
    created: u64,
    /// The policy, with its digest.
    model: &'made str,
    /// The versions of magistrate and of llama.cpp.
    system_fingerprint: &'made str,
    /// One choice.
    choices: Vec<Choice<'made>>,
    usage: Used,
    /// The row.
    magistrate: Printed<'made>,
}

#[derive(Serialize, JsonSchema)]
struct Choice<'made> {
    index: u32,
    message: Message<'made>,
    /// The answers with the logarithms of their probabilities, if they are asked for.
    logprobs: Option<Logprobs>,
    finish_reason: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Message<'made> {
    role: &'static str,
    content: &'made str,
    refusal: Option<&'static str>,
    /// The raw reasoning, only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    reasoning: Option<&'made str>,
    /// The same under an older name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    reasoning_content: Option<&'made str>,
}

/// The logarithms of probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Logprobs {
    /// One entry: the answer as a whole.
    content: Vec<Scored>,
    refusal: Option<()>,
}

/// An answer and the logarithm of its probability.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct Scored {
    /// The answer, as a whole.
    token: String,
    /// The natural logarithm of its probability among all allowed answers.
    logprob: f64,
    bytes: Vec<u8>,
    /// The possible answers, the likeliest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Scored>")]
    top_logprobs: Option<Vec<Scored>>,
}

/// Tokens by their use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Used {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptTokens,
    completion_tokens_details: CompletionTokens,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct PromptTokens {
    /// The policy, which is decoded once for all texts.
    cached_tokens: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct CompletionTokens {
    reasoning_tokens: usize,
}

/// A completion that was made.
#[derive(Debug)]
pub struct Made {
    /// The completion's id.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The policy, with its digest.
    pub model: String,
    /// The versions of magistrate and of llama.cpp.
    pub fingerprint: String,
    /// The answer.
    pub shown: Shown,
    /// The row.
    pub row: Row,
    /// The number of possible answers to return, if logarithms are asked for.
    pub logprobs: Option<usize>,
}

/// The least probability whose logarithm is returned, because JSON has no infinity.
const LEAST: f64 = 1e-30;

impl Made {
    /// Returns the completion.
    #[must_use]
    pub fn completion(&self) -> ChatCompletion<'_> {
        let reasoning = self.row.reasoning.as_deref();
        let content = self.shown.content.as_str();
        let message = Message { role: "assistant", content, refusal: None, reasoning, reasoning_content: reasoning };
        ChatCompletion {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: &self.model,
            system_fingerprint: &self.fingerprint,
            choices: vec![Choice { index: 0, message, logprobs: self.logprobs(), finish_reason: "stop" }],
            usage: self.used(),
            magistrate: self.printed(),
        }
    }

    /// Returns the row in its printed form.
    #[must_use]
    pub fn printed(&self) -> Printed<'_> {
        Printed::new(std::slice::from_ref(&self.row))
    }

    /// Returns the logarithms, if they are asked for and the model did not write freely.
    #[must_use]
    pub fn logprobs(&self) -> Option<Logprobs> {
        let most = self.logprobs?;
        let (token, probability) = self.shown.answers.first()?;
        let mut all: Vec<Scored> =
            self.shown.answers.iter().map(|(token, probability)| Scored::new(token, *probability)).collect();
        all.sort_by(|one, other| other.logprob.total_cmp(&one.logprob));
        all.truncate(most);
        let given = Scored { top_logprobs: Some(all), ..Scored::new(token, *probability) };
        Some(Logprobs { content: vec![given], refusal: None })
    }

    /// Returns the tokens that were used.
    #[must_use]
    pub fn used(&self) -> Used {
        let Some(RowUsage { prefix_tokens, content_tokens, reasoning_tokens, answer_tokens, rationale_tokens, .. }) =
            self.row.usage
        else {
            return Used::default();
        };
        let prompt_tokens = prefix_tokens + content_tokens;
        let completion_tokens = reasoning_tokens + answer_tokens + rationale_tokens;
        Used {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptTokens { cached_tokens: prefix_tokens },
            completion_tokens_details: CompletionTokens { reasoning_tokens },
        }
    }
}

impl Scored {
    fn new(token: &str, probability: f64) -> Self {
        let logprob = probability.clamp(LEAST, 1.0).ln();
        Self { token: token.to_owned(), logprob, bytes: token.as_bytes().to_vec(), top_logprobs: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::form::Form;
    use super::super::tests::{made, row};

    #[test]
    fn the_first_logarithm_is_that_of_the_answer() {
        let completed = made(Form::Binary, row("violation", 0.75, 0.0), Some(2));
        let completion: Value = serde_json::to_value(completed.completion()).unwrap();
        let given = &completion["choices"][0]["logprobs"]["content"][0];
        assert_eq!((&given["token"], &given["bytes"]), (&json!("1"), &json!([49])));
        assert!((given["logprob"].as_f64().unwrap().exp() - 0.75).abs() < 1e-12);
        let top = given["top_logprobs"].as_array().unwrap();
        assert_eq!((top.len(), &top[0]["token"], &top[1]["token"]), (2, &json!("1"), &json!("0")));
        assert!((top[1]["logprob"].as_f64().unwrap().exp() - 0.25).abs() < 1e-12);
        assert_eq!(completion["choices"][0]["message"]["content"], "1");
    }

    #[test]
    fn a_logarithm_is_finite_and_absent_unless_it_is_asked_for() {
        let of = |probability, logprobs| made(Form::YesNo, row("violation", probability, 0.0), logprobs).logprobs();
        assert_eq!(of(0.75, None), None);
        assert!(of(0.0, Some(0)).unwrap().content[0].logprob.is_finite());
        assert!(of(1.0, Some(0)).unwrap().content[0].top_logprobs.as_ref().unwrap().is_empty());
    }

    #[test]
    fn the_policy_s_tokens_count_as_cached() {
        let mut row = row("safe", 0.25, 0.0);
        row.usage = serde_json::from_value(json!({
            "prefix_tokens": 700, "content_tokens": 100, "reasoning_tokens": 30, "answer_tokens": 6, "rationale_tokens": 5,
            "reasoning_ended": "itself",
        }))
        .unwrap();
        let used = serde_json::to_value(made(Form::Label, row, None).used()).unwrap();
        assert_eq!(
            (&used["prompt_tokens"], &used["completion_tokens"], &used["total_tokens"]),
            (&json!(800), &json!(41), &json!(841))
        );
        assert_eq!(used["prompt_tokens_details"]["cached_tokens"], 700);
    }
}
