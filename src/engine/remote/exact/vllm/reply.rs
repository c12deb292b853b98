//! vLLM's replies: written tokens, and log-probabilities by token.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::engine::remote::error::RemoteError;
use crate::tokenizer::Token;

/// Most tokens whose log-probabilities one request names. A server from before `logprob_token_ids` lists as many of the
/// likeliest.
pub(super) const NAMED: usize = 20;

#[derive(Deserialize)]
pub(super) struct Reply {
    pub(super) model: Option<String>,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) token_ids: Option<Vec<u32>>,
    pub(super) logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
pub(super) struct Logprobs {
    /// One object for each token that was written.
    #[serde(default)]
    top_logprobs: Vec<Option<Logs>>,
}

/// Log-probabilities by token.
struct Logs(Vec<(Token, Option<f64>)>);

/// A key `token_id:ID`. `None` for other keys.
struct Key(Option<Token>);

impl<'de> Deserialize<'de> for Logs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Logs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("log-probabilities by token")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Logs, A::Error> {
                let mut logs = Vec::with_capacity(NAMED + 1);
                while let Some((Key(token), log)) = map.next_entry()? {
                    logs.extend(token.map(|token| (token, log)));
                }
                Ok(Logs(logs))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("token_id:ID")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(Key(name.strip_prefix("token_id:").and_then(|id| id.parse().ok()).map(Token)))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[derive(Deserialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: usize,
}

/// Tokens that the server wrote, and the log-probabilities at the place of each.
pub(super) struct Written {
    pub(super) tokens: Vec<u32>,
    pub(super) places: Vec<Option<Named>>,
}

/// The log-probabilities at one place.
pub(super) struct Named {
    logs: Vec<(Token, Option<f64>)>,
    /// That of the least likely token of those that the server listed.
    least: f64,
}

impl Logprobs {
    /// Returns the log-probabilities at each place. `None` where there are none.
    pub(super) fn places(self) -> Vec<Option<Named>> {
        let least = |logs: &[(Token, Option<f64>)]| logs.iter().filter_map(|(_, log)| *log).fold(0.0, f64::min);
        let read = |Logs(logs)| Named { least: least(&logs), logs };
        self.top_logprobs.into_iter().map(|logs| logs.map(read)).collect()
    }
}

impl Named {
    /// Returns the log-probability of a token. One that is not among the likeliest is at most as likely as the last of
    /// them.
    ///
    /// vLLM 0.32.0 may list fewer, for requests that share a batch with others of another kind. Such a list bounds nothing.
    pub(super) fn of(&self, token: Token) -> Result<f64, RemoteError> {
        match self.logs.iter().find(|(named, _)| *named == token) {
            Some((_, log)) => Ok(log.unwrap_or(f64::NEG_INFINITY)),
            None if self.logs.len() >= NAMED => Ok(self.least),
            None => Err(RemoteError::Reply(format!("no log-probability of token {}", token.0))),
        }
    }
}
