//! The dialect of a server: the parts of a chat request that it takes, found by requests.

use serde::Deserialize;
use serde_json::{Value, json};

use super::reply::Reply;
use crate::engine::config::Sampling;
use crate::engine::remote::client::Client;
use crate::engine::remote::error::RemoteError;
use crate::engine::remote::exact::parse;
use crate::engine::remote::server::Level;

/// Log-probabilities that are asked for at each token: the most that servers allow.
const LIKELIEST: usize = 20;

/// The parts of a request that a server takes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine::remote) struct Dialect {
    /// It gives log-probabilities.
    pub(in crate::engine::remote) logprobs: bool,
    /// It takes `reasoning_effort`.
    effort: bool,
}

impl Dialect {
    /// Tries requests from the fullest down, and refuses a server whose chat template drops or reorders the messages.
    pub(in crate::engine::remote) fn find(client: &Client, model: &str, level: Level) -> Result<Self, RemoteError> {
        const SHORT: &str = "Answer with one word.";
        const WORDS: usize = 64;
        // The fullest request first. A server that refuses a field says so with a status of its own.
        let dialects = [(true, true), (true, false), (false, true), (false, false)];
        let allowed = dialects.into_iter().filter(|(logprobs, _)| !logprobs || level == Level::Logprobs);
        let mut refusal = RemoteError::Reply("no reply".to_owned());
        for (logprobs, effort) in allowed {
            let dialect = Self { logprobs, effort };
            let ask = |policy: &str| {
                let body = dialect.request(model, policy, "Is water wet?", "low", 8, Sampling::default());
                client.post("/v1/chat/completions", &body.to_string(), &parse::<Reply>)
            };
            let reply = match ask(SHORT) {
                Ok(reply) => reply,
                Err(error @ RemoteError::Status { status: 400 | 422, .. }) => {
                    refusal = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(short) = reply.usage {
                let long = ask(&format!("{SHORT}{}", " Be brief.".repeat(WORDS)))?;
                let more = long.usage.map_or(WORDS, |long| long.prompt_tokens.saturating_sub(short.prompt_tokens));
                if more < WORDS {
                    return Err(RemoteError::Template("drops the policy"));
                }
            }
            in_order(client)?;
            let given = reply.choices.iter().any(|choice| choice.logprobs.is_some());
            return Ok(Self { logprobs: logprobs && given, effort });
        }
        Err(refusal)
    }

    pub(super) fn request(
        self,
        model: &str,
        policy: &str,
        content: &str,
        effort: &str,
        most: usize,
        sampling: Sampling,
    ) -> Value {
        let mut body = json!({
            "model": model,
            "messages": [{ "role": "system", "content": policy }, { "role": "user", "content": content }],
            "max_tokens": most,
            "temperature": sampling.temperature,
        });
        if sampling.temperature > 0.0 {
            body["seed"] = json!(sampling.seed & 0x7FFF_FFFF);
        }
        if self.effort {
            body["reasoning_effort"] = json!(effort);
        }
        if self.logprobs {
            body["logprobs"] = json!(true);
            body["top_logprobs"] = json!(LIKELIEST);
        }
        body
    }
}

/// Checks the order of the messages in a prompt, where a server shows it.
fn in_order(client: &Client) -> Result<(), RemoteError> {
    #[derive(Deserialize)]
    struct Rendered {
        prompt: String,
    }
    let (policy, content) = ("Marker of the policy.", "Marker of the content.");
    let messages =
        json!({ "messages": [{ "role": "system", "content": policy }, { "role": "user", "content": content }] });
    let rendered = client.try_post("/apply-template", &messages.to_string(), &parse::<Rendered>);
    let Ok(Some(Rendered { prompt })) = rendered else { return Ok(()) };
    match (prompt.find(policy), prompt.find(content)) {
        (None, _) => Err(RemoteError::Template("drops the policy")),
        (_, None) => Err(RemoteError::Template("drops the content")),
        (Some(policy), Some(content)) if content < policy => {
            Err(RemoteError::Template("puts the policy behind the content"))
        }
        _ => Ok(()),
    }
}
