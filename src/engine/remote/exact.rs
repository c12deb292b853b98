//! The level exact: a server that reads our tokens and gives the log-probabilities of named ones.

pub(super) mod course;
pub(super) mod ids;
pub(super) mod llama_server;
mod score;
pub(super) mod sglang;
pub(super) mod vllm;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::ids::Ids;
use super::client::Client;
use super::error::RemoteError;
use crate::engine::config::Sampling;
use crate::tokenizer::{Token, Tokenizer};

/// A server at the level exact.
pub(super) trait Exact: Send + Sync {
    /// Lets the model continue a prompt. The last token returned is a stop if the model wrote one. It is shorter than
    /// [`Writing::most`] without a stop only if the server ended it.
    fn write(&self, prompt: &Ids, writing: &Writing<'_>) -> Result<Vec<Token>, RemoteError>;

    /// Lets the model go on behind a prompt, likeliest token by likeliest token. `levels` are the tokens that are wanted
    /// at each place, and some servers choose among them only. Returns the places in order, at least the first.
    fn walk(&self, prompt: &Ids, levels: &[Vec<Token>]) -> Result<Vec<Place>, RemoteError>;

    /// Returns the number of different tokens that a walk can want.
    fn most_wanted(&self) -> usize {
        usize::MAX
    }

    /// Returns the tokens of a text by the server's own tokenizer, control tokens included. `None` if it has no route
    /// for that.
    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError>;

    /// Checks the settings of the server that would change probabilities unseen.
    fn check(&self, _tokenizer: &Tokenizer) -> Result<(), RemoteError> {
        Ok(())
    }
}

/// A place behind a prompt.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The log-probability of each wanted token among the whole vocabulary.
    pub(super) logs: Vec<f64>,
    /// The token with which the model went on.
    pub(super) token: Option<Token>,
}

/// The settings of a text that the model writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing<'plan> {
    /// Most tokens.
    pub(super) most: usize,
    /// Tokens that end it.
    pub(super) stops: &'plan [Token],
    /// Tokens that it may not contain.
    pub(super) banned: &'plan [Token],
    pub(super) sampling: Sampling,
}

/// Checks log-probabilities: each is one, and those of different tokens are no more than a whole.
pub(super) fn checked(logs: &[f64], wanted: &[Token]) -> Result<(), RemoteError> {
    // Servers round, and some print a zero as slightly more.
    const ROUNDING: f64 = 0.01;
    if let Some(log) = logs.iter().find(|log| log.is_nan() || **log > ROUNDING) {
        return Err(RemoteError::Reply(format!("{log} is no log-probability")));
    }
    let mut seen: Vec<Token> = Vec::with_capacity(wanted.len());
    let mut sum = 0.0;
    for (token, log) in wanted.iter().zip(logs) {
        if !seen.contains(token) {
            seen.push(*token);
            sum += log.exp();
        }
    }
    if sum > 1.0 + ROUNDING {
        return Err(RemoteError::Reply(format!("probabilities of {sum:.3} together")));
    }
    Ok(())
}

/// Checks that a server read as many tokens of a prompt as were sent.
pub(super) fn read_all(sent: usize, read: Option<usize>) -> Result<(), RemoteError> {
    match read {
        Some(read) if read != sent => {
            Err(RemoteError::Reply(format!("it read a prompt of {read} tokens, and {sent} were sent")))
        }
        _ => Ok(()),
    }
}

/// Returns the places of a walk, without those that cannot be read. The first one must be there.
pub(super) fn readable(places: Vec<Result<Place, RemoteError>>) -> Result<Vec<Place>, RemoteError> {
    let mut readable = Vec::with_capacity(places.len());
    for place in places {
        match place {
            Ok(place) => readable.push(place),
            Err(error) if readable.is_empty() => return Err(error),
            Err(_) => return Ok(readable),
        }
    }
    if readable.is_empty() {
        return Err(missing());
    }
    Ok(readable)
}

/// Returns the error of a reply without log-probabilities.
pub(super) fn missing() -> RemoteError {
    RemoteError::Reply("no log-probabilities".to_owned())
}

/// Returns all different tokens of levels.
pub(super) fn together(levels: &[Vec<Token>]) -> Vec<Token> {
    let mut all: Vec<Token> = levels.concat();
    all.sort_unstable_by_key(|token| token.0);
    all.dedup();
    all
}

/// Reads a reply in JSON.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RemoteError> {
    serde_json::from_slice(bytes).map_err(|error| RemoteError::Reply(error.to_string()))
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<u32>,
}

/// Asks a server's own tokenizer. `None` if the server has no route for that.
fn tokenized(client: &Client, body: &serde_json::Value) -> Result<Option<Vec<u32>>, RemoteError> {
    client.try_post("/tokenize", &body.to_string(), &|bytes| parse::<Tokens>(bytes).map(|reply| reply.tokens))
}

/// Returns a bias against tokens, in the form of `OpenAI`.
fn bias_against(banned: &[Token]) -> String {
    let banned: Vec<String> = banned.iter().map(|token| format!("\"{}\":-100", token.0)).collect();
    format!("{{{}}}", banned.join(","))
}
