//! vLLM, at the level exact.
//!
//! `/v1/completions` takes a prompt as token ids, and gives the log-probabilities of named tokens
//! (`logprob_token_ids`, vLLM pull requests 34539 and 43463). A server from before that gives the likeliest 20. A wanted
//! token that is not among them is at most as likely as the last.

mod reply;

use serde_json::json;

use self::reply::{Logprobs, NAMED, Named, Reply, Written};
use super::ids::Ids;
use super::{Exact, Place, Writing, bias_against, checked, missing, parse, read_all, readable, together, tokenized};
use crate::engine::remote::client::Client;
use crate::engine::remote::error::RemoteError;
use crate::tokenizer::{Token, Tokenizer};

/// Settings that leave the probabilities as the model has them. Else the model's `generation_config.json` decides.
const PLAIN: &str = r#""top_p":1,"top_k":0,"min_p":0,"repetition_penalty":1,"add_special_tokens":false,"skip_special_tokens":false,"return_tokens_as_token_ids":true"#;

pub struct Vllm<'client> {
    pub client: &'client Client,
    pub model: String,
}

impl Exact for Vllm<'_> {
    fn write(&self, prompt: &Ids, writing: &Writing<'_>) -> Result<Vec<Token>, RemoteError> {
        let seed = if writing.sampling.temperature > 0.0 {
            format!(r#","seed":{}"#, writing.sampling.seed & 0x7FFF_FFFF)
        } else {
            String::new()
        };
        let body = format!(
            r#"{{"model":{},"prompt":{},"max_tokens":{},"temperature":{},"stop_token_ids":{},"logit_bias":{},"return_token_ids":true,{PLAIN}{seed}}}"#,
            json!(self.model),
            prompt,
            writing.most,
            writing.sampling.temperature,
            Ids::new(writing.stops),
            bias_against(writing.banned),
        );
        self.client.post("/v1/completions", &body, &|bytes| {
            let reply = self.parse(bytes, prompt.len())?;
            let tokens = reply.choices.into_iter().next().and_then(|choice| choice.token_ids);
            let tokens = tokens.ok_or_else(|| RemoteError::Reply("no token ids".to_owned()))?;
            Ok(tokens.into_iter().map(Token).collect())
        })
    }

    fn walk(&self, prompt: &Ids, levels: &[Vec<Token>]) -> Result<Vec<Place>, RemoteError> {
        let named = together(levels);
        let only = format!(r#","allowed_token_ids":{}"#, Ids::new(&named));
        let Written { tokens, places } = self.write_named(prompt, &named, levels.len(), &only)?;
        let read = |(number, (place, wanted)): (usize, (Option<Named>, &Vec<Token>))| {
            let logs = logs(place.as_ref(), wanted)?;
            checked(&logs, wanted)?;
            Ok(Place { logs, token: tokens.get(number).copied().map(Token) })
        };
        readable(places.into_iter().zip(levels).enumerate().map(read).collect())
    }

    fn most_wanted(&self) -> usize {
        NAMED
    }

    fn tokenize(&self, text: &str) -> Result<Option<Vec<u32>>, RemoteError> {
        tokenized(self.client, &json!({ "model": self.model, "prompt": text, "add_special_tokens": false }))
    }

    /// Checks that log-probabilities are those of the whole vocabulary, also where a request restricts the next token.
    fn check(&self, tokenizer: &Tokenizer) -> Result<(), RemoteError> {
        const ROUNDING: f64 = 0.1;
        let first = |text: &str| tokenizer.encode(text).first().copied().unwrap_or(Token(0));
        let prompt = Ids::new(&tokenizer.encode("The answer is"));
        let wanted = [" no", " yes", " a"].map(first);
        let probed = |more: &str| -> Result<Vec<f64>, RemoteError> {
            let written = self.write_named(&prompt, &wanted, 1, more)?;
            // A probability of zero has no logarithm.
            let bounded = |log: f64| log.max(-50.0);
            Ok(logs(written.places.first().and_then(Option::as_ref), &wanted)?.into_iter().map(bounded).collect())
        };
        let restricted = probed(&format!(r#","allowed_token_ids":{}"#, Ids::new(&wanted[..1])))?;
        let same = |(one, other): (&f64, &f64)| (one - other).abs() <= ROUNDING;
        if restricted.iter().zip(&probed("")?).all(same) { Ok(()) } else { Err(RemoteError::NotRaw) }
    }
}

impl Vllm<'_> {
    /// Lets the model write at most `most` tokens, with the log-probabilities of named ones at each place.
    fn write_named(&self, prompt: &Ids, named: &[Token], most: usize, more: &str) -> Result<Written, RemoteError> {
        let body = format!(
            r#"{{"model":{},"prompt":{prompt},"max_tokens":{most},"temperature":0,"logprobs":{NAMED},"logprob_token_ids":{},"return_token_ids":true,{PLAIN}{more}}}"#,
            json!(self.model),
            Ids::new(named),
        );
        self.client.post("/v1/completions", &body, &|bytes| {
            let reply = self.parse(bytes, prompt.len())?;
            let choice = reply.choices.into_iter().next();
            let choice = choice.ok_or_else(|| RemoteError::Reply("no choice".to_owned()))?;
            let places = choice.logprobs.map_or_else(Vec::new, Logprobs::places);
            Ok(Written { tokens: choice.token_ids.unwrap_or_default(), places })
        })
    }

    fn parse(&self, bytes: &[u8], sent: usize) -> Result<Reply, RemoteError> {
        let reply: Reply = parse(bytes)?;
        if reply.model.as_ref().is_some_and(|model| *model != self.model) {
            return Err(RemoteError::Changed);
        }
        read_all(sent, reply.usage.as_ref().map(|usage| usage.prompt_tokens))?;
        Ok(reply)
    }
}

/// Returns the log-probabilities of the wanted tokens at a place.
fn logs(place: Option<&Named>, wanted: &[Token]) -> Result<Vec<f64>, RemoteError> {
    let place = place.ok_or_else(missing)?;
    wanted.iter().map(|token| place.of(*token)).collect()
}
