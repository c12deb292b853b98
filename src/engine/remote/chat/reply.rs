//! The reply of a chat, in the schema of `OpenAI`.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Reply {
    pub(super) model: Option<String>,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    pub(super) message: Message,
    pub(super) finish_reason: Option<String>,
    pub(super) logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) content: Option<String>,
    #[serde(alias = "reasoning")]
    pub(super) reasoning_content: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Logprobs {
    #[serde(default)]
    pub(super) content: Option<Vec<Position>>,
}

#[derive(Deserialize)]
pub(super) struct Position {
    pub(super) token: String,
    pub(super) logprob: f64,
    #[serde(default)]
    pub(super) top_logprobs: Vec<Likely>,
}

#[derive(Deserialize)]
pub(super) struct Likely {
    pub(super) token: String,
    pub(super) logprob: f64,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: usize,
    #[serde(default)]
    pub(super) completion_tokens: usize,
}
